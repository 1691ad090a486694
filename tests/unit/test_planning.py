"""Which tables are read, in which order, within which budget."""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.planning import days_between, last_final_day, plan, tables_for, wanted_days
from shared.ports import ArchiveTable

TODAY = date(2026, 3, 10)
DAY_BYTES = 100


def day_table(day: date) -> ArchiveTable:
    return ArchiveTable(f"day.{day:%Y%m%d}", day, day, DAY_BYTES)


def month_table(year: int, month: int) -> ArchiveTable:
    last = calendar.monthrange(year, month)[1]
    return ArchiveTable(
        f"month.{year}{month:02d}", date(year, month, 1), date(year, month, last), DAY_BYTES * last
    )


def all_tables(first: date, last: date) -> list[ArchiveTable]:
    """Every day table of these days, and the month tables that lie within them whole."""
    days = days_between(first, last)
    months = {(d.year, d.month) for d in days}
    whole = [month_table(*m) for m in months]
    return [day_table(d) for d in days] + [t for t in whole if first <= t.first and t.last <= last]


def cost(table: ArchiveTable) -> int:
    return table.size_bytes


@pytest.mark.parametrize(
    ("now", "settles", "expected"),
    [
        (datetime(2026, 3, 10, 2, 0, tzinfo=UTC), 2, date(2026, 3, 9)),
        (datetime(2026, 3, 10, 1, 59, tzinfo=UTC), 2, date(2026, 3, 8)),
        (datetime(2026, 3, 10, 23, 59, tzinfo=UTC), 0, date(2026, 3, 9)),
        (datetime(2026, 1, 1, 12, tzinfo=UTC), 36, date(2025, 12, 30)),
    ],
)
def test_a_day_is_read_when_its_table_grows_no_more(
    now: datetime, settles: int, expected: date
) -> None:
    assert last_final_day(now, settles) == expected


def test_two_years_are_wanted_and_nothing_without_a_repository() -> None:
    days = wanted_days(TODAY, 730, [None])
    assert (days[0], days[-1], len(days)) == (date(2024, 3, 11), TODAY, 730)
    assert wanted_days(TODAY, 730, []) == ()


def test_a_scrape_never_goes_behind_the_day_that_a_repository_names() -> None:
    assert wanted_days(TODAY, 730, [date(2026, 3, 1)])[0] == date(2026, 3, 1)
    assert wanted_days(TODAY, 30, [date(2020, 1, 1)])[0] == date(2026, 2, 9)
    assert wanted_days(TODAY, 730, [date(2026, 3, 1), None])[0] == date(2024, 3, 11)


def test_nothing_is_wanted_from_before_2015() -> None:
    assert wanted_days(date(2016, 1, 1), 5000, [None])[0] == date(2015, 1, 1)


def test_whole_months_are_read_from_month_tables_and_the_rest_by_days_newest_first() -> None:
    days = days_between(date(2026, 1, 30), TODAY)
    chosen = tables_for(days, all_tables(date(2026, 1, 1), date(2026, 3, 31)))
    names = [table.name for table in chosen]
    assert names[:2] == ["day.20260310", "day.20260309"]
    assert names[10:] == ["month.202602", "day.20260131", "day.20260130"]


def test_a_month_of_which_a_day_was_read_is_taken_by_days() -> None:
    tables = all_tables(date(2026, 2, 1), date(2026, 2, 28))
    found = plan(
        days_between(date(2026, 2, 1), date(2026, 2, 28)), [date(2026, 2, 5)], tables, cost, 10**9
    )
    assert {p.table.name for p in found.now} == {
        f"day.202602{d:02d}" for d in range(1, 29) if d != 5
    }


def test_what_does_not_fit_today_waits_newest_first() -> None:
    tables = all_tables(date(2026, 2, 1), TODAY)
    wanted = days_between(date(2026, 2, 1), TODAY)
    found = plan(wanted, [], tables, cost, DAY_BYTES * 13 + 50)
    assert [p.table.name for p in found.now][:1] == ["day.20260310"]
    assert len(found.now) == 13
    assert found.now[-1].table.name == "day.20260226"  # February did not fit: it is taken by days
    assert found.waiting[0] == date(2026, 2, 25)


def test_no_more_tables_are_chosen_than_a_slice_takes() -> None:
    tables = all_tables(date(2026, 3, 1), TODAY)
    found = plan(days_between(date(2026, 3, 1), TODAY), [], tables, cost, 10**9, most=5)
    assert len(found.now) == 5
    assert len(found.waiting) == 5


def test_a_day_without_a_table_is_a_hole_of_the_archive() -> None:
    tables = [day_table(date(2026, 3, 10)), day_table(date(2026, 3, 8))]
    found = plan(days_between(date(2026, 3, 8), TODAY), [], tables, cost, 10**9)
    assert found.missing == (date(2026, 3, 9),)
    assert found.waiting == ()


def test_only_tables_that_could_be_next_are_asked_for_their_cost() -> None:
    asked: list[str] = []

    def counted(table: ArchiveTable) -> int:
        asked.append(table.name)
        return table.size_bytes

    plan(
        days_between(date(2025, 1, 1), TODAY), [], all_tables(date(2025, 1, 1), TODAY), counted, 250
    )
    assert asked == ["day.20260310", "day.20260309", "day.20260308"]


@given(
    first=st.dates(date(2024, 1, 1), date(2024, 6, 1)),
    length=st.integers(1, 200),
    read=st.sets(st.integers(0, 200)),
    budget=st.integers(0, 30_000),
    absent=st.sets(st.integers(0, 200)),
)
def test_every_day_is_bought_once_or_waits_or_is_a_hole(
    first: date, length: int, read: set[int], budget: int, absent: set[int]
) -> None:
    wanted = days_between(first, first + timedelta(days=length - 1))
    gone = {first + timedelta(days=n) for n in absent}
    have = {first + timedelta(days=n) for n in read}
    tables = [t for t in all_tables(wanted[0], wanted[-1]) if not gone & covered([t])]
    found = plan(wanted, have, tables, cost, budget)
    bought = [day for p in found.now for day in days_between(p.table.first, p.table.last)]
    assert len(bought) == len(set(bought))
    assert found.bytes_now <= budget
    parts = (set(bought), set(found.waiting), set(found.missing), have & set(wanted))
    assert set().union(*parts) == set(wanted)
    assert sum(map(len, parts)) == len(wanted)
    assert not bought or not found.waiting or min(bought) > max(found.waiting)


def covered(tables: Iterable[ArchiveTable]) -> set[date]:
    return {day for table in tables for day in days_between(table.first, table.last)}
