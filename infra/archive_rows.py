"""Archive files become slim events: Arrow batches of ``shared.tables.EVENTS``, and a report.

Nothing is decided here and nothing is dropped silently: rows of types that no rule uses, broken
lines, rows from before 2015 and rows from the future are counted, by reason. Memory is bounded by
``BATCH_ROWS`` and ``archive_lines.LONGEST_LINE``, whatever the file's size.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from infra.archive_decoder import (
    BEGINS,
    UNREADABLE,
    Columns,
    Fault,
    microseconds,
    patiently,
    quickly,
    read_time,
)
from infra.archive_lines import ArchiveLines, Progress
from infra.archive_shapes import ROW, Shape, paths
from shared.archive_fields import FIELDS, TRACKED_TYPES, ColumnType
from shared.models import iso
from shared.ports import Json
from shared.tables import EVENTS, arrow_schema

BATCH_ROWS = 65_536
"""Rows of a batch. Each is sorted by ``SORT_KEYS``, so that row groups can be skipped by them."""

SORT_KEYS = ("repo_id", "created_at", "event_id")

SCHEMA = arrow_schema(EVENTS)

_CONVERTED_TOGETHER = 4_096  # decoded rows take twenty times the memory of Arrow's
_HOUR = 3_600_000_000
_MOMENTS_KEPT = 200_000
_TYPES_NAMED = 60
_TYPE_NAME = re.compile(r"[A-Za-z]{1,60}")
_TRACKED = frozenset(TRACKED_TYPES)
_STORAGE: Mapping[ColumnType, pa.DataType] = {
    "STRING": pa.string(),
    "INT64": pa.int64(),
    "BOOL": pa.bool_(),
    "TIMESTAMP": pa.int64(),  # microseconds
}


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in an archive file.

    ``lines`` counts all but blank ones. Every row or fault on them is in exactly one of
    ``events`` (rows that were kept), ``ignored`` (valid rows of other types, by type), ``broken``
    (by ``Fault``), ``before_2015`` and ``from_future``. ``hours`` says how many valid rows of any
    type were created in each hour; ``first_at`` and ``last_at`` are the earliest and latest of
    them. ``truncated`` says that the compressed stream ended early or was damaged.
    """

    lines: int
    events: int
    ignored: Mapping[str, int]
    broken: Mapping[str, int]
    before_2015: int
    from_future: int
    hours: Mapping[datetime, int]
    first_at: datetime | None
    last_at: datetime | None
    bytes_read: int
    sha256: str
    truncated: bool

    def as_json(self) -> dict[str, Json]:
        """The report as JSON values; times as ``models.iso`` writes them."""
        return {
            "lines": self.lines,
            "events": self.events,
            "ignored": dict(self.ignored),
            "broken": dict(self.broken),
            "before_2015": self.before_2015,
            "from_future": self.from_future,
            "hours": {iso(hour): rows for hour, rows in self.hours.items()},
            "first_at": self.first_at and iso(self.first_at),
            "last_at": self.last_at and iso(self.last_at),
            "bytes_read": self.bytes_read,
            "sha256": self.sha256,
            "truncated": self.truncated,
        }


