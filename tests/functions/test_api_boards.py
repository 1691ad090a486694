"""Boards through the API: rows, order, classes, pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from functions.api.links import LAST_PAGE
from shared.auth import Role
from shared.models import WINDOW_DAYS, Kind
from tests.functions.conftest import HOSTILE, World
from tests.support.api_client import ApiClient
from tests.support.case import Case
from tests.support.lines import CLEO, ENGINE, day, push
from tests.support.worked_examples import EXAMPLES

ENGINE_BOARD = "/api/v1/leaderboard/octo/engine"
GLOBAL_BOARD = "/api/v1/leaderboard/global"


def names(api: ApiClient, address: str) -> list[str]:
    return [row["username"] for row in api.data(address)]


@pytest.mark.parametrize("example", EXAMPLES, ids=["1380.00", "4601.00"])
def test_the_worked_examples_come_out_to_the_cent(
    make_world: Callable[[], World], example: Case
) -> None:
    world = make_world()
    world.ingest("example.json.gz", example.lines)
    world.register(ENGINE)
    (expected,) = example.counts
    total = f"{(expected.score or 0) / 1000:.2f}"
    for address in (ENGINE_BOARD, GLOBAL_BOARD):
        answer = world.client().get(f"{address}?search=ana")
        assert f'"score":{total},' in answer.text
        (row,) = answer.get_json()["data"]
        assert {k: n for k, n in row["counts"].items() if n} == dict(expected.quantities)
    explained = world.client().get("/api/v1/contributors/ana/explain")
    assert f'"total":{total},' in explained.text


def test_a_row_has_exactly_the_agreed_fields(api: ApiClient) -> None:
    row = api.data(ENGINE_BOARD)[0]
    assert list(row) == [
        *("rank", "github_id", "username", "avatar_url", "class", "score", "percentile", "band"),
        *("movement", "repositories", "counts"),
    ]
    assert list(row["counts"]) == [kind.value for kind in Kind]
    assert row["movement"] == {"change": "new", "by": 0, "previous": None}


def test_the_metadata_says_what_the_board_was_made_from(api: ApiClient) -> None:
    meta = api.get(f"{ENGINE_BOARD}?window=30d").get_json()["meta"]
    assert meta["board"] == "octo/engine"
    assert meta["window"] == "30d"
    assert (meta["start"], meta["end"]) == (
        "2025-02-10T13:00:00.000000Z",
        "2025-03-12T13:00:00.000000Z",
    )
    assert meta["as_of"] == meta["end"]
    assert meta["receipt"]["inputs"]["window"] == "30d"
    assert len(meta["receipt"]["board"]) == 64
    assert meta["rule_version"] == 1
    assert meta["coverage"]["source"] == "archive"


def test_the_global_score_is_the_sum_over_repositories(api: ApiClient) -> None:
    by_board = [
        {row["username"]: row["score"] for row in api.data(f"{board}?class=all&page_size=100")}
        for board in (GLOBAL_BOARD, ENGINE_BOARD, "/api/v1/leaderboard/octo/wheels")
    ]
    everywhere, engine, wheels = by_board
    assert everywhere == {
        name: engine.get(name, 0) + wheels.get(name, 0) for name in engine.keys() | wheels.keys()
    }


def test_every_window_has_a_board_of_its_own(api: ApiClient) -> None:
    totals = {
        window: api.get(f"{ENGINE_BOARD}?window={window}").get_json()["meta"]["total"]
        for window in WINDOW_DAYS
    }
    assert totals["all"] > totals["7d"] > 0


def test_classes_are_ranked_apart_and_together(api: ApiClient) -> None:
    assert names(api, f"{ENGINE_BOARD}?class=agent") == ["Copilot"]
    assert names(api, f"{ENGINE_BOARD}?class=bot") == ["dependabot[bot]"]
    humans = api.data(f"{ENGINE_BOARD}?page_size=100")
    everybody = api.data(f"{ENGINE_BOARD}?class=all&page_size=100")
    assert {row["class"] for row in humans} == {"human"}
    assert {row["class"] for row in everybody} == {"human", "bot", "agent"}
    assert len(everybody) == len(humans) + 2
    assert [row["rank"] for row in everybody] == list(range(1, len(everybody) + 1))
    assert [row["rank"] for row in humans] == list(range(1, len(humans) + 1))


def test_sorts_and_orders(api: ApiClient) -> None:
    by_commits = [r["counts"]["COMMIT"] for r in api.data(f"{ENGINE_BOARD}?sort=COMMIT")]
    assert by_commits == sorted(by_commits, reverse=True)
    upward = [r["counts"]["COMMIT"] for r in api.data(f"{ENGINE_BOARD}?sort=COMMIT&order=asc")]
    assert upward == by_commits[::-1]
    by_name = names(api, f"{ENGINE_BOARD}?sort=username")
    assert by_name == sorted(by_name, key=str.lower)
    assert names(api, f"{ENGINE_BOARD}?sort=username&order=desc") == by_name[::-1]
    assert names(api, f"{ENGINE_BOARD}?sort=rank&order=desc") == names(api, ENGINE_BOARD)[::-1]


def test_a_search_finds_parts_of_logins_in_any_case_and_counts_them(api: ApiClient) -> None:
    answer = api.get(f"{ENGINE_BOARD}?search=GUEST-1&page_size=3").get_json()
    assert [row["username"] for row in answer["data"]] == ["guest-10", "guest-11", "guest-12"]
    assert answer["meta"]["total"] == 10
    assert answer["meta"]["total_pages"] == 4


def test_walking_the_links_shows_everybody_once(api: ApiClient) -> None:
    seen: list[str] = []
    address: str | None = f"{ENGINE_BOARD}?page_size=4&class=all"
    while address is not None:
        answer = api.get(address).get_json()
        assert answer["links"]["self"] == address
        seen += [row["username"] for row in answer["data"]]
        address = answer["links"]["next"]
    assert seen == names(api, f"{ENGINE_BOARD}?page_size=100&class=all")
    back = answer["links"]["prev"]
    assert api.get(back).get_json()["meta"]["page"] == answer["meta"]["page"] - 1
    assert api.get(answer["links"]["last"]).get_json()["data"] == answer["data"]
    first = api.get(answer["links"]["first"]).get_json()
    assert first["meta"]["page"] == 1
    assert first["links"]["prev"] is None
    assert first["meta"]["generation"] in answer["links"]["first"]


def test_a_page_behind_the_last_is_empty_and_leads_back(api: ApiClient) -> None:
    answer = api.get(f"{ENGINE_BOARD}?page={LAST_PAGE}&page_size=10").get_json()
    assert answer["data"] == []
    assert answer["links"]["next"] is None
    assert api.get(answer["links"]["prev"]).get_json()["data"]


def test_hostile_logins_stay_text(api: ApiClient) -> None:
    rows: list[dict[str, Any]] = api.data(f"{ENGINE_BOARD}?page_size=100")
    shown = {row["github_id"]: row["username"] for row in rows}
    for somebody in HOSTILE:
        assert shown[somebody.id] == somebody.login
    answer = api.get(ENGINE_BOARD)
    assert answer.mimetype == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_names_are_compared_without_case(api: ApiClient) -> None:
    assert api.data("/api/v1/leaderboard/OCTO/Engine") == api.data(ENGINE_BOARD)


def test_after_later_events_the_board_says_who_moved(engine: World) -> None:
    api = engine.client()
    before = {row["username"]: row["rank"] for row in api.data(ENGINE_BOARD)}
    pages = api.get(f"{ENGINE_BOARD}?page_size=2").get_json()["links"]
    engine.ingest("later.json.gz", [push(900, day(14), CLEO, push_id=900, distinct_size=90)])
    answer = engine.client(engine.key(Role.USER)).post(
        f"/api/v1/repositories/{ENGINE.name}/refresh"
    )
    assert answer.status_code == 202
    engine.work()
    top = api.data(ENGINE_BOARD)[0]
    assert top["username"] == "cleo"
    assert top["movement"] == {"change": "up", "by": before["cleo"] - 1, "previous": before["cleo"]}
    # Whoever was reading goes on in the board that they began with.
    assert [row["rank"] for row in api.data(pages["next"])] == [3, 4]
    assert [row["rank"] for row in api.data(pages["first"])] == [1, 2]
    assert "cleo" not in names(api, pages["first"])
