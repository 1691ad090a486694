"""BigQuery's extraction statement and the embedded reader unpack rows into the same columns.

The statement runs on DuckDB through sqlglot over every real file and the sample, and on Google's
own reference engine over a few rows of each and over the odd values that only it reads rightly.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import sqlglot

from infra.archive_blocks import SCHEMA
from infra.archive_rows import ArchiveRows
from shared import extraction
from shared.archive_fields import FIELDS, TRACKED_TYPES
from shared.tables import EVENTS
from tests.support import googlesql

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "data"
SAMPLE = ROOT / "infra" / "sample"
STATEMENT = (ROOT / "shared" / "sql" / "extract_events.sql").read_text()
NOW = datetime(2026, 11, 22, tzinfo=UTC)

ARCHIVE = {
    "id": "STRING",
    "type": "STRING",
    "created_at": "TIMESTAMP",
    "repo": "STRUCT<id INT64, name STRING>",
    "actor": "STRUCT<id INT64, login STRING>",
    "payload": "STRING",
}
_NAMED = pa.struct([("id", pa.int64()), ("name", pa.string())])
_LOGGED = pa.struct([("id", pa.int64()), ("login", pa.string())])
_ARROW = pa.schema(
    [
        ("id", pa.string()),
        ("type", pa.string()),
        ("created_at", pa.timestamp("us", tz="UTC")),
        ("repo", _NAMED),
        ("actor", _LOGGED),
        ("payload", pa.string()),
    ]
)

FILES = [path for folder in (REAL, SAMPLE) for path in sorted(folder.glob("*.json.gz"))]
files = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
needs_google = pytest.mark.skipif(not googlesql.AVAILABLE, reason="zetasql is not installed")


# --- an independent reading of the files -----------------------------------------------------


def _objects(text: str) -> Iterator[Any]:
    """The JSON objects on a line, by the standard library's decoder."""
    decoder = json.JSONDecoder()
    position = 0
    while (
        found := re.compile(r'\{"id":"|\{"actor":\{|\{"type":').search(text, position)
    ) is not None:
        try:
            row, position = decoder.raw_decode(text, found.start())
        except ValueError:
            position = found.start() + 1
        else:
            yield row


@cache
def archive_rows(path: Path) -> list[dict[str, Any]]:
    """The rows as BigQuery's table would hold them."""
    rows = []
    for line in gzip.decompress(path.read_bytes()).split(b"\n"):
        for row in _objects(line.decode(errors="replace")):
            repo, actor, at = row.get("repo"), row.get("actor"), row.get("created_at")
            if not (isinstance(repo, dict) and isinstance(actor, dict) and at):
                continue
            if (created_at := datetime.fromisoformat(at)) > NOW:
                continue
            rows.append(
                {
                    "id": row["id"],
                    "type": row["type"],
                    "created_at": created_at.astimezone(UTC),
                    "repo": {"id": repo["id"], "name": repo["name"]},
                    "actor": {"id": actor["id"], "login": actor["login"]},
                    "payload": json.dumps(row["payload"], ensure_ascii=False),
                }
            )
    return rows


def embedded(path: Path) -> list[tuple[object, ...]]:
    return [
        tuple(row.values()) for batch in ArchiveRows(path, now=NOW) for row in batch.to_pylist()
    ]


