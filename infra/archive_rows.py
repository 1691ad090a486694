"""Archive files become slim events: Arrow batches of ``shared.tables.EVENTS``, and a report.

Nothing is decided here and nothing is dropped silently: rows of types that no rule uses, broken
lines, rows from before 2015 and rows from the future are counted, by reason. Memory is bounded,
whatever the file holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from infra.archive_decoder import UNREADABLE, Columns, Fault, patiently, quickly
from infra.archive_lines import ArchiveLines, Progress
from infra.archive_report import Report, Tally
from infra.archive_shapes import ROW, Shape, paths
from shared.archive_fields import FIELDS, TRACKED_TYPES, ColumnType
from shared.tables import EVENTS, arrow_schema

SCHEMA = arrow_schema(EVENTS)

SORT_KEYS = ("repo_id", "created_at", "event_id")

BATCH_ROWS = 65_536
"""About the rows of a batch; each is sorted by ``SORT_KEYS``, so that readers can skip by them."""

_BATCH_BYTES = 24 << 20
# Decoded rows take many times the memory of Arrow's, so they are converted a few at a time.
_CONVERTED_ROWS = 4_096
_CONVERTED_BYTES = 12 << 20

_TRACKED = frozenset(TRACKED_TYPES)
_STORAGE: Mapping[ColumnType, pa.DataType] = {
    "STRING": pa.string(),
    "INT64": pa.int64(),
    "BOOL": pa.bool_(),
    "TIMESTAMP": pa.int64(),  # microseconds
}


class ArchiveRows:
    """One pass over an archive file. Iterate for its batches; ``report`` is complete after that.

    ``now`` is the time that rows are held against: what was created more than a day later is
    from the future. Raises Rejected where the file is missing or cannot be read, and nothing else.
    """

    def __init__(self, path: Path, *, now: datetime, progress: Progress | None = None) -> None:
        self._file = ArchiveLines(path, progress)
        self._tally = Tally(now + timedelta(days=1))

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        waiting: list[pa.RecordBatch] = []
        for batch in self._converted():
            waiting.append(batch)
            rows = sum(batch.num_rows for batch in waiting)
            if rows >= BATCH_ROWS or sum(batch.nbytes for batch in waiting) >= _BATCH_BYTES:
                sorted_, waiting = _sorted(waiting), []
                yield sorted_
        if waiting:
            yield _sorted(waiting)

    @property
    def report(self) -> Report:
        """What was found so far: of the whole file once the batches are exhausted."""
        file = self._file
        return self._tally.report(
            too_long=file.too_long,
            bytes_read=file.bytes_read,
            sha256=file.sha256,
            truncated=file.truncated,
        )

    def _converted(self) -> Iterator[pa.RecordBatch]:
        decoded = _Decoded(self._tally)
        for lines in self._file:
            decoded.add(lines)
            if decoded.rows >= _CONVERTED_ROWS or decoded.read >= _CONVERTED_BYTES:
                yield from decoded.batches()
                decoded = _Decoded(self._tally)
        yield from decoded.batches()


class _Decoded:
    """Rows that were decoded and not converted yet, the quick ones and the patient ones."""

    def __init__(self, tally: Tally) -> None:
        self.read = 0
        self._tally = tally
        self._quick: list[Any] = []
        self._times: list[int] = []
        self._patient: list[Columns] = []

    @property
    def rows(self) -> int:
        return len(self._quick) + len(self._patient)

    def add(self, lines: Sequence[bytes]) -> None:
        """Decode lines; keep the rows that are ours and count everything."""
        self.read += sum(map(len, lines))
        rows: list[Any] = []
        for line in lines:
            try:
                rows.append(quickly(line))
            except UNREADABLE:
                self._add_patiently(line)
        tally, quick, times = self._tally, self._quick, self._times
        tally.lines += len(rows)
        before = len(quick)
        for row, at in zip(rows, tally.times([row.created_at for row in rows]), strict=True):
            if at is None:
                continue
            if row.type in _TRACKED:
                quick.append(row)
                times.append(at)
            else:
                tally.ignore(row.type)
        tally.events += len(quick) - before

    def _add_patiently(self, line: bytes) -> None:
        anything = False
        for read in patiently(line):
            anything = True
            if isinstance(read, Fault):
                self._tally.faults[read] += 1
            elif self._tally.add(int(read["created_at"] or 0)):
                event_type = str(read["event_type"])
                if event_type in _TRACKED:
                    self._patient.append(read)
                    self._tally.events += 1
                else:
                    self._tally.ignore(event_type)
        self._tally.lines += anything

    def batches(self) -> Iterator[pa.RecordBatch]:
        if self._quick:
            found = {"created_at": pa.array(self._times, pa.int64())}
            _take(ROW, self._quick, "", found)
            yield _batch([_first_known([found[at] for at in paths(field)]) for field in FIELDS])
        if self._patient:
            yield _batch([[row[field.name] for row in self._patient] for field in FIELDS])


# --- decoded rows into Arrow -------------------------------------------------------------------


def _take(shape: Shape, objects: Sequence[Any], prefix: str, found: dict[str, pa.Array]) -> None:
    """Read what the quick way decoded, one member of all objects at a time."""
    for name, type_ in shape.scalars.items():
        if type_ != "TIMESTAMP":
            found[prefix + name] = pa.array(map(attrgetter(name), objects), _STORAGE[type_])
    for name, counted in shape.counts.items():
        is_true = attrgetter(counted.member)
        entries = map(attrgetter(name), objects)
        totals = [None if own is None else [*map(is_true, own)].count(True) for own in entries]
        found[prefix + name] = pa.array(totals, pa.int64())
    for name, inner in shape.objects.items():
        values = list(map(attrgetter(name), objects))
        present = [value for value in values if value is not inner.absent]
        below: dict[str, pa.Array] = {}
        _take(inner, present, f"{prefix}{name}.", below)
        if len(present) < len(values):
            mask = pa.array([value is not inner.absent for value in values])
            below = {path: _spread(array, mask) for path, array in below.items()}
        found.update(below)


def _spread(array: pa.Array, mask: pa.Array) -> pa.Array:
    """The values where the mask is true, null elsewhere."""
    return pc.replace_with_mask(pa.nulls(len(mask), array.type), mask, array)


def _first_known(arrays: Sequence[pa.Array]) -> pa.Array:
    return arrays[0] if len(arrays) == 1 else pc.coalesce(*arrays)


def _batch(columns: Sequence[Any]) -> pa.RecordBatch:
    arrays = [
        pa.array(column, _STORAGE[field.type]).view(type_)
        for column, field, type_ in zip(columns, FIELDS, SCHEMA.types, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _sorted(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    table = pa.Table.from_batches(batches).sort_by([(key, "ascending") for key in SORT_KEYS])
    (batch,) = table.combine_chunks().to_batches()
    return batch
