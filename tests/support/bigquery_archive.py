"""Raw archive files as tables of the loopback BigQuery: GH Archive's columns, payload as text."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.support.bigquery_server import BigQueryServer

ARCHIVE_PROJECT = "githubarchive"

_NAMED = [("id", "INTEGER"), ("name", "STRING"), ("url", "STRING")]
_PERSON = [
    ("id", "INTEGER"),
    *((n, "STRING") for n in ("login", "gravatar_id", "avatar_url", "url")),
]


def _record(name: str, fields: Sequence[tuple[str, str]]) -> dict[str, Any]:
    inner = [{"name": field, "type": type_} for field, type_ in fields]
    return {"name": name, "type": "RECORD", "fields": inner}


SCHEMA: list[dict[str, Any]] = [
    {"name": "type", "type": "STRING"},
    {"name": "public", "type": "BOOLEAN"},
    {"name": "payload", "type": "STRING"},
    _record("repo", _NAMED),
    _record("actor", _PERSON),
    _record("org", _PERSON),
    {"name": "created_at", "type": "TIMESTAMP"},
    {"name": "id", "type": "STRING"},
    {"name": "other", "type": "STRING"},
]
"""The columns of ``githubarchive.day.*`` and ``month.*``."""

_ARROW = {"STRING": pa.string(), "INTEGER": pa.int64(), "BOOLEAN": pa.bool_()}


def publish(
    server: BigQueryServer, table: str, rows: Iterable[dict[str, Any]], *,
    project: str = ARCHIVE_PROJECT, stated_bytes: int | None = None,
) -> None:  # fmt: skip
    """Make an archive table, such as ``day.20150101``, of rows as ``archive_rows`` reads them."""
    period, name = table.split(".")
    if (project, period) not in server.store.datasets:
        server.store.create_dataset(project, period, {})
    resource: dict[str, Any] = {"schema": {"fields": SCHEMA}}
    if stated_bytes is not None:
        resource["statedBytes"] = stated_bytes
    stored = server.store.create((project, period, name), resource)
    with server.store.engine.cursor() as cursor:
        cursor.register("given", pa.Table.from_pylist(list(rows), _arrow()))
        cursor.execute(f"INSERT INTO {stored.sql_name} BY NAME SELECT * FROM given")


def archive_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a raw file as BigQuery's tables hold them; what is no event is left out."""
    for line in gzip.decompress(path.read_bytes()).split(b"\n"):
        for row in _objects(line.decode(errors="replace")):
            read = _read(row)
            if read is not None:
                yield read


def _read(row: dict[str, Any]) -> dict[str, Any] | None:
    repo, actor, at = row.get("repo"), row.get("actor"), row.get("created_at")
    if not (isinstance(repo, dict) and isinstance(actor, dict) and at):
        return None
    return {
        "type": row["type"],
        "public": row.get("public"),
        "payload": json.dumps(row["payload"], ensure_ascii=False),
        "repo": repo,
        "actor": actor,
        "org": row.get("org"),
        "created_at": datetime.fromisoformat(at).astimezone(UTC),
        "id": str(row["id"]),
        "other": None,
    }


def _objects(text: str) -> Iterator[dict[str, Any]]:
    decoder, position = json.JSONDecoder(), 0
    while (found := re.compile(r'\{"(?:id|actor|type)":').search(text, position)) is not None:
        try:
            row, position = decoder.raw_decode(text, found.start())
        except ValueError:
            position = found.start() + 1
        else:
            if "payload" in row:
                yield row


def _arrow() -> pa.Schema:
    def of(each: dict[str, Any]) -> pa.DataType:
        if each["type"] == "RECORD":
            return pa.struct([(field["name"], of(field)) for field in each["fields"]])
        return pa.timestamp("us", tz="UTC") if each["type"] == "TIMESTAMP" else _ARROW[each["type"]]

    return pa.schema([(each["name"], of(each)) for each in SCHEMA])
