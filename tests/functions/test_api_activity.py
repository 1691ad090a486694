"""Somebody over time and over repositories, through the API."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from shared.activity_facts import ActivityFacts
from shared.auth import Role
from shared.errors import NotFound
from tests.functions.conftest import World
from tests.support.api_client import ApiClient
from tests.support.apps import app_over
from tests.support.lines import BEN, ENGINE, WHEELS, day, push

BEN_ACTIVITY = "/api/v1/contributors/ben/activity"
MARCH = "start_date=2025-03-01&end_date=2025-03-12"


def test_days_without_anything_are_zeros_and_say_whether_they_are_known(api: ApiClient) -> None:
    found = api.data(f"{BEN_ACTIVITY}?{MARCH}&group_by=day")
    days = {period["period"]: period for period in found["timeline"]}
    assert list(days) == [f"2025-03-{number:02}" for number in range(1, 13)]
    assert (days["2025-03-10"]["contributions"], days["2025-03-10"]["covered"]) == (1, True)
    assert (days["2025-03-05"]["contributions"], days["2025-03-05"]["covered"]) == (0, True)
    assert (days["2025-03-07"]["contributions"], days["2025-03-07"]["covered"]) == (0, False)
    # Of the last day the hours up to 13:00 are known.
    assert (days["2025-03-12"]["contributions"], days["2025-03-12"]["covered"]) == (4, False)


def test_the_summary_is_what_the_days_say(api: ApiClient) -> None:
    answer = api.get(f"{BEN_ACTIVITY}?{MARCH}&group_by=week").get_json()
    summary = answer["data"]["summary"]
    assert summary["contributions"] == 1 + 1 + 4 + 4
    assert summary["most_active_day"] == {"when": "2025-03-11", "contributions": 4}
    assert summary["most_active_weekday"] == {"when": "tuesday", "contributions": 4}
    assert summary["most_active_month"] == {"when": "2025-03", "contributions": 10}
    streak = {"days": 3, "start": "2025-03-10", "end": "2025-03-12"}
    assert summary["longest_streak"] == summary["current_streak"] == streak
    assert (summary["trend"]["first_half"], summary["trend"]["last_half"]) == (1, 9)
    assert (summary["trend"]["change_percent"], summary["trend"]["direction"]) == (800, "rising")
    assert summary["trend"]["covered"] is False
    assert answer["meta"]["captured_until"] == "2025-03-12T13:00:00.000000Z"


@pytest.mark.parametrize("grouping", ["day", "week", "month"])
def test_periods_kinds_and_repositories_add_up_to_the_same(api: ApiClient, grouping: str) -> None:
    span = "start_date=2024-02-01&end_date=2025-03-12"
    found = api.data(f"{BEN_ACTIVITY}?{span}&group_by={grouping}")
    by_period: Counter[str] = Counter()
    by_repository: Counter[str] = Counter()
    for period in found["timeline"]:
        by_period.update(period["counts"])
    for part in found["by_repository"]:
        by_repository.update(part["counts"])
    assert by_period == by_repository == Counter({k["kind"]: k["count"] for k in found["by_kind"]})
    (row,) = api.data("/api/v1/leaderboard/global?search=ben")
    assert by_period == Counter({kind: n for kind, n in row["counts"].items() if n})
    assert found["summary"]["score"] == row["score"]
    assert found["summary"]["points"] == sum(p["points"] for p in found["timeline"])


def test_one_repository_alone_can_be_looked_at(api: ApiClient) -> None:
    found = api.data(f"{BEN_ACTIVITY}?{MARCH}&repository=octo/wheels")
    assert [part["repository"] for part in found["by_repository"]] == ["octo/wheels"]
    assert found["summary"]["contributions"] == 5
    assert [period["period"] for period in found["timeline"]] == ["2025-03"]


def test_without_days_it_is_the_year_up_to_what_was_captured(api: ApiClient) -> None:
    meta = api.get(BEN_ACTIVITY).get_json()["meta"]
    assert (meta["start_date"], meta["end_date"]) == ("2024-03-13", "2025-03-12")
    assert meta["group_by"] == "month"
    later = api.get(f"{BEN_ACTIVITY}?start_date=2025-06-01&group_by=day").get_json()
    assert [p["covered"] for p in later["data"]["timeline"]] == [False]


def test_nobody_of_that_name_is_said_so(api: ApiClient) -> None:
    for rest in ("activity", "repositories"):
        answer = api.get(f"/api/v1/contributors/nobody-here/{rest}")
        assert answer.status_code == 404
        assert "nobody-here" in answer.get_json()["message"]


def test_of_somebody_anonymous_no_day_is_told(team: World) -> None:
    with pytest.raises(NotFound, match="anonymous"):
        ActivityFacts().read(team.services, -5, (), date(2025, 3, 1), date(2025, 3, 2))


def test_on_google_cloud_activity_needs_a_key_and_places_do_not(team: World) -> None:
    settings = team.services.settings.model_copy(update={"backend": "gcp"})
    app = app_over(lambda: replace(team.services, settings=settings))
    assert ApiClient(app).get(BEN_ACTIVITY).status_code == 401
    assert ApiClient(app, team.key(Role.READONLY)).get(BEN_ACTIVITY).status_code == 200
    assert ApiClient(app).get("/api/v1/contributors/ben/repositories").status_code == 200


def test_activity_is_counted_once_until_its_facts_change(engine: World) -> None:
    api = engine.client()

    def statements() -> int:
        since = datetime(2020, 1, 1, tzinfo=UTC)
        runs = engine.services.warehouse.ledger(since, 1000)
        return sum(run.statement == "tally_contributor" for run in runs)

    first = api.get(f"{BEN_ACTIVITY}?{MARCH}")
    again = api.get(f"{BEN_ACTIVITY}?{MARCH}&group_by=day").get_json()
    assert statements() == 1
    assert again["data"]["summary"] == first.get_json()["data"]["summary"]
    engine.ingest("more.json.gz", [push(901, day(12), BEN, push_id=901, distinct_size=50)])
    engine.client(engine.key(Role.ADMIN)).post("/api/v1/repositories/octo/engine/scrape")
    engine.work()
    later = api.data(f"{BEN_ACTIVITY}?{MARCH}")
    assert statements() == 2
    assert later["by_kind"][0] == {"kind": "COMMIT", "count": 53, "points": 530}


def test_places_are_those_of_the_boards_a_stretch_of_repositories_at_a_time(
    api: ApiClient,
) -> None:
    whole = api.get("/api/v1/contributors/BEN/repositories?window=30d").get_json()
    assert [place["repository"] for place in whole["data"]] == [ENGINE.name, WHEELS.name]
    for place in whole["data"]:
        board = f"/api/v1/leaderboard/{place['repository']}?window=30d&search=ben"
        assert api.data(board) == [place["row"]]
    assert (whole["meta"]["looked_at"], whole["links"]["next"]) == (2, None)
    first = api.get("/api/v1/contributors/ben/repositories?window=30d&limit=1").get_json()
    second = api.get(first["links"]["next"]).get_json()
    assert first["data"] + second["data"] == whole["data"]
    assert second["links"]["next"] is None
