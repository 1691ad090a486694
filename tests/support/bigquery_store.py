"""Datasets and tables of the stand-in for BigQuery: their metadata here, their rows in DuckDB."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import duckdb

_DUCKDB = {
    "STRING": "VARCHAR",
    "INTEGER": "BIGINT",
    "INT64": "BIGINT",
    "BOOLEAN": "BOOLEAN",
    "BOOL": "BOOLEAN",
    "FLOAT": "DOUBLE",
    "FLOAT64": "DOUBLE",
    "TIMESTAMP": "TIMESTAMPTZ",
    "DATE": "DATE",
}
_SIZES = {"BOOLEAN": "1", "VARCHAR": "2 + strlen({path})"}

Name = tuple[str, str, str]
"""Project, dataset and table, without a partition."""


class BigQueryError(Exception):
    """What BigQuery answers in place of a result."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


def missing(what: str) -> BigQueryError:
    return BigQueryError(404, "notFound", f"Not found: {what}")


@dataclass
class StoredTable:
    """A table's metadata as it was given, and the types of all that can be named in it."""

    name: Name
    resource: dict[str, Any]
    modified: int = field(default_factory=lambda: millis())

    @property
    def partition_field(self) -> str | None:
        found: str | None = self.resource.get("timePartitioning", {}).get("field")
        return found

    @property
    def clustering(self) -> list[str]:
        return list(self.resource.get("clustering", {}).get("fields", []))

    @property
    def sql_name(self) -> str:
        return quoted(self.name)

    def leaves(self) -> dict[str, str]:
        """DuckDB's type of every column and of every field of a record, by its dotted name."""
        return dict(_leaves(self.resource["schema"]["fields"], ""))


def quoted(name: Name) -> str:
    project, dataset, table = name
    return f'"{project}.{dataset}"."{table}"'


def millis() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


def _leaves(fields: Sequence[Mapping[str, Any]], before: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for each in fields:
        name = f"{before}{each['name']}"
        if each["type"] in {"RECORD", "STRUCT"}:
            found += _leaves(each["fields"], f"{name}.")
        else:
            found.append((name, _DUCKDB[each["type"]]))
    return found


def _column_type(each: Mapping[str, Any]) -> str:
    if each["type"] in {"RECORD", "STRUCT"}:
        inner = ", ".join(f'"{f["name"]}" {_column_type(f)}' for f in each["fields"])
        type_ = f"STRUCT({inner})"
    else:
        type_ = _DUCKDB[each["type"]]
    return f"{type_}[]" if each.get("mode") == "REPEATED" else type_


class Store:
    """Every project, dataset and table of one server."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.engine = duckdb.connect(
            config={"memory_limit": "4GB", "threads": 2, "autoinstall_known_extensions": False}
        )
        self.engine.execute("SET GLOBAL TimeZone = 'UTC'")
        # So that a plan names every column that the text does, whatever the rows happen to be.
        self.engine.execute(
            "SET GLOBAL disabled_optimizers = 'statistics_propagation,empty_result_pullup'"
        )
        self.datasets: dict[tuple[str, str], dict[str, Any]] = {}
        self.tables: dict[Name, StoredTable] = {}

    def create_dataset(self, project: str, dataset: str, resource: dict[str, Any]) -> None:
        with self.lock:
            if (project, dataset) in self.datasets:
                raise BigQueryError(409, "duplicate", f"Already Exists: {project}:{dataset}")
            self.datasets[project, dataset] = {"location": "US", **resource}
            self.engine.execute(f'CREATE SCHEMA IF NOT EXISTS "{project}.{dataset}"')

    def create(self, name: Name, resource: dict[str, Any]) -> StoredTable:
        with self.lock:
            if name[:2] not in self.datasets:
                raise missing(f"Dataset {name[0]}:{name[1]}")
            if name in self.tables:
                raise BigQueryError(409, "duplicate", f"Already Exists: Table {'.'.join(name)}")
            columns = ", ".join(
                f'"{each["name"]}" {_column_type(each)}' for each in resource["schema"]["fields"]
            )
            self.engine.execute(f"CREATE TABLE {quoted(name)} ({columns})")
            self.tables[name] = StoredTable(name, resource)
            return self.tables[name]

    def table(self, name: Name) -> StoredTable:
        """The table, with or without a partition behind its name."""
        found = self.tables.get(split(name)[0])
        if found is None:
            raise missing(f"Table {name[0]}:{name[1]}.{name[2]}")
        return found

    def delete(self, name: Name) -> None:
        with self.lock:
            table, day = self.table(name), split(name)[1]
            if day is not None:
                self.clear(table, day)
                return
            self.engine.execute(f"DROP TABLE {table.sql_name}")
            del self.tables[table.name]

    def clear(self, table: StoredTable, day: date | None) -> None:
        """Empty a table, or one day of it."""
        self.engine.execute(f"DELETE FROM {table.sql_name} WHERE {within(table, day)}")

    def count(self, table: StoredTable, day: date | None = None) -> int:
        return int(self._one(f"SELECT COUNT(*) FROM {table.sql_name} WHERE {within(table, day)}"))

    def size(
        self, table: StoredTable, leaves: Mapping[str, str] | None = None, where: str = "TRUE",
        parameters: Mapping[str, object] | None = None,
    ) -> int:  # fmt: skip
        """The logical bytes of some columns, null ones none, in the rows ``where`` holds for."""
        sizes = [
            f"COALESCE(SUM(CASE WHEN {path} IS NOT NULL THEN {size} ELSE 0 END), 0)"
            for name, type_ in (table.leaves() if leaves is None else leaves).items()
            for path in ['"' + '"."'.join(name.split(".")) + '"']
            for size in [_SIZES.get(type_, "8").format(path=path)]
        ]
        if not sizes:
            return 0
        return int(
            self._one(f"SELECT {' + '.join(sizes)} FROM {table.sql_name} AS t WHERE {where}",
                      parameters)
        )  # fmt: skip

    def resource(self, name: Name) -> dict[str, Any]:
        """A table as the REST interface shows it."""
        table, day = self.table(name), split(name)[1]
        project, dataset, _ = name
        return {
            **table.resource,
            "kind": "bigquery#table",
            "id": f"{project}:{dataset}.{name[2]}",
            "type": "TABLE",
            "tableReference": {"projectId": project, "datasetId": dataset, "tableId": name[2]},
            "numRows": str(self.count(table, day)),
            "numBytes": str(self.size(table, where=within(table, day))),
            "creationTime": str(table.modified),
            "lastModifiedTime": str(table.modified),
            "location": self.datasets[name[:2]]["location"],
        }

    def _one(self, text: str, parameters: Mapping[str, object] | None = None) -> Any:
        with self.engine.cursor() as cursor:
            found = cursor.execute(text, dict(parameters or {})).fetchone()
        return found[0] if found else None


def split(name: Name) -> tuple[Name, date | None]:
    """A table's name, and the day of the partition that stands behind ``$``."""
    table, dollar, day = name[2].partition("$")
    found = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).date() if dollar else None
    return (name[0], name[1], table), found


def within(table: StoredTable, day: date | None) -> str:
    """The condition for the rows of a partition."""
    if day is None:
        return "TRUE"
    return f"CAST(\"{table.partition_field}\" AS DATE) = DATE '{day}'"
