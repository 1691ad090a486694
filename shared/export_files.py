"""Tables as files: CSV, JSON, NDJSON, XLSX and Parquet, a page of rows at a time.

What is known of a table (``about``) stands inside the file where the format has a place for it: a
first object (JSON, NDJSON), the sheet ``about`` (XLSX), the key ``about`` of the schema's metadata
(Parquet). A CSV file begins with its column names unless lines before them are asked for.
"""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from shared.errors import Rejected
from shared.ports import Json

if TYPE_CHECKING:
    import xlsxwriter

Format = Literal["csv", "json", "ndjson", "xlsx", "parquet"]

MEDIA_TYPES: Mapping[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}

Cell = str | int | float | bool | None
Row = Sequence[Cell]
Type = Literal["text", "integer", "number", "boolean"]

MOST_SHEET_ROWS = 1_048_575
"""What a sheet of Excel holds, less the line of names."""

MOST_CELL_CHARACTERS = 32_767
"""What a cell of Excel holds."""

_ARROW: Mapping[Type, pa.DataType] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
}
_GROUP_ROWS = 20_000
"""Rows of a Parquet row group, and so the most that are held."""

_PIECE = 1 << 16
_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@dataclass(frozen=True, slots=True)
class Column:
    """A column by name and type. ``number`` has two places."""

    name: str
    type: Type = "text"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows in pages, each row a cell a column. ``about`` is what is said of them, flat or nested.

    Pages are gone through once.
    """

    columns: tuple[Column, ...]
    pages: Iterable[Sequence[Row]]
    about: Mapping[str, Json]


def written(format_: Format, table: Table, *, header: bool = False) -> Iterator[bytes]:
    """The file in pieces. Memory is bounded by a page, and for Parquet by a row group.

    ``header`` has a CSV file begin with lines of ``# name: value``, which most programs have to be
    told to skip. Raises Rejected for what the format cannot hold.
    """
    if format_ == "csv":
        return _csv(table, header=header)
    return _WRITERS[format_](table)


def defused(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe goes before one that could be.

    As OWASP describes it (CSV injection); full-width signs are taken for formulas by some, too.
    """
    return f"'{text}" if text.startswith(_STARTS_FORMULA) else text


def _csv(table: Table, *, header: bool) -> Iterator[bytes]:
    buffer = io.StringIO(newline="")
    lines = csv.writer(buffer)
    if header:
        for name, value in table.about.items():
            # JSON has no bare line ends, so that a value cannot end its line.
            buffer.write(f"# {name}: {json.dumps(value, ensure_ascii=False)}\r\n")
    lines.writerow([column.name for column in table.columns])
    for page in table.pages:
        lines.writerows(
            [defused(cell) if isinstance(cell, str) else _plain(cell) for cell in row]
            for row in page
        )
        yield _taken(buffer)
    yield _taken(buffer)


def _plain(cell: Cell) -> Cell:
    return str(cell).lower() if isinstance(cell, bool) else cell


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode("utf-8", "replace")


def _json(table: Table) -> Iterator[bytes]:
    yield b'{"about": ' + _line(table.about) + b',\n"rows": ['
    before = b"\n"
    for piece in _objects(table):
        for line in piece:
            yield before + line
            before = b",\n"
    yield b"\n]}\n"


def _ndjson(table: Table) -> Iterator[bytes]:
    yield _line({"about": dict(table.about)}) + b"\n"
    for piece in _objects(table):
        yield b"".join(line + b"\n" for line in piece)


def _objects(table: Table) -> Iterator[list[bytes]]:
    names = [column.name for column in table.columns]
    for page in table.pages:
        yield [_line(dict(zip(names, row, strict=True))) for row in page]


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def _xlsx(table: Table) -> Iterator[bytes]:
    """A workbook is a ZIP file that can only be read from its end: it is made on disk."""
    # A tenth of the time in which an instance starts, for what few ask for.
    import xlsxwriter

    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as file:
        options = {
            "constant_memory": True,
            "tmpdir": folder,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        with xlsxwriter.Workbook(file, options) as book:
            rows = book.add_worksheet("rows")
            for place, column in enumerate(table.columns):
                rows.write_string(0, place, column.name)
            for number, row in enumerate(chain.from_iterable(table.pages), 1):
                if number > MOST_SHEET_ROWS:
                    raise Rejected(
                        f"A sheet holds {MOST_SHEET_ROWS:,} rows. Use another format, or filters.",
                        details={"field": "format"},
                    )
                for place, cell in enumerate(row):
                    _put(rows, number, place, cell)
            about = book.add_worksheet("about")
            for number, (name, value) in enumerate(table.about.items()):
                about.write_string(number, 0, name)
                shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                for place, start in enumerate(range(0, len(shown), MOST_CELL_CHARACTERS - 1), 1):
                    part = shown[start : start + MOST_CELL_CHARACTERS - 1]
                    about.write_string(number, place, defused(part))
        file.seek(0)
        while piece := file.read(_PIECE):
            yield piece


def _put(sheet: xlsxwriter.worksheet.Worksheet, number: int, place: int, cell: Cell) -> None:
    if isinstance(cell, str):
        text = defused(cell)
        if len(text) > MOST_CELL_CHARACTERS:
            raise Rejected(
                f"A cell of a sheet holds {MOST_CELL_CHARACTERS:,} characters, and there is a "
                "longer text. Use another format.",
                details={"field": "format"},
            )
        sheet.write_string(number, place, text)
    elif isinstance(cell, bool):
        sheet.write_boolean(number, place, cell)
    elif cell is not None:
        sheet.write_number(number, place, cell)


class _Sink(io.RawIOBase):
    """Keeps what is written until it is taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._pieces.append(piece)
        return len(piece)

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def _parquet(table: Table) -> Iterator[bytes]:
    schema = pa.schema(
        [(column.name, _ARROW[column.type]) for column in table.columns],
        metadata={"about": _line(table.about)},
    )
    sink = _Sink()
    with pq.ParquetWriter(sink, schema) as writer:
        for group in _groups(table.pages):
            columns = zip(*group, strict=True)
            arrays = [
                pa.array(cells, field.type) for cells, field in zip(columns, schema, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            yield sink.take()
    yield sink.take()


def _groups(pages: Iterable[Sequence[Row]]) -> Iterator[list[Row]]:
    group: list[Row] = []
    for page in pages:
        group += page
        if len(group) >= _GROUP_ROWS:
            yield group
            group = []
    if group:
        yield group


_WRITERS: Mapping[Format, Callable[[Table], Iterator[bytes]]] = {
    "json": _json,
    "ndjson": _ndjson,
    "xlsx": _xlsx,
    "parquet": _parquet,
}
