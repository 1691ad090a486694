"""Which archive tables are still to be read, in which order, and what that costs.

Pure: what is wanted, what was read and what a table costs come in, a plan comes out. A scan of a
table costs the same for one repository as for all, so a plan knows days, not repositories; the
newest days come first, since most windows are short and look back from now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from shared.models import ARCHIVE_BEGINS
from shared.ports import ArchiveTable

DAY = timedelta(days=1)


def last_final_day(now: datetime, settles_hours: int) -> date:
    """The latest day whose table does not grow any more: it ended ``settles_hours`` ago."""
    return (now - timedelta(hours=settles_hours)).date() - DAY


def wanted_days(
    last: date, history_days: int, never_before: Iterable[date | None]
) -> tuple[date, ...]:
    """The days that boards look at, up to ``last``: ``history_days`` of them (two years).

    ``never_before`` has an entry for each repository: the day that its scrapes never go behind,
    or None. Nothing is wanted where there is no repository, nor from before 2015, when the archive
    had another shape. Tables are cut by the time of crawling: what happened late on a day stands
    in the table of the next. It is counted nevertheless, since the rules read all tables
    together; so an increment overlaps with what was there without reading a table twice.
    """
    earliest = max(last - (history_days - 1) * DAY, ARCHIVE_BEGINS.date())
    starts = [max(earliest, never or earliest) for never in never_before]
    return days_between(min(starts), last) if starts else ()


@dataclass(frozen=True, slots=True)
class Purchase:
    """A table that is to be read, and the bytes that this is billed at most."""

    table: ArchiveTable
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read now, newest first, and the days that wait: for the next slice, or the budget.

    ``missing`` are wanted days without a table: holes of the archive itself.
    """

    now: tuple[Purchase, ...]
    waiting: tuple[date, ...]
    missing: tuple[date, ...]

    @property
    def bytes_now(self) -> int:
        return sum(purchase.max_bytes for purchase in self.now)


def days_between(first: date, last: date) -> tuple[date, ...]:
    """All days from the first to the last, both included."""
    return tuple(first + n * DAY for n in range((last - first).days + 1))


def tables_for(days: Iterable[date], tables: Sequence[ArchiveTable]) -> tuple[ArchiveTable, ...]:
    """The tables to read for these days, newest first, each day in exactly one of them.

    A month table serves where each of its days is wanted, else the day tables: nothing is read
    that nobody asked for, and nothing twice.
    """
    left = set(days)
    chosen: list[ArchiveTable] = []
    widest_first = sorted(tables, key=lambda t: (t.last - t.first, t.first), reverse=True)
    for table in widest_first:
        covered = set(days_between(table.first, table.last))
        if covered <= left:
            chosen.append(table)
            left -= covered
    return tuple(sorted(chosen, key=lambda t: t.last, reverse=True))


def days_of(table: ArchiveTable, tables: Sequence[ArchiveTable]) -> tuple[ArchiveTable, ...]:
    """The day tables within a month's table, newest first; none for the table of a day."""
    within = [
        day
        for day in tables
        if day.first == day.last and table.first <= day.first <= table.last and day != table
    ]
    return tuple(sorted(within, key=lambda day: day.last, reverse=True))


def plan(
    wanted: Iterable[date],
    read: Iterable[date],
    tables: Sequence[ArchiveTable],
    cost: Callable[[ArchiveTable], int],
    affordable: int,
    most: int = 1_000_000,
) -> Plan:
    """What to read of the days that are wanted and not read yet, within ``affordable`` bytes.

    ``cost`` gives the bytes that reading a table is billed at most; only tables that could be next
    are asked about, and no more than ``most`` are chosen. A month that does not fit is taken by
    days; once a day does not fit, older ones wait too, so that what is read is always the newest.
    """
    left = set(wanted) - set(read)
    queue = list(tables_for(left, tables))
    had = {day for table in queue for day in days_between(table.first, table.last)}
    purchases: list[Purchase] = []
    remaining, fits = affordable, True
    while queue and fits and len(purchases) < most:
        table = queue.pop(0)
        bytes_ = cost(table)
        if bytes_ <= remaining:
            purchases.append(Purchase(table, bytes_))
            remaining -= bytes_
        elif days := days_of(table, tables):
            queue = [*days, *queue]
        else:
            fits = False
    chosen = {d for p in purchases for d in days_between(p.table.first, p.table.last)}
    return Plan(
        now=tuple(purchases),
        waiting=tuple(sorted(had - chosen, reverse=True)),
        missing=tuple(sorted(left - had)),
    )


def day_start(day: date) -> datetime:
    """Midnight at the day's beginning, UTC."""
    return datetime.combine(day, time(), UTC)
