"""Boards over any span of time."""

from __future__ import annotations

import pytest

from shared.auth import Role
from shared.custom_range import LONGEST
from tests.functions.conftest import World
from tests.support.api_client import ApiClient
from tests.support.lines import ANA, WHEELS, day, push

ENGINE_BOARD = "/api/v1/leaderboard/octo/engine"
GLOBAL_BOARD = "/api/v1/leaderboard/global"
EVERYTHING = "start=2015-01-01&end=2025-03-12T13:00:00Z"


@pytest.mark.parametrize("board", [ENGINE_BOARD, GLOBAL_BOARD])
@pytest.mark.parametrize("choice", ["class=human", "class=all", "sort=username&class=bot"])
def test_a_range_over_everything_is_the_published_board(
    api: ApiClient, board: str, choice: str
) -> None:
    published = api.get(f"{board}?{choice}&page_size=100").get_json()
    counted = api.get(f"{board}?{EVERYTHING}&{choice}&page_size=100").get_json()
    still = {"change": "none", "by": 0, "previous": None}
    assert counted["data"] == [{**row, "movement": still} for row in published["data"]]
    assert counted["meta"]["receipt"]["board"] == published["meta"]["receipt"]["board"]
    receipts = [answer["meta"]["receipt"]["inputs"] for answer in (counted, published)]
    assert receipts[0]["facts"] == receipts[1]["facts"]
    assert receipts[0]["window"] == "custom"


def test_the_end_of_a_range_is_not_in_it(api: ApiClient) -> None:
    def score_of_ben(span: str) -> float:
        rows = api.data(f"{ENGINE_BOARD}?{span}&search=ben")
        return float(rows[0]["score"]) if rows else 0.0

    assert score_of_ben("start=2025-03-12&end=2025-03-12T12:00:00Z") == 0
    assert score_of_ben("start=2025-03-12&end=2025-03-12T12:00:01Z") == 30
    assert score_of_ben("start=2025-03-12T12:00:00Z&end=2025-03-13") == 30
    assert score_of_ben("start=2025-03-12T14:00:00%2B02:00&end=2025-03-13") == 30


def test_a_range_outside_what_was_captured_is_empty_and_says_so(api: ApiClient) -> None:
    for span in ("start=2016-01-01&end=2016-01-02", "start=2031-01-01&end=2031-01-02"):
        answer = api.get(f"{ENGINE_BOARD}?{span}").get_json()
        assert answer["data"] == []
        assert answer["meta"]["total"] == answer["meta"]["total_pages"] == 0
        coverage = answer["meta"]["coverage"]
        assert (coverage["hours_captured"], coverage["hours_expected"]) == (0, 24)
        assert coverage["complete"] is False
        assert coverage["holes"][0]["reason"] == "not captured"
        assert coverage["captured_until"] == "2025-03-12T13:00:00.000000Z"


def test_a_range_within_an_hour_is_as_complete_as_that_hour(api: ApiClient) -> None:
    span = "start=2025-03-12T12:10:00Z&end=2025-03-12T12:20:00Z"
    coverage = api.get(f"{ENGINE_BOARD}?{span}").get_json()["meta"]["coverage"]
    assert (coverage["hours_captured"], coverage["hours_expected"]) == (1, 1)
    assert coverage["start"] == "2025-03-12T12:10:00.000000Z"
    missed = "start=2026-03-12T12:10:00Z&end=2026-03-12T12:20:00Z"
    assert not api.get(f"{ENGINE_BOARD}?{missed}").get_json()["meta"]["coverage"]["complete"]


