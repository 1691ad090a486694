"""The extraction ledger: which archive tables were read, once for all repositories.

One document, since it is read as a whole before anything is bought: a line of it is about a
hundred bytes, and two years are 760 lines at most. The warehouse has the same as rows, for people.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from datetime import date

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, TypeAdapter

from shared.archive_fields import EXTRACTION_VERSION
from shared.context import Services
from shared.planning import days_between
from shared.ports import ArchiveTable, Document, Documents, Extraction, Transaction, Write
from shared.tables import EXTRACTIONS, Dataset, arrow_schema

_PATH = f"state/extractions-{EXTRACTION_VERSION}"
"""A new extraction version starts an empty ledger: every table is then read once more."""


class Extracted(BaseModel):
    """A table that was read: its days, and how many slim events it has.

    ``id`` names the run, by which its cost is found.
    """

    model_config = ConfigDict(frozen=True)

    table: str
    first: date
    last: date
    rows: int
    id: str

    @property
    def days(self) -> tuple[date, ...]:
        return days_between(self.first, self.last)


_LINES = TypeAdapter(tuple[Extracted, ...])


def read(documents: Documents) -> tuple[Extracted, ...]:
    """All tables that were read at this extraction version, oldest first. One read."""
    (document,) = documents.get(_PATH)
    return _lines(document)


def note(services: Services, table: ArchiveTable, extraction: Extraction, id_: str) -> None:
    """Write a table into the ledger. A repeat writes the same."""
    line = Extracted(
        table=table.name, first=table.first, last=table.last, rows=extraction.rows, id=id_
    )
    row = {
        "table_name": line.table,
        "extraction_version": EXTRACTION_VERSION,
        "first_day": line.first.isoformat(),
        "last_day": line.last.isoformat(),
        "rows": line.rows,
        "extracted_at": services.now(),
        "run": id_,
    }
    batch = pa.RecordBatch.from_pylist([row], arrow_schema(EXTRACTIONS))
    unit = f"{line.table}-v{EXTRACTION_VERSION}"
    # Before the document, which says that nothing is left to do.
    services.warehouse.replace(Dataset.EXTRACTIONS, unit, [batch], {})

    def add(transaction: Transaction) -> None:
        lines: Mapping[str, Extracted] = {
            known.table: known for known in _lines(transaction.get(_PATH))
        }
        transaction.write(_stored({**lines, line.table: line}))

    services.documents.transact(add)


def _lines(document: Document | None) -> tuple[Extracted, ...]:
    if document is None or document.body is None:
        return ()
    return _LINES.validate_json(zlib.decompress(document.body))


def _stored(lines: Mapping[str, Extracted]) -> Write:
    ordered = sorted(lines.values(), key=lambda line: (line.first, line.table))
    body = json.dumps([line.model_dump(mode="json") for line in ordered])
    return Write(_PATH, {"tables": len(ordered)}, zlib.compress(body.encode()))
