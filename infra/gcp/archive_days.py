"""What is known of the extracted days: which hours have rows, and when the last one happened.

A document a month, so that a board's two years are read at once. It is noted when a table has
been extracted whole, and so says also that it has been.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from shared.models import iso, parse_time
from shared.ports import ArchiveTable, Document, Documents, Extraction, Json, Transaction, Write

_MANY_DAYS = 31


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour that has rows, and the time of its last one."""

    begin: datetime
    last_at: datetime


class ArchiveDays:
    """The notes on extracted days. One transaction a table, one read for any number of days."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def extracted(self, table: ArchiveTable, id_: str) -> Extraction | None:
        """What the run of that id took from a table, None if it has not come to its end."""
        (found,) = self._documents.get(_path(table.first))
        noted = _read(found)["tables"].get(table.name)
        if noted is None or noted["by"] != id_:
            return None
        return Extraction(
            table.name,
            noted["rows"],
            tuple(parse_time(hour) for hour in noted["hours"]),
            parse_time(noted["last_at"]) if noted["last_at"] else None,
        )

    def note(self, table: ArchiveTable, id_: str, rows: int, hours: Sequence[Hour]) -> Extraction:
        """Put what was found in a table in place of what was known of its days."""
        last_at = max((hour.last_at for hour in hours), default=None)
        by_day: dict[str, dict[str, Any]] = {
            day.isoformat(): {"hours": [], "last_at": None} for day in days(table.first, table.last)
        }
        for hour in hours:
            entry = by_day[_clamped(hour.begin.date(), table).isoformat()]
            entry["hours"].append(iso(hour.begin))
            entry["last_at"] = max(filter(None, (entry["last_at"], iso(hour.last_at))))
        noted = {
            "by": id_,
            "rows": rows,
            "hours": [iso(hour.begin) for hour in hours],
            "last_at": iso(last_at) if last_at else None,
        }

        def write(transaction: Transaction) -> None:
            known = _read(transaction.get(_path(table.first)))
            known["tables"][table.name] = noted
            known["days"].update(by_day)
            body = zlib.compress(json.dumps(known, sort_keys=True).encode(), 9)
            transaction.write(Write(_path(table.first), {"days": len(known["days"])}, body))

        self._documents.transact(write)
        return Extraction(table.name, rows, tuple(hour.begin for hour in hours), last_at)

    def about(self, first: date, last: date) -> dict[str, Json]:
        """What the extracted ones of these days hold, as ``shared.coverage.captured`` reads it."""
        months = sorted({day.replace(day=1) for day in days(first, last)})
        known: dict[str, Any] = {}
        for found in self._documents.get(*map(_path, months)):
            known.update(_read(found)["days"])
        entries = [known.get(day.isoformat()) for day in days(first, last)]
        noted = [entry for entry in entries if entry and entry["hours"]]
        last_at = max((entry["last_at"] for entry in noted), default=None)
        many = (last - first).days >= _MANY_DAYS
        hours = [
            hour for entry in noted for hour in (entry["hours"][-1:] if many else entry["hours"])
        ]
        return _about(first, last, hours, last_at)


def about_table(
    table: ArchiveTable, first: date, last: date, hours: Iterable[Hour]
) -> dict[str, Json]:
    """The same for some days of an archive table, by what was found in it."""
    within = [hour for hour in hours if first <= _clamped(hour.begin.date(), table) <= last]
    last_at = max((hour.last_at for hour in within), default=None)
    return _about(
        first, last, [iso(hour.begin) for hour in within], iso(last_at) if last_at else None
    )


def days(first: date, last: date) -> list[date]:
    """The days from first to last, both included."""
    return [date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1)]


def _about(first: date, last: date, hours: Iterable[str], last_at: str | None) -> dict[str, Json]:
    end = date.fromordinal(last.toordinal() + 1)
    return {
        "claims": [f"{first}T00:00:00.000000Z", f"{end}T00:00:00.000000Z"],
        "hours": [*sorted(set(hours))],
        "last_at": last_at,
        "broken": {},
        "before_2015": 0,
    }


def _clamped(day: date, table: ArchiveTable) -> date:
    return min(max(day, table.first), table.last)


def _path(day: date) -> str:
    return f"archive_days/{day:%Y-%m}"


def _read(document: Document | None) -> dict[str, Any]:
    if document is None or document.body is None:
        return {"tables": {}, "days": {}}
    found: Mapping[str, Any] = json.loads(zlib.decompress(document.body))
    return dict(found)
