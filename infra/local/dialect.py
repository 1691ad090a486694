"""BigQuery's statements as DuckDB runs them: sqlglot, and the few places where it needs help."""

from __future__ import annotations

from functools import cache

import sqlglot
from sqlglot import exp

from shared.statements import statement


def _membership(node: exp.Expression) -> exp.Expression:
    """``x IN UNNEST(@ids)`` as a semi-join, which DuckDB pushes into the Parquet scan.

    sqlglot spells out three-valued logic instead, and no row group would be skipped.
    """
    unnest = node.args.get("unnest") if isinstance(node, exp.In) else None
    if unnest is None:
        return node
    (ids,) = unnest.expressions
    wanted = exp.select(exp.func("UNNEST", ids.copy())).subquery()
    return exp.In(this=node.this.copy(), query=wanted)


def _whole_sum(node: exp.Expression) -> exp.Expression:
    """SUM and COUNTIF as INT64, with BigQuery's error on overflow; DuckDB widens to 128 bits."""
    if isinstance(node, exp.Sum | exp.CountIf) and not isinstance(node.parent, exp.Cast):
        return exp.cast(node.copy(), exp.DType.BIGINT)
    return node


@cache
def _parsed(name: str) -> exp.Expr:
    return sqlglot.parse_one(statement(name), read="bigquery")


@cache
def duckdb_text(name: str) -> str:
    """The statement ``name`` for DuckDB, with ``$parameter`` for ``@parameter``."""
    return as_duckdb(_parsed(name))


def as_duckdb(tree: exp.Expr) -> str:
    """A statement in BigQuery's dialect as text for DuckDB."""
    return tree.transform(_membership).transform(_whole_sum).sql(dialect="duckdb", comments=False)


@cache
def tables_of(name: str) -> frozenset[str]:
    """The datasets that the statement ``name`` reads."""
    tree = _parsed(name)
    defined = {cte.alias for cte in tree.find_all(exp.CTE)}
    return frozenset(table.name for table in tree.find_all(exp.Table)) - defined
