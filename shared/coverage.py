"""What was captured, what is missing: with every board, row and explanation.

Source of the eras and of the known outages: measurements of GH Archive against GitHub itself,
gathered in November 2026 (docs/sources.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate, groupby, repeat
from operator import add
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from shared.authority import ARCHIVE_ALONE, Authority
from shared.coverage_notes import era_notes, gap_notes
from shared.coverage_notes import together as era_notes_together
from shared.models import Window, iso, parse_time
from shared.ports import Unit
from shared.source_days import (
    FAMILIES,
    Completeness,
    Days,
    completeness_of,
    days_of,
    percent_text,
    source_of,
)

HOUR = timedelta(hours=1)

KNOWN_OUTAGES: tuple[tuple[datetime, datetime], ...] = (
    (datetime(2020, 8, 21, 9, tzinfo=UTC), datetime(2020, 8, 22, tzinfo=UTC)),
    (datetime(2021, 8, 25, tzinfo=UTC), datetime(2021, 8, 28, tzinfo=UTC)),
    (datetime(2021, 10, 22, tzinfo=UTC), datetime(2021, 10, 27, tzinfo=UTC)),
    (datetime(2025, 10, 9, tzinfo=UTC), datetime(2025, 10, 14, tzinfo=UTC)),
)
"""Times that GH Archive itself does not have, [from, until)."""

_OUTAGE_HOURS = frozenset(
    begin + n * HOUR for begin, end in KNOWN_OUTAGES for n in range((end - begin) // HOUR)
)

MAX_HOLES = 50
"""Holes that a coverage lists; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Captured:
    """The hours of which there is data, and the end of the last. Times are hour starts, UTC."""

    hours: frozenset[datetime]
    as_of: datetime | None
    broken: int = 0
    refused: int = 0

    @property
    def begin(self) -> datetime | None:
        return min(self.hours, default=None)


def captured(units: Iterable[Unit], number: int | None = None) -> Captured:
    """What the event units cover together, from what their writers noted of them.

    With the ``number`` of a repository's registration, what they cover of it.

    A file named by its hour covers that hour if it has a valid row; any other file covers the
    days, within its first and last hour, of which it has rows: a day without any is a hole.
    ``as_of`` is the end of the hour of the latest event, so it does not depend on file names.
    """
    hours: set[datetime] = set()
    latest: datetime | None = None
    broken = refused = 0
    for unit in units:
        if number is not None and not covers(unit, number):
            continue
        about: dict[str, Any] = dict(unit.about)
        broken += sum(about["broken"].values())
        refused += about["before_2015"]
        if about["last_at"] is None:
            continue
        latest = max(filter(None, (latest, parse_time(about["last_at"]))))
        hours |= _covered(about)
    return Captured(
        frozenset(hours), None if latest is None else _next_hour(latest), broken, refused
    )


def captured_of_each(units: Sequence[Unit], numbers: Iterable[int]) -> dict[int, Captured]:
    """What is covered of each of some repositories, by their numbers of registration."""
    found: dict[int, Captured] = {}
    same: dict[tuple[bool, ...], Captured] = {}
    for number in numbers:
        which = tuple(covers(unit, number) for unit in units)
        if which not in same:
            same[which] = captured(units, number)
        found[number] = same[which]
    return found


def covers(unit: Unit, number: int) -> bool:
    """True if the unit holds the events of the repository with that number of registration.

    Units of archive files hold everybody's (see ``shared/gathered.py`` for the others).
    """
    if "registered" not in unit.about:
        return True
    about: dict[str, Any] = dict(unit.about)
    after, until = about["registered"]
    return bool(after < number <= until)


def _covered(about: dict[str, Any]) -> set[datetime]:
    begin, end = (parse_time(border) for border in about["claims"])
    seen = {parse_time(hour) for hour in about["hours"]}
    if end - begin <= HOUR:
        return {begin}
    days: set[date] = {hour.date() for hour in seen}
    return {
        hour for hour in _hours(begin, end) if hour.date() in days and hour not in _OUTAGE_HOURS
    }


class Gap(BaseModel):
    """Something of which a part is unknown: ``unknown`` of ``of``."""

    model_config = ConfigDict(frozen=True)

    unknown: int
    of: int


