"""Tables as files, read back by other programs than wrote them."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import get_args
from xml.etree import ElementTree as ET

import pyarrow.parquet as pq
import pytest

from shared.errors import Rejected
from shared.export_files import (
    MOST_CELL_CHARACTERS,
    Column,
    Format,
    Row,
    Table,
    written,
)
from shared.ports import Json

FORMATS: tuple[Format, ...] = get_args(Format)
COLUMNS = (
    Column("rank", "integer"),
    Column("name"),
    Column("score", "number"),
    Column("covered", "boolean"),
)
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1+1")
HOSTILE = (
    *FORMULAS,
    'a,"b"\r\nc',
    "</script>",
    "\u202eevil\u05d0",
    "'; DROP TABLE",
    "\x00\x1f",
    "",
)
ABOUT: dict[str, Json] = {"exporter": "=cmd()\n# rank: 1", "receipt": {"board": "ab" * 32}}
_SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def rows_of(names: Sequence[str | None]) -> list[Row]:
    return [(rank, name, -rank / 100, rank % 2 == 0) for rank, name in enumerate(names, 1)]


def table(rows: Sequence[Row], page: int = 3) -> Table:
    pages = (rows[start : start + page] for start in range(0, len(rows), page))
    return Table(COLUMNS, pages, ABOUT)


def file(format_: Format, rows: Sequence[Row], *, header: bool = False) -> bytes:
    return b"".join(written(format_, table(rows), header=header))


def cells(content: bytes, sheet: int) -> list[list[ET.Element]]:
    book = zipfile.ZipFile(io.BytesIO(content))
    assert book.testzip() is None
    root = ET.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml"))
    return [list(row) for row in root.iter(f"{_SHEET}row")]


def texts(content: bytes, sheet: int) -> list[list[str]]:
    return [["".join(cell.itertext()) for cell in row] for row in cells(content, sheet)]


def test_hostile_names_come_back_from_formats_that_run_nothing() -> None:
    rows = rows_of([*HOSTILE, None])
    names = [column.name for column in COLUMNS]
    expected = [dict(zip(names, row, strict=True)) for row in rows]
    whole = json.loads(file("json", rows))
    assert whole == {"about": ABOUT, "rows": expected}
    first, *lines = file("ndjson", rows).removesuffix(b"\n").split(b"\n")
    assert json.loads(first) == {"about": ABOUT}
    assert [json.loads(line) for line in lines] == expected
    found = pq.read_table(io.BytesIO(file("parquet", rows)))
    assert found.to_pylist() == expected
    assert json.loads(found.schema.metadata[b"about"]) == ABOUT


def test_no_spreadsheet_takes_a_name_for_a_formula() -> None:
    rows = rows_of(HOSTILE)
    _, *read = csv.reader(io.StringIO(file("csv", rows).decode(), newline=""))
    for name, row in zip(HOSTILE, read, strict=True):
        assert row[1] == (f"'{name}" if name in FORMULAS else name)
        assert row[2].startswith("-")  # a number is one, whatever it begins with
    content = file("xlsx", rows)
    assert not any(cell.find(f"{_SHEET}f") is not None for r in cells(content, 1) for cell in r)
    for name, shown in zip(FORMULAS, texts(content, 1)[1:], strict=False):
        assert shown[1].startswith("'"), name


def test_a_file_says_what_it_is_of() -> None:
    rows = rows_of(["ana"])
    plain = file("csv", rows)
    assert plain.splitlines() == [b"rank,name,score,covered", b"1,ana,-0.01,false"]
    told = file("csv", rows, header=True)
    assert told.endswith(plain)
    above = told.removesuffix(plain).decode().split("\r\n")[:-1]
    assert len(above) == len(ABOUT)  # a value cannot begin a line of its own
    assert all(line.startswith("# ") for line in above)
    about = texts(file("xlsx", rows), 2)
    assert [line[0] for line in about] == ["exporter", "receipt"]
    assert about[0][1].startswith("'=cmd()")


@pytest.mark.parametrize("format_", FORMATS)
def test_rows_are_taken_a_page_at_a_time_and_none_is_lost(format_: Format) -> None:
    taken: list[int] = []

    def pages() -> Iterator[Sequence[Row]]:
        for page in range(25):
            taken.append(page)
            yield [(page * 1000 + n, f"user-{n}", 1.25, True) for n in range(1000)]

    pieces = written(format_, Table(COLUMNS, pages(), {}))
    first = next(pieces)
    if format_ in ("csv", "ndjson", "json"):
        assert len(taken) <= 2
    content = first + b"".join(pieces)
    assert len(taken) == 25
    counts: dict[Format, Callable[[], int]] = {
        "csv": lambda: content.count(b"\n") - 1,
        "ndjson": lambda: content.count(b"\n") - 1,
        "json": lambda: len(json.loads(content)["rows"]),
        "xlsx": lambda: len(cells(content, 1)) - 1,
        "parquet": lambda: int(pq.read_metadata(io.BytesIO(content)).num_rows),
    }
    assert counts[format_]() == 25_000


@pytest.mark.parametrize("format_", FORMATS)
def test_a_table_without_rows_is_a_file_still(format_: Format) -> None:
    content = file(format_, [])
    assert content
    if format_ == "parquet":
        assert pq.read_table(io.BytesIO(content)).column_names == [c.name for c in COLUMNS]


def test_what_a_cell_cannot_hold_is_refused_rather_than_cut() -> None:
    rows = rows_of(["x" * (MOST_CELL_CHARACTERS + 1)])
    with pytest.raises(Rejected, match="another format"):
        file("xlsx", rows)
    assert json.loads(file("json", rows))["rows"][0]["name"] == rows[0][1]
