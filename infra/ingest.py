"""Archive files into the warehouse: one file, one unit, replaced whole."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

import pyarrow as pa

from infra.archive_blocks import SCHEMA
from infra.archive_files import hour_of
from infra.archive_lines import Progress, unreadable
from infra.archive_report import Report
from infra.archive_rows import ArchiveRows
from shared.archive_fields import EXTRACTION_VERSION
from shared.forgetting import without
from shared.models import iso
from shared.ports import Json, Unit, Warehouse
from shared.tables import Dataset

_HOUR = timedelta(hours=1)
_DIGITS = 12
_LONGEST_STEM = 80
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]")


def ingest_file(
    warehouse: Warehouse,
    path: Path,
    *,
    now: datetime,
    progress: Progress | None = None,
    removed: Callable[[], Collection[int]] = frozenset,
    lifts: int = 0,
) -> Unit:
    """Put an archive file's events into the warehouse as a unit of ``Dataset.EVENTS``.

    The unit is called ``YYYY-MM-DD-H`` where the file is called so, else by the file's name and
    content: the same content is the same unit, and no two files replace each other. If the unit
    is there with this content and extraction version, the file is not read again. ``about`` is
    the report, the file's name, the extraction version and ``claims``, the hours [from, until)
    that the unit covers: the hour in its name, else from its first row's to its last row's.

    Of the accounts that ``removed`` names nothing is taken (``shared.forgetting``), nor of those
    that are removed while the file is read. ``lifts`` is how many removals were ever lifted: what
    was read before the last of them is read again.

    Nothing is replaced before the file was read to its end. Raises Rejected where the file cannot
    be read, and what the warehouse raises.
    """
    if there := _known(warehouse, path, lifts):
        return there
    # The report stands with the rows and is known after the last of them: the rows wait in a file.
    gone = frozenset(removed())
    with tempfile.TemporaryFile() as spool:
        rows = ArchiveRows(path, now=now, progress=progress)
        with pa.ipc.new_stream(spool, SCHEMA) as writer:
            for batch in rows:
                writer.write_batch(without(batch, gone) if gone else batch)
        report = rows.report
        unit = warehouse.replace(
            Dataset.EVENTS,
            _unit_name(path, report.sha256),  # it may have changed since it was hashed
            _batches(spool),
            _about(path, report) | ({"lifts": lifts} if lifts else {}),
        )
    if since := frozenset(removed()) - gone:
        warehouse.forget(Dataset.EVENTS, since)
        return warehouse.unit(Dataset.EVENTS, unit.name) or unit
    return unit


def _known(warehouse: Warehouse, path: Path, lifts: int) -> Unit | None:
    """The file's unit if it is there. A file is hashed only where there is something to compare."""
    if hour_of(path.name) and not warehouse.unit(Dataset.EVENTS, _unit_name(path, "")):
        return None
    sha256 = _sha256(path)
    there = warehouse.unit(Dataset.EVENTS, _unit_name(path, sha256))
    return there if there and _is_of(there, sha256, lifts) else None


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise unreadable(path, error) from error


def _unit_name(path: Path, sha256: str) -> str:
    hour = hour_of(path.name)
    if hour is not None:
        return f"{hour:%Y-%m-%d}-{hour.hour}"
    stem = _NOT_IN_NAMES.sub("-", path.name.removesuffix(".gz").removesuffix(".json"))
    return f"{stem[:_LONGEST_STEM]}-{sha256[:_DIGITS]}"


def _is_of(unit: Unit, sha256: str, lifts: int) -> bool:
    about = unit.about
    known = about.get("sha256"), about.get("extraction_version"), about.get("lifts", 0)
    return known == (sha256, EXTRACTION_VERSION, lifts)


def _about(path: Path, report: Report) -> dict[str, Json]:
    return {
        **report.as_json(),
        "file": path.name,
        "extraction_version": EXTRACTION_VERSION,
        "claims": _claims(path, report),
    }


def _claims(path: Path, report: Report) -> Json:
    hours = [hour_of(path.name)] if hour_of(path.name) else [*report.hours]
    known = [hour for hour in hours if hour is not None]
    return [iso(min(known)), iso(max(known) + _HOUR)] if known else None


def _batches(spool: IO[bytes]) -> Iterator[pa.RecordBatch]:
    spool.seek(0)
    yield from pa.ipc.open_stream(spool)
