"""Standings to publish: any number of them, always the same ones, as units of a warehouse."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from infra.clock import utc_now
from infra.local.warehouse import LocalWarehouse
from shared.coverage import Captured, measure
from shared.models import iso, published_windows
from shared.ports import Json, Parameter
from shared.repositories import unit_name
from shared.scoring import DEFAULT_RULES, RuleSet
from shared.statements import windows_parameter
from shared.tables import COLUMNS, Dataset, arrow_schema

AS_OF = datetime(2025, 3, 21, tzinfo=UTC)
WINDOWS = published_windows(AS_OF)[:1]
"""Only the window ``all``: what is measured is the publication of one window."""

EVERYTHING = "everything"
"""The unit of all contributions together."""

_RECIPE = 3
"""Raised when the rows change, so that older ones are not taken for them."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is to publish."""

    contributors: int = 150_000
    standings: int = 500_000
    repositories: int = 2_000

    def scaled(self, factor: float) -> Size:
        """More or fewer contributors and standings, over as many repositories."""
        return Size(
            max(int(self.contributors * factor), 2_000),
            max(int(self.standings * factor), 5_000),
            self.repositories,
        )


# A few people contribute to many repositories, most to one or two, and one account in forty is a
# bot. Most kinds are rare, and counts fall off steeply, as they do on real boards.
_CONTRIBUTIONS = """
WITH kinds AS (
  SELECT unnest([
    {'kind': 'COMMIT', 'share': 60, 'typical': 6},
    {'kind': 'PR_OPENED', 'share': 40, 'typical': 2},
    {'kind': 'PR_MERGED', 'share': 35, 'typical': 2},
    {'kind': 'PR_REVIEWED', 'share': 15, 'typical': 3},
    {'kind': 'PR_REVIEW_COMMENT', 'share': 10, 'typical': 3},
    {'kind': 'ISSUE_OPENED', 'share': 30, 'typical': 1},
    {'kind': 'ISSUE_CLOSED', 'share': 12, 'typical': 1},
    {'kind': 'COMMENT', 'share': 100, 'typical': 3},
    {'kind': 'RELEASE', 'share': 3, 'typical': 1},
    {'kind': 'LINES_ADDED', 'share': 35, 'typical': 200},
    {'kind': 'LINES_DELETED', 'share': 30, 'typical': 80}
  ], recursive := true)
),
pairs AS (
  SELECT
    person,
    (hash(i, 'where') % $repositories)::BIGINT AS place,
    min(i) AS i
  FROM (
    SELECT i, CASE WHEN i < $contributors THEN i ELSE
      ($contributors * pow((hash(i, 'who') % 1000000) / 1e6, 3))::BIGINT END AS person
    FROM range($standings * 2) AS r(i)
  )
  GROUP BY ALL
  ORDER BY i
  LIMIT $standings
),
standings AS (
  SELECT
    1000 + place AS repo_id,
    100000 + person * 7 AS contributor_id,
    person % 40 = 7 AS is_bot,
    'contributor-' || (hash(person) % 100000000) AS login,
    hash(i, 'dice') AS dice
  FROM pairs
)
SELECT
  repo_id,
  kind,
  '1' AS subject,
  contributor_id,
  login || CASE WHEN is_bot THEN '[bot]' ELSE '' END AS contributor_login,
  CASE WHEN is_bot THEN 'Bot' ELSE 'User' END AS contributor_type,
  $as_of::TIMESTAMPTZ - to_hours((1 + hash(dice, kind, 'when') % 9600)::INTEGER) AS occurred_at,
  1 + (typical / (0.02 + (hash(dice, kind, 'many') % 1000) / 1000.0))::BIGINT AS quantity,
  false AS self_merged,
  (hash(dice, kind) % 1000000000)::VARCHAR AS event_id
FROM standings, kinds
WHERE hash(dice, kind, 'any') % 100 < share
ORDER BY repo_id, kind, contributor_id
"""


def warehouse_of(size: Size, cache: Path) -> LocalWarehouse:
    """The warehouse that holds these standings, built on first use."""
    name = f"standings-{size.standings}-of-{size.contributors}-in-{size.repositories}"
    folder = cache / f"{name}-{_RECIPE}"
    if not folder.exists():
        unfinished = cache / f"{folder.name}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        warehouse = LocalWarehouse(unfinished, now=utc_now)
        _fill(warehouse, size)
        warehouse.close()
        unfinished.rename(folder)
    return LocalWarehouse(folder, now=utc_now)


def count_parameters(
    size: Size, rules: RuleSet, some: slice = slice(None)
) -> Mapping[str, Parameter]:
    """The parameters of count_standings.sql for all repositories, or for some of them."""
    return {
        "repo_ids": [1000 + place for place in range(size.repositories)][some],
        "windows": windows_parameter(WINDOWS),
        "rule_set": rules.parameter,
    }


def _fill(warehouse: LocalWarehouse, size: Size) -> None:
    warehouse.replace(
        Dataset.CONTRIBUTIONS, EVERYTHING, _contributions(size).to_batches(65_536), {}
    )
    rows = warehouse.query("count_standings", count_parameters(size, DEFAULT_RULES))
    rows = rows.select(list(COLUMNS[Dataset.STANDINGS]))
    rows = rows.cast(arrow_schema(COLUMNS[Dataset.STANDINGS])).combine_chunks()
    for repo_id, start, stop in _stretches(rows["repo_id"].to_pylist()):
        piece = rows.slice(start, stop - start)
        warehouse.replace(
            Dataset.STANDINGS, unit_name(repo_id), piece.to_batches(), _about(repo_id)
        )


def _contributions(size: Size) -> pa.Table:
    schema = arrow_schema(COLUMNS[Dataset.CONTRIBUTIONS])
    with duckdb.connect() as connection:
        rows = connection.sql(
            _CONTRIBUTIONS,
            params={
                "contributors": size.contributors,
                "standings": size.standings,
                "repositories": size.repositories,
                "as_of": AS_OF.isoformat(),
            },
        ).to_arrow_table()
    columns = [
        rows[name].cast(type_) if name in rows.column_names else pa.nulls(len(rows), type_)
        for name, type_ in zip(schema.names, schema.types, strict=True)
    ]
    return pa.table(columns, schema=schema)


def _stretches(values: list[int]) -> list[tuple[int, int, int]]:
    """Each value with where it begins and ends, of values in order."""
    begins = [n for n, value in enumerate(values) if n == 0 or value != values[n - 1]]
    return [
        (values[begin], begin, end)
        for begin, end in zip(begins, [*begins[1:], len(values)], strict=True)
    ]


def _about(repo_id: int) -> dict[str, Json]:
    coverage = measure(WINDOWS[0], Captured(frozenset(), AS_OF), pa.table({"window_name": []}))
    return {
        "repo_id": repo_id,
        "as_of": iso(AS_OF),
        "facts": f"{repo_id:064x}",
        "rules": DEFAULT_RULES.digest,
        "coverage": {"all": coverage.model_dump(mode="json")},
    }