@pytest.mark.parametrize(
    ("query", "field", "remedy"),
    [
        ("start=2025-03-12&end=2025-03-12", "end", "later than start"),
        ("start=2025-03-13&end=2025-03-12", "end", "later than start"),
        ("start=2014-12-31&end=2025-01-01", "start", "Begin there or later"),
        ("start=2025-01-01", "end", "Add end"),
        ("end=2025-01-01", "start", "Add start"),
        ("start=2015-01-01&end=9999-12-31", "end", f"{LONGEST.days} days"),
        ("start=9999-12-31T23:59:59-23:00&end=2025-01-01", "start", "2025-03-20"),
        ("start=yesterday&end=2025-01-01", "start", "2025-03-20"),
        ("start=2025-13-01&end=2025-01-01", "start", "2025-03-20"),
        ("start=2025-01-01T00:00:00&end=2025-01-02", "start", "2025-03-20T00:00:00Z"),
        ("start=2025-01-01T00:00:00+01:00&end=2025-01-02", "start", "%2B"),
        ("start=1735689600&end=1735776000", "start", "2025-03-20"),
        ("start=2025-01-01&end=2025-01-02&window=30d", "window", "Leave window out"),
        ("start=2025-01-01&end=2025-01-02&generation=" + "0" * 24, "generation", "out"),
    ],
)
def test_a_range_that_cannot_be_is_refused_with_the_remedy(
    api: ApiClient, query: str, field: str, remedy: str
) -> None:
    answer = api.get(f"{ENGINE_BOARD}?{query}")
    assert answer.status_code == 400
    body = answer.get_json()
    assert body["error"] == "invalid_request"
    assert body["details"]["field"] == field
    assert remedy in body["message"]


def test_pages_of_a_range_are_not_pinned_to_a_generation(api: ApiClient) -> None:
    links = api.get(f"{ENGINE_BOARD}?{EVERYTHING}&page_size=2").get_json()["links"]
    assert "generation" not in links["next"]
    assert api.get(links["next"]).get_json()["data"][0]["rank"] == 3


def test_a_range_is_counted_once_until_its_facts_change(engine: World) -> None:
    api = engine.client()
    span = "start=2025-01-01&end=2026-01-01"

    def statements() -> int:
        return sum(
            use.statement == "count_standings"
            for use in engine.services.warehouse.ledger(engine.clock.now.replace(year=2020), 1000)
        )

    first = api.get(f"{ENGINE_BOARD}?{span}")
    counted = statements()
    again = api.get(f"{ENGINE_BOARD}?{span}&page=2&page_size=1&sort=COMMIT")
    assert statements() == counted
    assert again.get_json()["meta"]["generation"] == first.get_json()["meta"]["generation"]
    engine.ingest("more.json.gz", [push(901, day(14), ANA, push_id=901, distinct_size=50)])
    engine.client(engine.key(Role.ADMIN)).post("/api/v1/repositories/octo/engine/scrape")
    engine.work()
    later = api.get(f"{ENGINE_BOARD}?{span}").get_json()
    assert later["data"][0]["counts"]["COMMIT"] == 50
    assert later["meta"]["generation"] != first.get_json()["meta"]["generation"]


def test_a_global_range_is_as_complete_as_the_least_of_its_repositories(engine: World) -> None:
    engine.ingest("later.json.gz", [push(902, day(14), ANA, push_id=902, distinct_size=1)])
    engine.register(WHEELS)
    span = "start=2025-03-14T12:00:00Z&end=2025-03-14T13:00:00Z"
    api = engine.client()
    wheels = api.get(f"/api/v1/leaderboard/octo/wheels?{span}").get_json()["meta"]["coverage"]
    assert wheels["hours_captured"] == 1
    # Engine was scraped before that hour was captured.
    counted = api.get(f"{ENGINE_BOARD}?{span}").get_json()["meta"]["coverage"]
    assert counted["hours_captured"] == 0
    together = api.get(f"{GLOBAL_BOARD}?{span}").get_json()["meta"]["coverage"]
    assert together["hours_captured"] == 0
    assert together["captured_until"] == "2025-03-12T13:00:00.000000Z"


def test_without_anything_scraped_there_is_no_range_either(fresh: World) -> None:
    answer = fresh.client().get(f"{GLOBAL_BOARD}?{EVERYTHING}")
    assert answer.status_code == 404
    assert "scraped" in answer.get_json()["message"]
