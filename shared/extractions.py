"""The extraction ledger: which archive tables were read, once for all repositories.

One document, since it is read as a whole before anything is bought: a line of it is about a
hundred bytes, and two years are 760 lines at most.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import date

from pydantic import BaseModel, ConfigDict, TypeAdapter

from shared.archive_fields import EXTRACTION_VERSION
from shared.models import iso
from shared.planning import DAY, day_start, days_between
from shared.ports import ArchiveTable, Document, Documents, Extraction, Json, Transaction, Write

_PATH = f"state/extractions-{EXTRACTION_VERSION}"
"""A new extraction version starts an empty ledger: every table is then read once more."""


class Extracted(BaseModel):
    """A table that was read: its days, how many slim events, the hours with any, the last one.

    ``id`` names the run, by which its cost is found. Times are RFC 3339 texts in UTC.
    """

    model_config = ConfigDict(frozen=True)

    table: str
    first: date
    last: date
    rows: int
    hours: tuple[str, ...]
    last_at: str | None
    id: str

    @property
    def days(self) -> tuple[date, ...]:
        return days_between(self.first, self.last)


_LINES = TypeAdapter(tuple[Extracted, ...])


def read(documents: Documents) -> tuple[Extracted, ...]:
    """All tables that were read at this extraction version, oldest first. One read."""
    (document,) = documents.get(_PATH)
    return _lines(document)


def note(documents: Documents, table: ArchiveTable, extraction: Extraction, id_: str) -> None:
    """Write a table into the ledger. A repeat writes the same."""
    line = Extracted(
        table=table.name,
        first=table.first,
        last=table.last,
        rows=extraction.rows,
        hours=tuple(map(iso, extraction.hours)),
        last_at=None if extraction.last_at is None else iso(extraction.last_at),
        id=id_,
    )

    def add(transaction: Transaction) -> None:
        lines: Mapping[str, Extracted] = {
            known.table: known for known in _lines(transaction.get(_PATH))
        }
        transaction.write(_stored({**lines, line.table: line}))

    documents.transact(add)


def about(lines: Sequence[Extracted], days: Sequence[date]) -> dict[str, Json]:
    """What ``coverage.captured`` wants to know of events gathered from these days."""
    within = [line for line in lines if line.last >= days[0] and line.first <= days[-1]]
    begin, end = iso(day_start(days[0])), iso(day_start(days[-1] + DAY))
    hours: list[Json] = [*sorted({h for line in within for h in line.hours if begin <= h < end})]
    return {
        "claims": [begin, end],
        "hours": hours,
        "last_at": max((line.last_at for line in within if line.last_at), default=None),
        "broken": {},
        "before_2015": 0,
    }


def _lines(document: Document | None) -> tuple[Extracted, ...]:
    if document is None or document.body is None:
        return ()
    return _LINES.validate_json(zlib.decompress(document.body))


def _stored(lines: Mapping[str, Extracted]) -> Write:
    ordered = sorted(lines.values(), key=lambda line: (line.first, line.table))
    body = json.dumps([line.model_dump(mode="json") for line in ordered])
    return Write(_PATH, {"tables": len(ordered)}, zlib.compress(body.encode()))
