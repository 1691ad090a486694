"""What was captured and what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from infra.archive_report import Report
from shared.authority import ARCHIVE_ALONE, Authority, Month, Span
from shared.coverage import (
    HOUR,
    MAX_HOLES,
    Captured,
    Coverage,
    Gap,
    captured,
    measure,
    together,
    with_github,
)
from shared.models import Kind, Window, iso
from shared.ports import Json, Unit
from shared.source_days import Completeness, Days
from shared.tables import Dataset

MIDNIGHT = datetime(2024, 3, 20, tzinfo=UTC)
NO_GAPS = pa.table({"window_name": pa.array([], pa.string())})


def hours(begin: datetime, count: int) -> list[datetime]:
    return [begin + n * HOUR for n in range(count)]


def unit(
    seen: list[datetime],
    *,
    claims: tuple[datetime, datetime] | None = None,
    last_at: datetime | None = None,
    broken: dict[str, int] | None = None,
    refused: int = 0,
) -> Unit:
    """A file with events in these hours. ``claims`` is what its name says, else what it holds."""
    borders = claims or ((min(seen), max(seen) + HOUR) if seen else None)
    report = Report(
        lines=0,
        events=0,
        ignored={},
        broken=broken or {},
        before_2015=refused,
        from_future=0,
        hours=dict.fromkeys(seen, 1),
        first_at=min(seen, default=None),
        last_at=(last_at or max(seen) + HOUR / 2) if seen else None,
        bytes_read=0,
        sha256="",
        truncated=False,
    )
    noted: Json = [iso(border) for border in borders] if borders else None
    return Unit(Dataset.EVENTS, "unit", 1, "digest", {**report.as_json(), "claims": noted})


def hour_file(hour: datetime) -> Unit:
    return unit([hour], claims=(hour, hour + HOUR))


def coverage(
    units: list[Unit], *, start: datetime | None = None, end: datetime | None = None
) -> Coverage:
    held = captured(units)
    assert held.as_of is not None
    return measure(Window("w", start, end or held.as_of), held, NO_GAPS)


def spans(found: Coverage) -> list[tuple[str, str]]:
    return [(hole.start, hole.end) for hole in found.holes]


# --- captured ---------------------------------------------------------------------------------


def test_files_named_by_their_hour_cover_those_hours() -> None:
    held = captured([hour_file(hour) for hour in hours(MIDNIGHT, 3)])
    assert held.hours == frozenset(hours(MIDNIGHT, 3))
    assert held.begin == MIDNIGHT
    assert held.as_of == MIDNIGHT + 3 * HOUR


def test_a_file_named_by_its_hour_covers_it_whatever_strays_into_it() -> None:
    stray = unit([MIDNIGHT, MIDNIGHT + HOUR], claims=(MIDNIGHT, MIDNIGHT + HOUR))
    assert captured([stray]).hours == {MIDNIGHT}


def test_any_other_file_covers_the_days_of_which_it_has_rows_within_its_borders() -> None:
    first, third = MIDNIGHT + 20 * HOUR, MIDNIGHT + timedelta(days=2, hours=3)
    held = captured([unit([first, third])])
    assert held.hours == {*hours(first, 4), *hours(MIDNIGHT + timedelta(days=2), 4)}


def test_a_day_without_a_row_is_a_hole_in_such_a_file() -> None:
    found = coverage([unit([MIDNIGHT, MIDNIGHT + timedelta(days=2, hours=23)])])
    assert spans(found) == [(iso(MIDNIGHT + timedelta(days=1)), iso(MIDNIGHT + timedelta(days=2)))]
    assert (found.hours_captured, found.hours_expected) == (48, 72)


def test_the_as_of_time_is_the_end_of_the_hour_of_the_last_event_of_any_file() -> None:
    late = unit([MIDNIGHT + 5 * HOUR], last_at=MIDNIGHT + timedelta(hours=5, minutes=59))
    assert captured([late, hour_file(MIDNIGHT)]).as_of == MIDNIGHT + 6 * HOUR
    exact = unit([MIDNIGHT], last_at=MIDNIGHT)
    assert captured([exact]).as_of == MIDNIGHT + HOUR


def test_files_without_an_event_cover_nothing_and_their_lines_are_counted() -> None:
    empty = unit([], broken={"not_json": 2, "no_id": 3}, refused=7)
    assert captured([empty]) == Captured(frozenset(), None, broken=5, refused=7)
    assert captured([]) == Captured(frozenset(), None)
    both = captured([empty, hour_file(MIDNIGHT), empty])
    assert (both.broken, both.refused, both.as_of) == (10, 14, MIDNIGHT + HOUR)


# --- measured ---------------------------------------------------------------------------------


def test_holes_are_the_hours_between_that_nobody_captured() -> None:
    kept = [hour for hour in hours(MIDNIGHT, 10) if hour.hour not in {0, 3, 4, 7}]
    found = coverage([hour_file(hour) for hour in kept], start=MIDNIGHT)
    assert spans(found) == [
        (iso(MIDNIGHT), iso(MIDNIGHT + HOUR)),
        (iso(MIDNIGHT + 3 * HOUR), iso(MIDNIGHT + 5 * HOUR)),
        (iso(MIDNIGHT + 7 * HOUR), iso(MIDNIGHT + 8 * HOUR)),
    ]
    assert {hole.reason for hole in found.holes} == {"not captured"}
    assert (found.hours_captured, found.hours_expected, found.percent) == (6, 10, "60.00")
    assert not found.complete


def test_a_hole_at_the_end_of_the_window_is_one_too() -> None:
    found = coverage([hour_file(MIDNIGHT)], end=MIDNIGHT + 3 * HOUR)
    assert spans(found) == [(iso(MIDNIGHT + HOUR), iso(MIDNIGHT + 3 * HOUR))]


def test_known_outages_of_the_archive_are_holes_of_their_own() -> None:
    begin = datetime(2021, 8, 24, 22, tzinfo=UTC)
    found = coverage([hour_file(begin)], end=datetime(2021, 8, 28, 2, tzinfo=UTC))
    assert [(hole.end, hole.reason) for hole in found.holes] == [
        ("2021-08-25T00:00:00.000000Z", "not captured"),
        ("2021-08-28T00:00:00.000000Z", "known outage of the archive"),
        ("2021-08-28T02:00:00.000000Z", "not captured"),
    ]


def test_no_file_of_several_days_claims_the_hours_of_a_known_outage() -> None:
    day = datetime(2020, 8, 21, tzinfo=UTC)
    found = coverage([unit([day, day + 23 * HOUR])])
    assert (found.hours_captured, found.hours_expected) == (9, 24)
    assert [hole.reason for hole in found.holes] == ["known outage of the archive"]


def test_many_holes_are_listed_so_far_and_counted_beyond() -> None:
    every_other = [hour_file(hour) for hour in hours(MIDNIGHT, 2 * MAX_HOLES + 21)[::2]]
    found = coverage(every_other)
    assert (len(found.holes), found.more_holes) == (MAX_HOLES, 10)


@pytest.mark.parametrize(
    ("kept", "of", "percent"),
    [(2, 3, "66.66"), (1, 3, "33.33"), (3, 3, "100.00"), (99, 720, "13.75")],
)
def test_the_percent_is_cut_not_rounded(kept: int, of: int, percent: str) -> None:
    found = coverage([hour_file(hour) for hour in hours(MIDNIGHT, kept)], end=MIDNIGHT + of * HOUR)
    assert found.percent == percent


def test_nearly_everything_is_not_everything() -> None:
    two_years = hours(MIDNIGHT, 2 * 366 * 24)
    found = coverage([hour_file(hour) for hour in two_years if hour != two_years[9999]])
    assert (found.percent, found.complete) == ("99.99", False)


def test_a_window_without_start_begins_with_what_was_captured() -> None:
    found = coverage([hour_file(hour) for hour in hours(MIDNIGHT, 24)])
    assert (found.start, found.captured_from) == (None, iso(MIDNIGHT))
    assert (found.hours_expected, found.percent, found.complete) == (24, "100.00", True)


def test_what_events_do_not_know_makes_a_board_incomplete_and_is_said() -> None:
    gaps = pa.table(
        {
            "window_name": ["other", "w"],
            "pushes_without_commits": [9, 2],
            "pushes": [9, 5],
            "merges_unattributed": [9, 1],
            "merges_without_lines": [9, 3],
            "merges": [9, 4],
        }
    )
    held = captured([hour_file(MIDNIGHT)])
    found = measure(Window("w", None, MIDNIGHT + HOUR), held, gaps)
    assert (found.pushes_without_commits.unknown, found.pushes_without_commits.of) == (2, 5)
    assert (found.merges_unattributed.unknown, found.merges_unattributed.of) == (1, 4)
    assert (found.merges_without_lines.unknown, found.merges_without_lines.of) == (3, 4)
    assert (found.percent, found.complete) == ("100.00", False)
    assert [note.split(" ", 1)[0] for note in found.notes] == ["2", "1"]


@pytest.mark.parametrize(
    ("begin", "said"),
    [
        (datetime(2020, 7, 31, 23, tzinfo=UTC), ["no review events before August 2020"]),
        (datetime(2022, 1, 1, tzinfo=UTC), []),
        (datetime(2025, 6, 1, tzinfo=UTC), ["misses many events"]),
        (
            datetime(2025, 10, 20, tzinfo=UTC),
            ["misses many events", "no commits, merge authors", "a token for its API"],
        ),
    ],
)
def test_the_eras_of_the_archive_are_told(begin: datetime, said: list[str]) -> None:
    notes = coverage([hour_file(begin)]).notes
    assert len(notes) == len(said)
    assert all(words in note for words, note in zip(said, notes, strict=True))


# --- two sources ------------------------------------------------------------------------------

FROM, TO = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 21, tzinfo=UTC)


def githubs(
    start: datetime, end: datetime, *months: Month, kinds: Iterable[Kind] = Kind
) -> Authority:
    spans = tuple(Span(kind, start, end) for kind in kinds)
    return Authority(spans, spans, months, end)


def two_sources(authority: Authority, units: list[Unit], gaps: pa.Table = NO_GAPS) -> Coverage:
    return measure(Window("w", FROM, TO), with_github(captured(units), authority), gaps, authority)


def test_what_was_read_of_github_is_captured_and_no_era_of_the_archive_is_told() -> None:
    found = two_sources(githubs(FROM, TO), [])
    assert (found.source, found.percent, found.complete) == ("github", "100.00", True)
    assert found.notes == ()
    assert found.days["commits"] == Days(archive=0, github=20)


def test_each_source_is_told_by_its_days() -> None:
    border = datetime(2026, 1, 11, tzinfo=UTC)
    found = two_sources(githubs(border, TO), [hour_file(h) for h in hours(FROM, 20 * 24)])
    assert (found.source, found.percent) == ("archive and github", "100.00")
    assert {*map(str, found.days.values())} == {"archive=10 github=10"}
    assert any("no commits, merge authors" in note for note in found.notes)
    assert not any("token" in note for note in found.notes)


def test_hours_that_only_the_other_source_has_are_holes() -> None:
    border = datetime(2026, 1, 11, tzinfo=UTC)
    authority = replace(githubs(border, TO), until=TO - 3 * HOUR)
    found = two_sources(authority, [hour_file(TO - HOUR)])
    assert spans(found) == [(iso(FROM), iso(border)), (iso(TO - 3 * HOUR), iso(TO))]


def test_where_one_kind_is_the_archives_its_hours_are_needed() -> None:
    authority = githubs(FROM, TO, kinds=[kind for kind in Kind if kind is not Kind.COMMIT])
    found = two_sources(authority, [hour_file(FROM)])
    assert (found.source, found.hours_captured) == ("archive and github", 1)
    assert found.days["commits"] == Days(archive=20, github=0)
    assert found.days["pull_requests"] == Days(archive=0, github=20)


@pytest.mark.parametrize(
    ("n", "k", "percent"), [(100, 3, "97.00"), (7, 1, "85.71"), (5, 0, "100.00")]
)
def test_of_n_numbers_with_k_dropped_the_archive_has_n_less_k(n: int, k: int, percent: str) -> None:
    elsewhere = Month(datetime(2025, 11, 1, tzinfo=UTC), 50, 0)
    found = two_sources(githubs(FROM, TO, Month(FROM, n, n - k), elsewhere), [])
    assert found.archive_completeness == Completeness(seen=n - k, of=n, percent=percent)
    assert found.complete
    alone = replace(githubs(FROM, TO, Month(FROM, n, n - k)), spans=())
    lossy = two_sources(alone, [hour_file(h) for h in hours(FROM, 20 * 24)])
    assert lossy.complete is (k == 0)


def test_commits_of_no_account_and_deleted_accounts_are_counted_as_such() -> None:
    gaps = pa.table(
        {
            "window_name": ["w"],
            "commits_unlinked": [2],
            "commits": [9],
            "accounts_deleted": [1],
            "told": [30],
        }
    )
    found = two_sources(githubs(FROM, TO), [], gaps)
    assert (found.commits_unlinked, found.accounts_deleted) == (
        Gap(unknown=2, of=9),
        Gap(unknown=1, of=30),
    )
    assert [note.split(" ", 1)[0] for note in found.notes] == ["2", "1"]
    assert not found.complete


def test_several_repositories_add_up_their_days_and_numbers() -> None:
    one = two_sources(githubs(FROM, TO, Month(FROM, 10, 4)), [])
    other = two_sources(ARCHIVE_ALONE, [hour_file(h) for h in hours(FROM, 20 * 24)])
    both = together([one, other])
    assert both.source == "archive and github"
    assert both.days["issues"] == Days(archive=20, github=20)
    assert both.archive_completeness == Completeness(seen=4, of=10, percent="40.00")
    assert set(both.notes) == set(other.notes)
    assert together([one]) == one


# --- several repositories ---------------------------------------------------------------------


def test_a_board_over_several_repositories_is_as_complete_as_the_least_complete() -> None:
    whole = coverage([hour_file(hour) for hour in hours(MIDNIGHT, 4)])
    holey = coverage([hour_file(hour) for hour in hours(MIDNIGHT, 4) if hour.hour != 2])
    early = coverage([hour_file(MIDNIGHT)])
    both = together([whole, holey, early])
    assert (both.percent, both.complete, both.holes) == ("75.00", False, holey.holes)
    assert (both.end, both.captured_until) == (iso(MIDNIGHT + 4 * HOUR), iso(MIDNIGHT + HOUR))
    assert together([whole]) == whole


def test_what_several_repositories_do_not_know_adds_up() -> None:
    gaps = pa.table(
        {
            "window_name": ["w"],
            "pushes_without_commits": [2],
            "pushes": [5],
            "merges_unattributed": [0],
            "merges_without_lines": [0],
            "merges": [0],
        }
    )
    part = measure(Window("w", None, MIDNIGHT + HOUR), captured([hour_file(MIDNIGHT)]), gaps)
    both = together([part, part])
    assert (both.pushes_without_commits.unknown, both.pushes_without_commits.of) == (4, 10)
    assert not both.complete
    assert [note.split(" ", 1)[0] for note in both.notes] == ["4"]
    with pytest.raises(ValueError, match="empty"):
        together([])