class ArchiveRows:
    """One pass over an archive file. Iterate for its batches; then ``report`` is complete.

    ``now`` is the time that rows are held against: what was created more than a day later is
    from the future. Raises Rejected where the file is missing or cannot be read, and nothing else.
    """

    def __init__(self, path: Path, *, now: datetime, progress: Progress | None = None) -> None:
        self._file = ArchiveLines(path, progress)
        self._latest = microseconds(now + timedelta(days=1))
        self._moments = _Moments()
        self._hours: Counter[int] = Counter()
        self._ignored: Counter[str] = Counter()
        self._faults: Counter[Fault] = Counter()
        self._lines = self._events = self._from_future = 0
        self._first, self._last = 2**63, -(2**63)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        waiting: list[pa.RecordBatch] = []
        rows = 0
        for batch in self._pieces():
            waiting.append(batch)
            rows += batch.num_rows
            if rows >= BATCH_ROWS:
                yield _sorted(waiting)
                waiting, rows = [], 0
        if rows:
            yield _sorted(waiting)

    @property
    def report(self) -> Report:
        """What was found so far; of the whole file once the batches are exhausted."""
        faults = self._faults.copy()
        faults[Fault.TOO_LONG] += self._file.too_long
        before_2015 = faults.pop(Fault.BEFORE_2015, 0)
        return Report(
            lines=self._lines + self._file.too_long,
            events=self._events,
            ignored=dict(sorted(self._ignored.items())),
            broken={fault.value: count for fault, count in sorted(faults.items()) if count},
            before_2015=before_2015,
            from_future=self._from_future,
            hours={_moment(hour * _HOUR): rows for hour, rows in sorted(self._hours.items())},
            first_at=_moment(self._first) if self._hours else None,
            last_at=_moment(self._last) if self._hours else None,
            bytes_read=self._file.bytes_read,
            sha256=self._file.sha256,
            truncated=self._file.truncated,
        )

    def _pieces(self) -> Iterator[pa.RecordBatch]:
        quick: list[Any] = []
        times: list[int] = []
        patient: list[Columns] = []
        for lines in self._file:
            self._decode(lines, quick, times, patient)
            if len(quick) + len(patient) >= _CONVERTED_TOGETHER:
                yield from _converted(quick, times, patient)
                quick, times, patient = [], [], []
        yield from _converted(quick, times, patient)

    def _decode(
        self, lines: Sequence[bytes], quick: list[Any], times: list[int], patient: list[Columns]
    ) -> None:
        """Add what is kept of these lines to the lists, and count the rest."""
        moments = self._moments
        for line in lines:
            try:
                row: Any = quickly(line)
            except UNREADABLE:
                self._decode_patiently(line, patient)
                continue
            self._lines += 1
            created_at = moments[row.created_at]
            if created_at is None:
                self._faults[Fault.INCOMPLETE] += 1
            elif self._keeps(row.type, created_at):
                quick.append(row)
                times.append(created_at)
        if len(moments) > _MOMENTS_KEPT:
            moments.clear()

    def _decode_patiently(self, line: bytes, patient: list[Columns]) -> None:
        anything = False
        for read in patiently(line):
            anything = True
            if isinstance(read, Fault):
                self._faults[read] += 1
            elif self._keeps(str(read["event_type"]), int(read["created_at"] or 0)):
                patient.append(read)
        self._lines += anything

    def _keeps(self, event_type: str, created_at: int) -> bool:
        """Count a valid row, and say whether it is one of ours."""
        if created_at < BEGINS:
            self._faults[Fault.BEFORE_2015] += 1
            return False
        if created_at > self._latest:
            self._from_future += 1
            return False
        self._hours[created_at // _HOUR] += 1
        self._first = min(self._first, created_at)
        self._last = max(self._last, created_at)
        if event_type in _TRACKED:
            self._events += 1
            return True
        known = event_type in self._ignored or len(self._ignored) < _TYPES_NAMED
        self._ignored[event_type if known and _TYPE_NAME.fullmatch(event_type) else "other"] += 1
        return False


class _Moments(dict[str, int | None]):
    """Times by their text: the rows of an hour have 3,600 of them."""

    def __missing__(self, text: str) -> int | None:
        moment = self[text] = read_time(text)
        return moment


def _moment(at: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)


# --- decoded rows into Arrow -------------------------------------------------------------------


def _converted(
    quick: Sequence[Any], times: Sequence[int], patient: Sequence[Columns]
) -> Iterator[pa.RecordBatch]:
    if quick:
        found = {"created_at": pa.array(times, pa.int64())}
        _take(ROW, quick, "", found)
        yield _batch([_first_known([found[path] for path in paths(field)]) for field in FIELDS])
    if patient:
        yield _batch([[row[field.name] for row in patient] for field in FIELDS])


def _take(shape: Shape, objects: Sequence[Any], prefix: str, found: dict[str, pa.Array]) -> None:
    """Read what the quick way decoded, a member of all objects at a time."""
    for name, type_ in shape.scalars.items():
        if type_ != "TIMESTAMP":
            found[prefix + name] = pa.array(map(attrgetter(name), objects), _STORAGE[type_])
    for name, counted in shape.counts.items():
        is_true = attrgetter(counted.member)
        entries = map(attrgetter(name), objects)
        totals = [None if own is None else sum(map(is_true, own)) for own in entries]
        found[prefix + name] = pa.array(totals, pa.int64())
    for name, inner in shape.objects.items():
        _take(inner, list(map(attrgetter(name), objects)), f"{prefix}{name}.", found)


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
