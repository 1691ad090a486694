"""The facts behind somebody's activity: counts a day, and the days of which something is missing.

Counts take one statement over the contributions of the repositories, and are kept for as long as
those stay the same. What is covered is read from notes on the units, without a statement.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from shared import authority
from shared.activity import DAY, Done
from shared.context import Services
from shared.coverage import HOUR, captured_of_each, with_github
from shared.errors import NotFound
from shared.models import Kind, parse_time
from shared.ports import Unit
from shared.repositories import Repository, unit_name
from shared.scoring import Tally
from shared.tables import Dataset

_MOST_KEPT = 256
_MOST_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the days asked for. ``until`` is the as-of time, the earliest of several.

    ``names`` of the repositories that were looked at, by id.
    """

    done: tuple[Done, ...]
    uncovered: frozenset[date]
    until: datetime
    names: Mapping[int, str]


class ActivityFacts:
    """Reads facts and keeps the last of them. Safe in threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[object, tuple[Done, ...]] = OrderedDict()
        self._lock = threading.Lock()

    def read(
        self,
        services: Services,
        github_id: int,
        repositories: Iterable[Repository],
        first: date,
        last: date,
    ) -> Facts:
        """Somebody's days from ``first`` to ``last``, both in it.

        Raises NotFound if none of the repositories was scraped, and for somebody anonymous: their
        days would say who they are.
        """
        if github_id < 0:
            raise NotFound("Of somebody anonymous no activity is shown: it would name them.")
        wanted = {unit_name(r.github_id): r for r in repositories if r.github_id is not None}
        held = services.warehouse.units(Dataset.CONTRIBUTIONS)
        units = {unit.name: unit for unit in held if unit.name in wanted}
        if not units:
            raise NotFound("Nothing was scraped for this yet.")
        # The contributions are told by their digests: others are other facts.
        key = (github_id, first, last, *((name, u.digest) for name, u in sorted(units.items())))
        with self._lock:
            done = self._kept.get(key)
            if done is not None:
                self._kept.move_to_end(key)
        if done is None:
            done = tuple(_done(services, github_id, units.values(), first, last))
            self._keep(key, done)
        until, uncovered = _coverage(services, units.values(), first, last)
        names = {_id(unit): wanted[name].name for name, unit in units.items()}
        return Facts(done, uncovered, until, names)

    def _keep(self, key: object, done: tuple[Done, ...]) -> None:
        with self._lock:
            self._kept[key] = done
            while len(self._kept) > 1 and (
                len(self._kept) > _MOST_KEPT or sum(map(len, self._kept.values())) > _MOST_ROWS
            ):
                self._kept.popitem(last=False)


def _done(
    services: Services, github_id: int, units: Iterable[Unit], first: date, last: date
) -> Iterable[Done]:
    table = services.warehouse.query(
        "tally_contributor",
        {
            "contributor_id": github_id,
            "repo_ids": sorted(map(_id, units)),
            "start_at": _midnight(first),
            "end_at": _midnight(last + DAY),
        },
    )
    for row in table.to_pylist():
        if row["reason"] is None:
            yield Done(
                row["repo_id"],
                last + DAY - row["age_days"] * DAY,
                Tally(
                    Kind(row["kind"]),
                    row["quantity"],
                    row["age_days"],
                    bool(row["self_merged"]),
                    row["pr_size"],
                ),
            )


def _coverage(
    services: Services, units: Iterable[Unit], first: date, last: date
) -> tuple[datetime, frozenset[date]]:
    """The as-of time, and the days with an hour that some repository misses."""
    units = tuple(units)
    archive = captured_of_each(
        services.warehouse.units(Dataset.EVENTS), (int(str(u.about["number"])) for u in units)
    )
    # Most repositories know the same hours, which are looked through once.
    alike: dict[tuple[datetime, frozenset[datetime]], None] = {}
    for unit in units:
        held = archive[int(str(unit.about["number"]))]
        whole = with_github(held, authority.from_json(unit.about.get("authority")))
        alike[parse_time(str(unit.about["as_of"])), whole.hours] = None
    missing: set[date] = set()
    for as_of, hours in alike:
        day = first
        while day <= last:
            begin = _midnight(day)
            # What an hour holds that a scrape came in the middle of, is not known whole.
            if begin + DAY > as_of or any(begin + n * HOUR not in hours for n in range(24)):
                missing.add(day)
            day += DAY
    return min(as_of for as_of, _ in alike), frozenset(missing)


def _id(unit: Unit) -> int:
    return int(str(unit.about["repo_id"]))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
