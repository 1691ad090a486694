"""Repositories side by side, and what changed on a board, through the API."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from shared.auth import Role
from shared.models import WINDOW_DAYS, Kind
from tests.functions.conftest import World
from tests.support.api_client import ApiClient
from tests.support.apps import app_over
from tests.support.lines import CLEO, WHEELS, day, push

ENGINE_BOARD = "/api/v1/leaderboard/octo/engine"
COMPARE = "/api/v1/leaderboard/compare?repos=octo/engine,octo/wheels"


@pytest.fixture(scope="module")
def compared(api: ApiClient) -> dict[str, Any]:
    found: dict[str, Any] = api.get(COMPARE).get_json()
    return found


def lifetime_of_a_generation(api: ApiClient) -> str:
    """How long a page of a board may be kept whose address names a generation."""
    generation = api.get(ENGINE_BOARD).get_json()["meta"]["generation"]
    return api.get(f"{ENGINE_BOARD}?generation={generation}").headers["Cache-Control"]


def test_the_people_across_both_are_ranked_by_normalised_scores(compared: dict[str, Any]) -> None:
    first, second = compared["data"]["cross_ranking"][:2]
    # ben has 55.00 of ana's 70.43 in one, and the most in the other; ana 20.00 of ben's 48.00.
    assert (first["username"], first["cross_score"]) == ("ben", 89.04)
    assert [place["normalised"] for place in first["repositories"]] == [78.09, 100.0]
    assert (second["username"], second["cross_score"]) == ("ana", 70.83)
    assert compared["meta"]["weights"] == [
        {"repository": "octo/engine", "weight": 1},
        {"repository": "octo/wheels", "weight": 1},
    ]


def test_the_lists_and_the_sets_agree(compared: dict[str, Any]) -> None:
    data = compared["data"]
    engine, wheels = data["repositories"]
    assert (engine["contributors"], wheels["contributors"]) == (27, 2)
    assert [person["username"] for person in data["common"]["top"]] == ["ben", "ana"]
    assert (data["common"]["contributors"], data["common"]["in_all"]) == (2, 2)
    assert [(one["contributors"], len(one["top"])) for one in data["unique"]] == [(25, 10), (0, 0)]
    assert data["charts"]["venn"] == [
        {"repositories": ["octo/engine"], "together": 27, "exactly": 25},
        {"repositories": ["octo/wheels"], "together": 2, "exactly": 0},
        {"repositories": ["octo/engine", "octo/wheels"], "together": 2, "exactly": 2},
    ]
    assert compared["meta"]["contributors"] == 27
    assert data["comparison"] == {
        "most_active": "octo/engine",
        "most_contributors": "octo/engine",
        "highest_average_score": "octo/wheels",
    }


@pytest.mark.parametrize("window", WINDOW_DAYS)
@pytest.mark.parametrize("account_class", ["human", "all"])
def test_months_add_up_to_the_totals_and_these_to_the_rows_of_the_board(
    api: ApiClient, window: str, account_class: str
) -> None:
    chosen = f"window={window}&class={account_class}"
    for repository in api.data(f"{COMPARE}&{chosen}")["repositories"]:
        months: Counter[str] = Counter()
        for month in repository["months"]:
            months.update(month["counts"])
        assert months == Counter({k: n for k, n in repository["counts"].items() if n})
        name = repository["repository"]
        rows = api.data(f"/api/v1/leaderboard/{name}?{chosen}&page_size=100")
        assert len(rows) == repository["contributors"]
        for kind in Kind:
            assert sum(row["counts"][kind] for row in rows) == repository["counts"][kind]
        assert repository["top"] == rows[:10]


def test_the_timeline_has_every_month_for_both(compared: dict[str, Any]) -> None:
    timeline = compared["data"]["charts"]["timeline"]
    assert (timeline["months"][0], timeline["months"][-1]) == ("2024-02", "2025-03")
    assert len(timeline["months"]) == 14
    engine, wheels = timeline["series"]
    assert sum(engine["contributions"]) == compared["data"]["repositories"][0]["contributions"]
    assert wheels["contributions"][-3:] == [2, 0, 5]
    # The files of this test hold a few days only.
    assert not any(engine["covered"])


def test_weights_turn_the_order_and_the_lists_are_as_long_as_asked(api: ApiClient) -> None:
    engine_only = api.get(f"{COMPARE}&weights=1,0&top=3").get_json()
    names = [person["username"] for person in engine_only["data"]["cross_ranking"]]
    assert names[:2] == ["ana", "ben"]
    assert len(names) == 3
    assert [weight["weight"] for weight in engine_only["meta"]["weights"]] == [1, 0]


def test_who_is_missing_is_named(engine: World) -> None:
    api = engine.client()
    unknown = api.get("/api/v1/leaderboard/compare?repos=octo/engine,octo/none")
    assert unknown.status_code == 404
    assert unknown.get_json()["details"]["repository"] == "octo/none"
    engine.client(engine.key(Role.USER)).post("/api/v1/repositories", {"repository": WHEELS.name})
    waiting = api.get(COMPARE)
    assert waiting.status_code == 404
    assert waiting.get_json()["details"]["repository"] == WHEELS.name
    gone = api.get(f"{COMPARE.replace('wheels', 'engine')}")
    assert gone.status_code == 400


def test_comparing_reads_documents_only(team: World) -> None:
    class NoWarehouse:
        def __getattr__(self, name: str) -> object:
            raise AssertionError(f"the warehouse was asked for {name}")

    services = replace(team.services, warehouse=NoWarehouse())  # type: ignore[arg-type]
    api = ApiClient(app_over(lambda: services))
    assert api.get(COMPARE).status_code == 200
    assert api.get("/api/v1/contributors/ana/repositories").status_code == 200


def test_a_comparison_of_generations_never_changes(api: ApiClient, compared: Any) -> None:
    generations = ",".join(r["generation"] for r in compared["data"]["repositories"])
    pinned = api.get(f"{COMPARE}&generations={generations}")
    assert pinned.headers["Cache-Control"] == lifetime_of_a_generation(api)
    assert pinned.get_json()["data"] == compared["data"]
    other = api.get(f"{COMPARE}&generations={'0' * 24},{'1' * 24}")
    assert other.status_code == 404
    assert other.get_json()["message"].startswith("octo/engine: Generation 0000")


def test_what_changed_on_a_board_is_told_between_generations(engine: World) -> None:
    api = engine.client()
    before = api.get(ENGINE_BOARD).get_json()["meta"]["generation"]
    assert api.get(f"{ENGINE_BOARD}/diff").status_code == 404
    engine.ingest("later.json.gz", [push(900, day(14), CLEO, push_id=900, distinct_size=90)])
    engine.client(engine.key(Role.USER)).post("/api/v1/repositories/octo/engine/refresh")
    engine.work()
    answer = api.get(f"{ENGINE_BOARD}/diff?page_size=2")
    body = answer.get_json()
    after = api.get(ENGINE_BOARD).get_json()["meta"]["generation"]
    assert [body["meta"][side]["generation"] for side in ("from", "to")] == [before, after]
    assert body["meta"]["inputs_changed"] == ["end", "facts"]
    top = body["data"][0]
    assert (top["username"], top["change"], top["rank_after"]) == ("cleo", "up", 1)
    assert top["places"] == top["rank_before"] - 1
    assert top["score_difference"] == 900 == body["meta"]["differences"]["score"]
    assert body["meta"]["differences"]["counts"]["COMMIT"] == 90
    assert answer.headers["Cache-Control"] == "no-cache"
    onward = api.get(body["links"]["next"])
    assert onward.headers["Cache-Control"] == lifetime_of_a_generation(api) != "no-cache"
    assert onward.get_json()["data"][0]["change"] == "down"
    assert api.get(f"{ENGINE_BOARD}/diff?change=left").get_json()["data"] == []
    everywhere = api.get("/api/v1/leaderboard/global/diff").get_json()
    assert everywhere["data"][0]["username"] == "cleo"
    # Older generations are boards as well, until they are not kept any more.
    assert api.get(f"{ENGINE_BOARD}?generation={before}").status_code == 200
    gone = api.get(f"{ENGINE_BOARD}/diff?from={'0' * 24}")
    assert gone.status_code == 404
    assert "is not kept" in gone.get_json()["message"]
