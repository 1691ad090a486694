"""Paused repositories, and the list in which repositories are found."""

from __future__ import annotations

from datetime import timedelta

import pytest

from functions.dashboard import overview
from shared import pausing, repositories, staleness
from shared.auth import Role
from shared.context import SYSTEM
from shared.models import RepositoryName
from shared.repository_records import stored
from tests.functions.conftest import World
from tests.support.api_client import ApiClient
from tests.support.lines import ENGINE, WHEELS

ADDRESS = "/api/v1/repositories"
ENGINE_ADDRESS = f"{ADDRESS}/octo/engine"


@pytest.fixture
def admin(fresh: World) -> ApiClient:
    return fresh.client(fresh.key(Role.ADMIN))


def test_a_paused_repository_keeps_its_board_and_is_not_scraped(
    fresh: World, admin: ApiClient
) -> None:
    fresh.register(ENGINE, WHEELS)
    board = admin.data("/api/v1/leaderboard/octo/engine")
    for _ in range(2):
        paused = admin.post(f"{ENGINE_ADDRESS}/disable")
        assert paused.status_code == 200
        assert paused.get_json()["data"]["repository"]["status"] == "DISABLED"
    for way in ("scrape", "refresh"):
        refused = admin.post(f"{ENGINE_ADDRESS}/{way}")
        assert refused.status_code == 409
        assert "Enable it first" in refused.get_json()["message"]
    fresh.clock.advance(timedelta(days=3))
    assert overview.freshness(fresh.services).stale == 1
    asked = staleness.refresh_stale(fresh.services, 10)
    assert [job.repository for job in asked] == ["octo/wheels"]
    fresh.work()
    assert admin.data("/api/v1/leaderboard/octo/engine") == board
    page = fresh.app.test_client().get("/repositories/octo/engine")
    assert ">Paused<" in page.text
    assert [each["name"] for each in admin.data(f"{ADDRESS}?status=DISABLED")] == ["octo/engine"]


def test_a_resumed_repository_is_scraped_again(fresh: World, admin: ApiClient) -> None:
    fresh.register(ENGINE)
    admin.post(f"{ENGINE_ADDRESS}/disable")
    for _ in range(2):
        resumed = admin.post(f"{ENGINE_ADDRESS}/enable").get_json()["data"]
        assert resumed["repository"]["status"] == "COMPLETED"
        assert resumed["job"] is None
    assert admin.post(f"{ENGINE_ADDRESS}/refresh").status_code == 202
    switched = [e for e in fresh.audited() if str(e["action"]).startswith("repository.")][-3:]
    assert [(e["action"], e["old_value"], e["new_value"]) for e in switched[:2]] == [
        ("repository.disabled", {"status": "COMPLETED", "job": None},
         {"status": "DISABLED", "job": None}),
        ("repository.enabled", {"status": "DISABLED", "job": None},
         {"status": "COMPLETED", "job": None}),
    ]  # fmt: skip


def test_pausing_ends_the_job_that_works_on_it_and_that_stays_so(
    fresh: World, admin: ApiClient
) -> None:
    job = admin.post(ADDRESS, {"repository": ENGINE.name}).get_json()["data"]["job"]
    admin.post(f"{ENGINE_ADDRESS}/disable")
    assert admin.data(f"/api/v1/jobs/{job['id']}")["state"] == "CANCELLED"
    fresh.work()
    assert admin.data(ENGINE_ADDRESS)["repository"]["status"] == "DISABLED"
    assert "It is paused" in fresh.app.test_client().get("/repositories/octo/engine").text
    assert admin.post(f"/api/v1/jobs/{job['id']}/retry").status_code == 409
    assert admin.post(f"{ENGINE_ADDRESS}/enable").get_json()["data"]["repository"]["status"] == (
        "PENDING"
    )
    admin.post(f"/api/v1/jobs/{job['id']}/retry")
    fresh.work()
    assert admin.data(ENGINE_ADDRESS)["repository"]["status"] == "COMPLETED"


def test_one_that_is_paused_while_schedules_choose_is_left_out(
    both: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    both.clock.advance(timedelta(days=3))
    chosen = staleness.mark(both.services, 10)
    pausing.disable(both.services, RepositoryName.parse(ENGINE.name), SYSTEM)
    monkeypatch.setattr(staleness, "mark", lambda *_: chosen)
    asked = staleness.refresh_stale(both.services, 10)
    assert [job.repository for job in asked] == ["octo/wheels"]


def test_nobody_but_an_admin_pauses_and_nothing_unknown_is_paused(fresh: World) -> None:
    user, admin = fresh.client(fresh.key(Role.USER)), fresh.client(fresh.key(Role.ADMIN))
    for way in ("disable", "enable"):
        assert user.post(f"{ENGINE_ADDRESS}/{way}").status_code == 403
        assert admin.post(f"{ENGINE_ADDRESS}/{way}").status_code == 404


# --- the list -------------------------------------------------------------------------------------


@pytest.fixture
def several(fresh: World) -> ApiClient:
    """Repositories with and without stars."""
    for name, stars in (("octo/a", 5), ("acme/engine", None), ("octo/engine", 70), ("zoo/b", 5)):
        found = repositories.register(fresh.services, RepositoryName.parse(name), SYSTEM).repository
        fresh.services.documents.write([stored(found.model_copy(update={"stars": stars}))])
        fresh.clock.advance(timedelta(seconds=1))
    return fresh.client()


def pages(api: ApiClient, question: str) -> list[str]:
    names: list[str] = []
    address: str | None = f"{ADDRESS}?limit=1&{question}"
    while address is not None:
        answer = api.get(address).get_json()
        names += [each["name"] for each in answer["data"]]
        address = answer["links"]["next"]
    return names


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("sort=stars", ["octo/engine", "zoo/b", "octo/a", "acme/engine"]),
        ("sort=stars&order=asc", ["acme/engine", "octo/a", "zoo/b", "octo/engine"]),
        ("sort=registered_at", ["zoo/b", "octo/engine", "acme/engine", "octo/a"]),
        ("order=desc", ["zoo/b", "octo/engine", "octo/a", "acme/engine"]),
        ("search=ENGINE", ["acme/engine", "octo/engine"]),
        ("search=octo%2F&sort=stars", ["octo/engine", "octo/a"]),
        ("search=nothing", []),
        ("status=ERROR&sort=stars", []),
    ],
)
def test_repositories_are_searched_and_ordered_page_by_page(
    several: ApiClient, question: str, names: list[str]
) -> None:
    assert pages(several, question) == names


@pytest.mark.parametrize("other", ["sort=name&order=desc", "sort=stars&search=o", "cursor=W10="])
def test_a_cursor_of_another_list_is_refused(several: ApiClient, other: str) -> None:
    cursor = several.get(f"{ADDRESS}?limit=1&sort=stars").get_json()["links"]["next"]
    cursor = cursor.rpartition("cursor=")[2]
    asked = other if other.startswith("cursor") else f"{other}&cursor={cursor}"
    answer = several.get(f"{ADDRESS}?limit=1&{asked}&{'sort=stars' if asked == other else ''}")
    assert answer.status_code == 400
    assert answer.get_json()["details"]["field"] == "cursor"