class Hole(BaseModel):
    """A stretch of time without data, [from, until), and why."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    start: str
    end: str
    reason: str


GAPS: Mapping[str, str] = {
    "pushes_without_commits": "pushes",
    "merges_unattributed": "merges",
    "merges_without_lines": "merges",
    "commits_unlinked": "commits",
    "accounts_deleted": "told",
}
"""What may be unknown, and the column of measure_gaps.sql that says of how many."""

_NO_GAP = Gap(unknown=0, of=0)


class Coverage(BaseModel):
    """How complete a board is.

    ``source`` is archive, github, or archive and github; ``days`` say which of them counts for how
    many days of each family of kinds. ``hours_captured`` of ``hours_expected`` hours of the window
    have data; ``percent`` is that share with two places, as text. ``known`` counts what events say
    they do not know. ``archive_completeness`` is of the window's months, null where GitHub was not
    read or gave no number.
    """

    model_config = ConfigDict(frozen=True)

    source: str
    days: Mapping[str, Days] = {}
    archive_completeness: Completeness | None = None
    start: str | None
    end: str
    captured_from: str | None
    captured_until: str
    hours_expected: int
    hours_captured: int
    percent: str
    complete: bool
    holes: tuple[Hole, ...]
    more_holes: int = 0
    broken_lines: int
    pushes_without_commits: Gap
    merges_unattributed: Gap
    merges_without_lines: Gap
    commits_unlinked: Gap = _NO_GAP
    accounts_deleted: Gap = _NO_GAP
    notes: tuple[str, ...]


def with_github(held: Captured, authority: Authority) -> Captured:
    """What is captured of a repository by the source that counts for each hour.

    Where all kinds are GitHub's, the hours up to which it was read; elsewhere the archive's.
    """
    hours = set(held.hours)
    for start, end in authority.of_all_kinds:
        span = set(_hours(start, end))
        read = min(end, authority.until or end)
        hours = (hours - span) | set(_hours(start, read))
    as_of = max(filter(None, (held.as_of, authority.until)), default=None)
    return replace(held, hours=frozenset(hours), as_of=as_of)


def measure(
    window: Window, held: Captured, gaps: pa.Table, authority: Authority = ARCHIVE_ALONE
) -> Coverage:
    """The coverage of a window. ``gaps`` are the rows of measure_gaps.sql (one a window).

    ``held`` is what both sources cover together, as ``with_github`` says.
    """
    row: dict[str, Any] = next((r for r in gaps.to_pylist() if r["window_name"] == window.name), {})
    begin = window.start or held.begin or window.end
    begin = begin.replace(minute=0, second=0, microsecond=0)
    expected = _hours(begin, window.end)
    holes, more_holes = _holes(expected, held.hours)
    have = len(held.hours.intersection(expected))
    gap = {name: Gap(unknown=row.get(name, 0), of=row.get(of, 0)) for name, of in GAPS.items()}
    days = {name: days_of(begin, window.end, authority, kind) for name, kind in FAMILIES.items()}
    completeness = completeness_of(begin, window.end, authority)
    lost = (
        completeness is not None
        and completeness.seen < completeness.of
        and any(family.archive for family in days.values())
    )
    return Coverage(
        source=source_of(days.values()),
        days=days,
        archive_completeness=completeness,
        start=None if window.start is None else iso(window.start),
        end=iso(window.end),
        captured_from=None if held.begin is None else iso(held.begin),
        captured_until=iso(window.end),
        hours_expected=len(expected),
        hours_captured=have,
        percent=percent_text(have, len(expected)),
        complete=0 < have == len(expected)
        and not lost
        and not any(g.unknown for g in gap.values()),
        holes=holes,
        more_holes=more_holes,
        broken_lines=held.broken,
        notes=(*era_notes(begin, window.end, authority), *gap_notes(gap)),
        **gap,
    )


def together(parts: Sequence[Coverage]) -> Coverage:
    """The coverage of a board over several repositories: the least complete times, all gaps.

    Raises ValueError without any part.
    """
    worst = min(parts, key=lambda part: (part.hours_captured - part.hours_expected, part.end))

    def total(name: str) -> Gap:
        gaps = [getattr(part, name) for part in parts]
        return Gap(unknown=sum(g.unknown for g in gaps), of=sum(g.of for g in gaps))

    gaps = {name: total(name) for name in GAPS}
    days = {
        name: Days(
            archive=sum(part.days[name].archive for part in parts if name in part.days),
            github=sum(part.days[name].github for part in parts if name in part.days),
        )
        for name in FAMILIES
    }
    measured = [part.archive_completeness for part in parts if part.archive_completeness]
    seen, of = sum(m.seen for m in measured), sum(m.of for m in measured)
    return worst.model_copy(
        update={
            **gaps,
            "source": source_of(days.values()),
            "days": days,
            "archive_completeness": Completeness(seen=seen, of=of, percent=percent_text(seen, of))
            if measured
            else None,
            "end": max(part.end for part in parts),
            "captured_until": min(part.captured_until for part in parts),
            "complete": all(part.complete for part in parts),
            "notes": (*era_notes_together(part.notes for part in parts), *gap_notes(gaps)),
        }
    )


def _holes(expected: Sequence[datetime], have: frozenset[datetime]) -> tuple[tuple[Hole, ...], int]:
    """The first holes, ``MAX_HOLES`` at most, and how many there are beyond them."""
    runs = groupby(expected, lambda hour: None if hour in have else _why(hour))
    missing = [(reason, list(hours)) for reason, hours in runs if reason is not None]
    shown = tuple(
        Hole(start=iso(hours[0]), end=iso(hours[-1] + HOUR), reason=reason)
        for reason, hours in missing[:MAX_HOLES]
    )
    return shown, len(missing) - len(shown)


def _why(hour: datetime) -> str:
    return "known outage of the archive" if hour in _OUTAGE_HOURS else "not captured"


def _hours(begin: datetime, end: datetime) -> list[datetime]:
    count = int((end - begin) / HOUR)
    return list(accumulate(repeat(HOUR, count - 1), add, initial=begin)) if count > 0 else []


def _next_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0) + HOUR
