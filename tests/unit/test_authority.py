"""Which source counts when, from what was read and measured."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.authority import (
    ARCHIVE_ALONE,
    Authority,
    Month,
    Span,
    as_json,
    decide,
    from_json,
    sources_parameter,
)
from shared.models import Kind, iso
from shared.recounts import Recounted, recounted, texts_of
from shared.sync_state import Reading, Stream, SyncState

NONE_CAPTURED: frozenset[datetime] = frozenset()


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def state(since: str, through: str | None, **other: str | None) -> SyncState:
    """A repository of which every list was read over the same span, but for ``other`` ends."""
    readings = {}
    for stream in Stream:
        end = other.get(stream.value, through)
        readings[stream] = Reading(since=iso(at(since)), through=end and iso(at(end)))
    return SyncState(repo_id=1, node_id="R_1", number=1, readings=readings)


def days(authority: Authority, kind: Kind = Kind.PR_OPENED) -> list[tuple[str, str]]:
    return [(f"{s.start:%m-%d}", f"{s.end:%m-%d}") for s in authority.days_of(kind)]


def month(text: str, numbers: int, seen: int, unknown_pushes: int = 0) -> Month:
    return Month(at(text), numbers, seen, unknown_pushes)


READ = state("2026-01-10 06:00", "2026-03-05 14:20")


def test_the_months_that_the_archive_saw_nearly_whole_are_its_own() -> None:
    months = [month("2026-01-01", 100, 98), month("2026-02-01", 100, 99), month("2026-03-01", 9, 1)]
    found = decide(READ, months, NONE_CAPTURED, "measured")
    assert days(found) == [("01-11", "02-01"), ("03-01", "03-06")]


@pytest.mark.parametrize(
    ("numbers", "dropped", "githubs"),
    [(100, 1, False), (100, 2, True), (99, 1, True), (1, 0, False)],
)
def test_of_n_numbers_with_k_dropped_n_less_k_were_seen(
    numbers: int, dropped: int, githubs: bool
) -> None:
    months = [month("2026-02-01", numbers, numbers - dropped)]
    found = decide(state("2026-02-01", "2026-03-01"), months, NONE_CAPTURED, "measured")
    assert bool(found.spans) is githubs


def test_a_month_without_numbers_is_the_archives_if_all_its_hours_were_captured() -> None:
    read = state("2026-02-01", "2026-03-01")
    hours = frozenset(at("2026-02-01") + n * timedelta(hours=1) for n in range(28 * 24))
    assert decide(read, [], hours, "measured").spans == ()
    one_less = hours - {at("2026-02-14 03:00")}
    assert days(decide(read, [], one_less, "measured")) == [("02-01", "03-01")]


def test_commits_are_githubs_wherever_a_push_does_not_say_how_many_it_brought() -> None:
    months = [month("2026-01-01", 10, 10), month("2026-02-01", 10, 10, unknown_pushes=1)]
    found = decide(state("2026-01-01", "2026-03-01"), months, NONE_CAPTURED, "measured")
    assert days(found, Kind.COMMIT) == [("02-01", "03-01")]
    assert days(found) == []


def test_the_setting_overrides_what_was_measured() -> None:
    months = [month("2026-02-01", 10, 10)]
    assert decide(READ, months, NONE_CAPTURED, "archive").spans == ()
    assert decide(READ, months, NONE_CAPTURED, "archive").until is None
    assert days(decide(READ, months, NONE_CAPTURED, "github")) == [("01-11", "03-06")]


def test_a_kind_is_githubs_only_where_all_its_lists_were_read() -> None:
    read = state("2026-01-01", "2026-02-01", commit_comments=None, releases="2026-01-05")
    found = decide(read, [], NONE_CAPTURED, "github")
    assert days(found, Kind.COMMENT) == []
    assert days(found, Kind.RELEASE) == [("01-01", "01-05")]
    assert found.until is None
    assert found.of_all_kinds == ()


def test_github_was_read_up_to_the_end_of_an_hour_by_all_its_lists() -> None:
    assert decide(READ, [], NONE_CAPTURED, "github").until == at("2026-03-05 15:00")
    uneven = state("2026-01-10", "2026-03-05 14:20", issues="2026-03-04 02:00")
    assert decide(uneven, [], NONE_CAPTURED, "github").until == at("2026-03-04 02:00")
    # The last month is the archive's: what GitHub knows beyond January counts for nothing.
    months = [month("2026-02-01", 5, 5), month("2026-03-01", 5, 5)]
    assert decide(READ, months, NONE_CAPTURED, "measured").until == at("2026-02-01")


def test_what_was_read_of_less_than_a_day_is_no_day() -> None:
    found = decide(state("2026-01-10 06:00", "2026-01-10 09:00"), [], NONE_CAPTURED, "github")
    assert (found.spans, found.until) == ((), None)


def test_the_spans_of_all_kinds_end_where_one_of_them_ends() -> None:
    spans = [Span(kind, at("2026-01-01"), at("2026-02-01")) for kind in Kind if kind != "COMMIT"]
    spans += [Span(Kind.COMMIT, at("2026-01-05"), at("2026-01-20"))]
    assert Authority(tuple(spans)).of_all_kinds == ((at("2026-01-05"), at("2026-01-20")),)
    assert ARCHIVE_ALONE.of_all_kinds == ()


_moments = st.datetimes(datetime(2025, 1, 1), datetime(2026, 6, 1), timezones=st.just(UTC))  # noqa: DTZ001
_months = st.lists(
    st.tuples(st.integers(1, 12), st.integers(0, 50), st.integers(0, 50)), max_size=12
)


@given(_moments, _moments, _months, st.sampled_from(["measured", "github"]))
def test_spans_are_whole_days_of_what_was_read_and_never_overlap(
    since: datetime, through: datetime, measured: list[tuple[int, int, int]], source: str
) -> None:
    readings = {s: Reading(since=iso(since), through=iso(through)) for s in Stream}
    read = SyncState(repo_id=1, node_id="R_1", number=1, readings=readings)
    months = [Month(datetime(2025, m, 1, tzinfo=UTC), n, min(n, k)) for m, n, k in measured]
    found = decide(read, months, NONE_CAPTURED, "measured" if source == "measured" else "github")
    for kind in Kind:
        spans = found.days_of(kind)
        assert all(a.end < b.start for a, b in pairwise(spans))
        for span in spans:
            assert since <= span.start < span.end < through + timedelta(days=1)
            assert {span.start.hour, span.end.hour, span.start.minute, span.end.minute} == {0}
    assert from_json(json.loads(json.dumps(as_json(found)))) == found


def test_crediting_takes_spans_in_microseconds() -> None:
    span = Span(Kind.COMMIT, at("1970-01-02"), at("1970-01-03"))
    assert json.loads(sources_parameter({7: Authority((span,)), 8: ARCHIVE_ALONE})) == [
        {"repo_id": 7, "kind": "COMMIT", "from": 86_400_000_000, "until": 172_800_000_000}
    ]


# --- recounts ---------------------------------------------------------------------------------

ALL = tuple(Span(kind, at("2026-01-05"), at("2026-01-20")) for kind in Kind)


def told(*texts: str) -> tuple[Recounted, ...]:
    return tuple(
        Recounted(start=iso(at(a)), end=iso(at(b))) for a, b in (t.split("/") for t in texts)
    )


def test_what_another_source_counts_for_now_was_recounted() -> None:
    end = iso(at("2026-02-01"))
    before, after = {"1": texts_of(())}, {"1": texts_of(ALL)}
    assert recounted(before, after, None, end) == told("2026-01-05/2026-01-20")
    assert recounted(after, before, None, end) == told("2026-01-05/2026-01-20")
    assert recounted(after, after, None, end) == ()


def test_only_days_of_the_window_and_of_the_board_before_were_recounted() -> None:
    before, after = {"1": texts_of(())}, {"1": texts_of(ALL)}
    start, end = iso(at("2026-01-10")), iso(at("2026-01-15"))
    assert recounted(before, after, start, end) == told("2026-01-10/2026-01-15")
    longer = {"1": texts_of(Span(kind, at("2026-01-05"), at("2026-01-30")) for kind in Kind)}
    assert recounted(after, longer, None, iso(at("2026-01-20"))) == ()


def test_one_kind_is_enough_and_a_new_repository_is_no_recount() -> None:
    less = {"1": texts_of(span for span in ALL if span.kind is not Kind.COMMIT)}
    end = iso(at("2026-02-01"))
    assert recounted(less, {"1": texts_of(ALL)}, None, end) == told("2026-01-05/2026-01-20")
    assert recounted({}, {"1": texts_of(ALL)}, None, end) == ()


def test_recounts_of_several_repositories_are_told_as_one() -> None:
    one = texts_of(Span(kind, at("2026-01-05"), at("2026-01-08")) for kind in Kind)
    other = texts_of(Span(kind, at("2026-01-07"), at("2026-01-09")) for kind in Kind)
    found = recounted({"1": (), "2": ()}, {"1": one, "2": other}, None, iso(at("2026-02-01")))
    assert found == told("2026-01-05/2026-01-09")