def by_duckdb(rows: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    (text,) = sqlglot.transpile(STATEMENT, read="bigquery", write="duckdb")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("archive", pa.Table.from_pylist(rows, _ARROW))
        table = connection.sql(text).to_arrow_table().cast(SCHEMA)
    return [tuple(row.values()) for row in table.to_pylist()]


def by_google(rows: list[dict[str, Any]]) -> list[tuple[object, ...]]:
    found = googlesql.execute(STATEMENT, {"archive": googlesql.Table(ARCHIVE, rows)})
    return [tuple(row.values()) for row in found]


# --- the statement ---------------------------------------------------------------------------


def test_the_statement_is_the_one_made_from_the_field_table() -> None:
    assert extraction.extraction_sql() == STATEMENT


def test_the_table_stands_on_a_line_of_its_own() -> None:
    assert STATEMENT.splitlines().count("FROM archive") == 1
    assert STATEMENT.startswith("-- ")


@needs_google
def test_google_finds_the_columns_of_the_events_table_in_it() -> None:
    assert dict(googlesql.analyze(STATEMENT, {"archive": ARCHIVE})) == EVENTS


# --- the same rows ---------------------------------------------------------------------------


@pytest.mark.skipif(not REAL.is_dir(), reason=f"no real archive files in {REAL}")
def test_there_are_real_files_to_compare() -> None:
    assert sum(len(archive_rows(path)) for path in FILES if path.parent == REAL) > 18_000


@files
def test_the_statement_on_duckdb_and_the_reader_agree(path: Path) -> None:
    assert Counter(by_duckdb(archive_rows(path))) == Counter(embedded(path))


@needs_google
@files
def test_the_statement_on_googles_engine_and_the_reader_agree(path: Path) -> None:
    some = _some_of_each_type(archive_rows(path))
    found = Counter(by_google(some))
    assert found <= Counter(embedded(path))
    tracked = [
        row for row in some if row["type"] in TRACKED_TYPES and row["created_at"].year >= 2015
    ]
    assert found.total() == len(tracked)


def _some_of_each_type(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    met: Counter[tuple[str, bool]] = Counter()
    some = []
    for row in rows:
        kind = (row["type"], "user" in row["payload"])
        met[kind] += 1
        if met[kind] <= 3:
            some.append(row)
    return some


_VALUES = (
    '"12"', '" 7\\t"', '"0x1F"', '"-0x8"', '"+3"', '"0x"', '"1_0"', '"\\u0661"', '"\\u00a01"', '""',
    "5", "-0", "5.0", "1e3", "1E400", "9223372036854775807", "9223372036854775808",
    "-9223372036854775809", "true", "false", '"TRUE"', '"False"', '" true"', '"t"', "null",
    "{}", "[]", "[1]", '{"id":1,"number":2}', '"x\\u0000y"', '"\\u2028"', '"\\"\\\\"',
    '[{"distinct":true},{"distinct":"True"},{"distinct":1},null,{},[true],"distinct"]',
)  # fmt: skip
_PATHS = [path for field in FIELDS for path in field.payload]


def _odd_payloads() -> Iterator[str]:
    """Every value at every path, and two paths of one column against each other."""
    for path in _PATHS:
        for value in _VALUES:
            yield _at(path, value)
    for field in FIELDS:
        for first, second in zip(field.payload, field.payload[1:], strict=False):
            for value in ("null", "{}", '"7"', '"seven"', "true"):
                yield f"{_at(first, value)[:-1]},{_at(second, '8')[1:]}"


def _at(path: str, value: str) -> str:
    for name in reversed(path.split(".")):
        value = f'{{"{name}":{value}}}'
    return value


@needs_google
def test_odd_values_are_read_as_google_reads_them(tmp_path: Path) -> None:
    rows = [
        {
            "id": str(number),
            "type": "PushEvent",
            "created_at": datetime(2020, 1, 1, tzinfo=UTC),
            "repo": {"id": 1, "name": "o/r"},
            "actor": {"id": 2, "login": "mira"},
            "payload": payload,
        }
        for number, payload in enumerate(_odd_payloads())
    ]
    path = tmp_path / "odd.json"
    lines = [
        json.dumps({**row, "created_at": "2020-01-01T00:00:00Z", "payload": "@"}).replace(
            '"@"', str(row["payload"])
        )
        for row in rows
    ]
    path.write_text("\n".join(lines))
    expected = {row[0]: row for row in by_google(rows)}
    assert {row[0]: row for row in embedded(path)} == expected
    assert len(expected) == len(rows) > 900
