"""What the stored events cover of whom: every repository that was registered when they were read.

Each unit of events notes ``days``, a list of [first, last], and ``registered``, [after, until]: it
holds the events of the repositories whose number of registration is above the one and up to the
other. So a unit of one year for a thousand repositories needs no list of them, and whoever is
registered anew finds nothing covered. Numbers, not times: a registration that began earlier may
become visible later, but none with a lower number does. A unit without these notes, an archive
file, covers everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from shared.coverage import covers
from shared.planning import DAY, days_between
from shared.ports import Fields, Json, Unit
from shared.repositories import Repository


def covered_days(units: Iterable[Unit], number: int) -> frozenset[date]:
    """The days of which there are events of the repository with that number."""
    return frozenset(day for unit in units if covers(unit, number) for day in _days_of(unit.about))


def note_of(days: Sequence[date], after: int, until: int) -> dict[str, Json]:
    """What a unit notes of itself so that ``covers`` and ``covered_days`` understand it."""
    return {"days": [[a.isoformat(), b.isoformat()] for a, b in runs(days)],
            "registered": [after, until]}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Missing:
    """Repositories, registered one after the other, that lack the same days.

    Their numbers are above ``after``, up to ``until``.
    """

    repositories: tuple[Repository, ...]
    days: tuple[date, ...]
    after: int
    until: int


def missing(
    repositories: Iterable[Repository], units: Sequence[Unit], days: Iterable[date]
) -> tuple[Missing, ...]:
    """Who lacks which of these days, in as few groups as can be read by one statement each."""
    wanted = frozenset(days)
    groups: list[Missing] = []
    known: dict[tuple[bool, ...], frozenset[date]] = {}
    previous = 0
    for repository in sorted(repositories, key=lambda r: r.number):
        which = tuple(covers(unit, repository.number) for unit in units)
        if which not in known:
            known[which] = wanted - covered_days(units, repository.number)
        lacking = tuple(sorted(known[which]))
        if groups and groups[-1].days == lacking:
            last = groups.pop()
            both = (*last.repositories, repository)
            groups.append(Missing(both, lacking, last.after, repository.number))
        else:
            groups.append(Missing((repository,), lacking, previous, repository.number))
        previous = repository.number
    return tuple(group for group in groups if group.days)


def runs(days: Iterable[date]) -> tuple[tuple[date, date], ...]:
    """Days as stretches without a gap, first and last day of each."""
    found: list[tuple[date, date]] = []
    for day in sorted(days):
        if found and day - found[-1][1] == DAY:
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return tuple(found)


def _days_of(about: Fields) -> Iterable[date]:
    stretches: Any = about.get("days", [])
    for first, last in stretches:
        yield from days_between(date.fromisoformat(first), date.fromisoformat(last))
