"""Queries of the stand-in for BigQuery: run by DuckDB, billed as BigQuery does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from infra.local.dialect import as_duckdb
from tests.support.bigquery_store import BigQueryError, Name, Store, StoredTable, missing

MIB = 1 << 20
_TYPES = {"INT64": "BIGINT", "STRING": "VARCHAR", "BOOL": "BOOLEAN", "TIMESTAMP": "TIMESTAMPTZ",
          "DATE": "DATE", "FLOAT64": "DOUBLE"}  # fmt: skip
_COLUMN = re.compile(r'"?(\w+)"?')


@dataclass
class Scan:
    """What a query reads of a table: the columns, the bytes of all and those after pruning."""

    table: Name
    columns: tuple[str, ...]
    estimated: int
    billed: int


@dataclass
class Ran:
    """A query's result and what it is billed for."""

    rows: pa.Table
    scans: list[Scan] = field(default_factory=list)
    affected: int | None = None


def billed(scans: list[Scan], *, estimate: bool = False) -> int:
    """10 MB a table at least, whole MB."""
    sizes = [scan.estimated if estimate else scan.billed for scan in scans]
    return sum(max(10 * MIB, -(-size // MIB) * MIB) for size in sizes)


def parameters_of(query: Mapping[str, Any]) -> dict[str, tuple[str, object]]:
    """DuckDB's type and the value of each parameter of a query's configuration."""
    return {
        each["name"]: _parameter(each["parameterType"], each["parameterValue"])
        for each in query.get("queryParameters", ())
    }


def _parameter(type_: Mapping[str, Any], value: Mapping[str, Any]) -> tuple[str, object]:
    if type_["type"] == "ARRAY":
        element = type_["arrayType"]
        values = [_parameter(element, each)[1] for each in value.get("arrayValues", ())]
        return f"{_TYPES[element['type']]}[]", values
    return _TYPES[type_["type"]], _scalar(type_["type"], value.get("value"))


def _scalar(type_: str, text: str | None) -> object:
    if text is None:
        return None
    match type_:
        case "INT64":
            return int(text)
        case "BOOL":
            return {"true": True, "false": False}[text.lower()]
        case "TIMESTAMP":
            return datetime.fromisoformat(text).astimezone(UTC)
        case "DATE":
            return date.fromisoformat(text)
    return text


class Query:
    """A text with its parameters, over the tables of a store."""

    def __init__(
        self, store: Store, text: str, parameters: Mapping[str, tuple[str, object]],
        views: Mapping[str, pa.Table],
    ) -> None:  # fmt: skip
        self._store = store
        self._parameters = parameters
        self._views = views
        try:
            self._tree = sqlglot.parse_one(text, read="bigquery")
        except sqlglot.errors.ParseError as error:
            raise BigQueryError(400, "invalidQuery", f"Syntax error: {error}") from error
        self.tables = list(self._name_tables())
        self._type_parameters()
        self._text = as_duckdb(self._tree)
        self.is_delete = isinstance(self._tree, exp.Delete | exp.Update)

    def run(self) -> Ran:
        """Run it. Raises BigQueryError as BigQuery would refuse it."""
        scans = self.scans()
        with self._cursor() as cursor:
            try:
                if self.is_delete:
                    found = cursor.execute(self._text, self._values())
                    (count,) = found.fetchone() or (0,)
                    return Ran(pa.table({}), scans, int(count))
                rows = cursor.sql(self._text, params=self._values()).to_arrow_table()
                return Ran(rows, scans)
            except duckdb.Error as error:
                raise BigQueryError(400, "invalidQuery", str(error)) from error

    def insert(self, table: StoredTable) -> Ran:
        """Put the rows into a table."""
        scans = self.scans()
        with self._cursor() as cursor:
            try:
                found = cursor.execute(
                    f"INSERT INTO {table.sql_name} BY NAME ({self._text})", self._values()
                )
                (count,) = found.fetchone() or (0,)
            except duckdb.Error as error:
                raise BigQueryError(400, "invalidQuery", str(error)) from error
        return Ran(pa.table({"rows": pa.array([None] * int(count))}), scans)

    def schema(self) -> pa.Schema:
        with self._cursor() as cursor:
            try:
                text = f"SELECT * FROM ({self._text}) LIMIT 0"
                rows = cursor.sql(text, params=self._values())
                return rows.to_arrow_table().schema
            except duckdb.Error as error:
                raise BigQueryError(400, "invalidQuery", str(error)) from error

    def scans(self) -> list[Scan]:
        """What is read of each table, by the plan that DuckDB makes."""
        named = self._named_columns()
        return [self._scan(table, named.get(table.name, set())) for table in self.tables]

    def _scan(self, table: StoredTable, columns: set[str]) -> Scan:
        leaves = table.leaves()
        if self.is_delete:
            columns = set(leaves)
        read = {
            name: type_ for name, type_ in leaves.items()
            if name in columns or name.split(".")[0] in columns
        }  # fmt: skip
        partitions = self._condition([table.partition_field] if table.partition_field else [])
        blocks = "TRUE" if self.is_delete else self._condition(table.clustering)
        estimated = self._store.size(table, read, partitions, self._used(partitions))
        pruned = f"({partitions}) AND ({blocks})"
        least = self._store.size(table, read, pruned, self._used(pruned))
        return Scan(table.name, tuple(sorted(read)), estimated, least)

    def _condition(self, columns: list[str]) -> str:
        """What the text asks of these columns with nothing but parameters: BigQuery prunes by it.

        Where it asks different things in different places, all of them are read.
        """
        parts = []
        for column in columns:
            asked = {
                as_duckdb(_bare(conjunct))
                for where in self._tree.find_all(exp.Where)
                for conjunct in _conjuncts(where.this)
                if _compares(conjunct, column)
            }
            if asked:
                parts.append("(" + " OR ".join(sorted(asked)) + ")")
        return " AND ".join(parts) or "TRUE"

    def _named_columns(self) -> dict[Name, set[str]]:
        with self._cursor() as cursor:
            try:
                (plan,) = cursor.execute(
                    f"EXPLAIN (FORMAT JSON) {self._text}", self._values()
                ).fetchall()
            except duckdb.Error as error:
                raise BigQueryError(400, "invalidQuery", str(error)) from error
        found: dict[Name, set[str]] = {}
        by_sql = {f"memory.{_plain(table.sql_name)}": table for table in self.tables}
        for node in _nodes(json.loads(plan[1])):
            extra = node.get("extra_info") or {}
            table = by_sql.get(_plain(str(extra.get("Table", ""))))
            if table is None:
                continue
            projections = extra.get("Projections") or []
            texts = [projections] if isinstance(projections, str) else list(projections)
            filters = extra.get("Filters") or []
            words = set(_COLUMN.findall(str(filters)))
            columns = {text.strip().replace('"', "") for text in texts}
            found.setdefault(table.name, set()).update(
                columns | (words & {leaf.split(".")[0] for leaf in table.leaves()})
            )
        return found

    def _name_tables(self) -> Iterator[StoredTable]:
        """Put DuckDB's names in place of BigQuery's, and yield the tables."""
        bindings = {cte.alias for cte in self._tree.find_all(exp.CTE)}
        seen: set[Name] = set()
        for node in list(self._tree.find_all(exp.Table)):
            if not node.args.get("db") and (node.name in bindings or not node.name):
                continue
            full = ".".join(part.name for part in node.parts)
            view = next((view for view in self._views if full.endswith(view)), None)
            if view is not None:
                node.replace(exp.to_table(_view_name(view), alias=node.alias or None))
                continue
            parts = full.split(".")
            if len(parts) != 3:
                raise missing(f"Table {full}")
            table = self._store.table((parts[0], parts[1], parts[2]))
            new = exp.Table(
                this=exp.to_identifier(parts[2], quoted=True),
                db=exp.to_identifier(f"{parts[0]}.{parts[1]}", quoted=True),
            )
            if node.alias:
                new.set("alias", exp.TableAlias(this=exp.to_identifier(node.alias)))
            node.replace(new)
            if table.name not in seen:
                seen.add(table.name)
                yield table

    def _type_parameters(self) -> None:
        for node in list(self._tree.find_all(exp.Parameter)):
            if node.name not in self._parameters:
                raise BigQueryError(400, "invalidQuery", f"Query parameter '{node.name}' not found")
            type_ = self._parameters[node.name][0]
            node.replace(exp.cast(node.copy(), exp.DataType.build(type_, dialect="duckdb")))

    def _values(self) -> dict[str, object]:
        return self._used(self._text)

    def _used(self, text: str) -> dict[str, object]:
        return {
            name: value for name, (_, value) in self._parameters.items()
            if re.search(rf"\${name}\b", text)
        }  # fmt: skip

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        cursor = self._store.engine.cursor()
        for name, table in self._views.items():
            cursor.register(_view_name(name), table)
        return cursor


def _view_name(view: str) -> str:
    return "view_" + re.sub(r"\W", "_", view).strip("_").lower()


def _plain(name: str) -> str:
    return name.replace('"', "")


def _nodes(plan: Any) -> Iterator[dict[str, Any]]:
    for node in plan:
        yield node
        yield from _nodes(node.get("children", []))


def _conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(condition, exp.And):
        yield from _conjuncts(condition.left)
        yield from _conjuncts(condition.right)
    else:
        yield condition


def _compares(conjunct: exp.Expr, column: str) -> bool:
    """Whether it compares this column, and nothing but parameters and constants with it."""
    if not isinstance(
        conjunct, exp.In | exp.EQ | exp.GTE | exp.LTE | exp.GT | exp.LT | exp.Between
    ):
        return False
    left = conjunct.this
    columns = list(conjunct.find_all(exp.Column))
    return (
        isinstance(left, exp.Column)
        and left.name == column
        and columns == [left]
        and conjunct.find(exp.Select) is None
    )


def _bare(conjunct: exp.Expr) -> exp.Expr:
    bare = conjunct.copy()
    for column in bare.find_all(exp.Column):
        column.set("table", None)
    return bare
