"""Blocks of lines become Arrow batches of slim events, and a tally of what was on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import compress, repeat
from operator import attrgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import astuple

from infra.archive_decoder import (
    UNREADABLE,
    Columns,
    Fault,
    microseconds,
    patiently,
    quickly,
    quickly_all,
)
from infra.archive_report import Tally, Times
from infra.archive_shapes import ROW, Shape, paths
from shared.archive_fields import FIELDS, TRACKED_TYPES, ColumnType
from shared.tables import EVENTS, arrow_schema

SCHEMA = arrow_schema(EVENTS)

# Decoded rows take many times the memory of Arrow's, so they are converted a few at a time.
_CONVERTED_ROWS = 4_096
_CONVERTED_BYTES = 12 << 20

_OPENING, _CLOSING = b"{}"
_TRACKED = frozenset(TRACKED_TYPES)
_STORAGE: Mapping[ColumnType, pa.DataType] = {
    "STRING": pa.string(),
    "INT64": pa.int64(),
    "BOOL": pa.bool_(),
    "TIMESTAMP": pa.int64(),  # microseconds
}


Decoded = tuple[Sequence[pa.RecordBatch], Tally]


class BlockDecoder:
    """Decodes blocks. What was created after ``latest`` is from the future."""

    def __init__(self, latest: datetime) -> None:
        self._times = Times(microseconds(latest))

    def decode(self, pieces: Iterable[bytes]) -> Decoded:
        """The rows of a block that are ours, and everything counted.

        A piece is whole lines without the last one's end.
        """
        decoded = _Decoded(self._times, tally := Tally())
        batches: list[pa.RecordBatch] = []
        for piece in pieces:
            decoded.add(piece)
            if decoded.rows >= _CONVERTED_ROWS or decoded.read >= _CONVERTED_BYTES:
                batches += decoded.batches()
                decoded = _Decoded(self._times, tally)
        return [*batches, *decoded.batches()], tally


class _Decoded:
    """Rows that were decoded and not converted yet, the quick ones and the patient ones."""

    def __init__(self, times: Times, tally: Tally) -> None:
        self.read = 0
        self._times = times
        self._tally = tally
        self._quick: list[Any] = []
        self._moments: list[int] = []
        self._patient: list[Columns] = []

    @property
    def rows(self) -> int:
        return len(self._quick) + len(self._patient)

    def add(self, piece: bytes) -> None:
        """Decode lines; keep the rows that are ours and count everything."""
        self.read += len(piece)
        tally = self._tally
        rows = self._rows(piece)
        tally.lines += len(rows)
        moments = self._times.of([row.created_at for row in rows], tally)
        if 0 in moments:
            rows, moments = [*compress(rows, moments)], [*filter(None, moments)]
        types = [row.type for row in rows]
        kept = [type_ in _TRACKED for type_ in types]
        for type_, many in Counter(types).items():
            if type_ in _TRACKED:
                tally.events += many
            else:
                tally.ignore(type_, many)
        self._quick += compress(rows, kept)
        self._moments += compress(moments, kept)

    def _rows(self, piece: bytes) -> list[Any]:
        """What the quick way makes of the lines. What it cannot read goes the patient way."""
        try:
            rows = quickly_all(piece)
        except UNREADABLE:
            rows = []
        if rows and len(rows) == _objects(piece):
            return rows
        rows = []
        for line in piece.split(b"\n"):
            try:
                rows.append(quickly(line))
            except UNREADABLE:
                self._add_patiently(line)
        return rows

    def _add_patiently(self, line: bytes) -> None:
        anything = False
        for read in patiently(line):
            anything = True
            if isinstance(read, Fault):
                self._tally.fault(read)
            elif self._times.count(int(read["created_at"] or 0), self._tally):
                event_type = str(read["event_type"])
                if event_type in _TRACKED:
                    self._patient.append(read)
                    self._tally.events += 1
                else:
                    self._tally.ignore(event_type)
        self._tally.lines += anything

    def batches(self) -> Iterator[pa.RecordBatch]:
        if self._quick:
            found = {"created_at": pa.array(self._moments, pa.int64())}
            _take(ROW, self._quick, "", found)
            yield _batch([_first_known([found[at] for at in paths(field)]) for field in FIELDS])
        if self._patient:
            yield _batch([[row[field.name] for row in self._patient] for field in FIELDS])


def _objects(piece: bytes) -> int | None:
    """How many lines there are, each an object from end to end; None if one seems not to be.

    The end of a line cannot stand within an object like this: between two braces it would need
    a comma, and a text has no such character.
    """
    if not piece.endswith(b"}"):
        return None
    lines, at = 1, piece.find(b"\n")
    while at >= 0:
        if piece[at - 1] != _CLOSING or piece[at + 1] != _OPENING:
            return None
        lines, at = lines + 1, piece.find(b"\n", at + 1)
    return lines


# --- decoded rows into Arrow -------------------------------------------------------------------


def _take(shape: Shape, objects: Sequence[Any], prefix: str, found: dict[str, pa.Array]) -> None:
    """Read what the quick way decoded, one member of all objects at a time."""
    members = zip(*map(astuple, objects), strict=True) if objects else repeat(())
    for name, values in zip(shape.quick.__struct_fields__, members, strict=False):
        path = prefix + name
        if name in shape.objects:
            _take_within(shape.objects[name], values, f"{path}.", found)
        elif name in shape.counts:
            is_true = attrgetter(shape.counts[name].member)
            totals = [None if own is None else [*map(is_true, own)].count(True) for own in values]
            found[path] = pa.array(totals, pa.int64())
        elif (type_ := shape.scalars[name]) != "TIMESTAMP":
            found[path] = pa.array(values, _STORAGE[type_])


def _take_within(
    shape: Shape, values: Sequence[Any], prefix: str, found: dict[str, pa.Array]
) -> None:
    """Read objects within others, some of which may be absent."""
    present = [value for value in values if value is not shape.absent]
    below: dict[str, pa.Array] = {}
    _take(shape, present, prefix, below)
    if len(present) < len(values):
        mask = pa.array([value is not shape.absent for value in values])
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
