"""The texts that BigQuery runs: the files of ``shared/sql`` around which our tables are put.

Nothing but checked names of tables and files of ours goes into a text; values are parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from infra.gcp.bigquery_names import Place
from infra.gcp.table_definitions import REVISION, SOURCE_DAY
from shared.statements import statement
from shared.tables import Dataset

APP_LABEL = "leaderboard"
"""The label of all our jobs; its value is the dataset they work for."""

_WORD = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)")


def datasets_of(name: str) -> tuple[Dataset, ...]:
    """The datasets that a statement of ``shared/sql`` reads, in the order of ``Dataset``."""
    named = set(_WORD.findall(statement(name)))
    return tuple(dataset for dataset in Dataset if dataset.value in named)


def revisions_parameter(dataset: Dataset) -> str:
    """The parameter that holds the revisions of a dataset which count."""
    return f"{dataset}_revisions"


def bound(name: str, place: Place) -> str:
    """A statement of ``shared/sql`` whose datasets are the rows that count of our tables."""
    bindings = [_binding(dataset, place) for dataset in datasets_of(name)]
    return _with(bindings, statement(name))


def unit_rows(text: str) -> str:
    """The rows of a query as those of a unit's revision."""
    return f"SELECT *, @{REVISION} AS {REVISION} FROM (\n{text})"  # noqa: S608 - constant texts


def extraction(table: str) -> str:
    """Slim events of an archive table. ``table`` is its full name.

    A row counts to the day of its table; in a month's, to the day it was created on, or to the
    first or last where that lies outside.
    """
    rows = statement("extract_events").replace("\nFROM archive\n", f"\nFROM `{table}`\n")
    return (
        f"SELECT *, LEAST(GREATEST(DATE(created_at), @table_first), @table_last) AS {SOURCE_DAY}\n"
        f"FROM (\n{rows})"
    )


def description(table: str) -> str:
    """Which hours an archive table has rows of, whatever their type, and the last row's time."""
    return (
        "SELECT TIMESTAMP_TRUNC(created_at, HOUR) AS hour, MAX(created_at) AS last_at\n"
        f"FROM `{table}`\n"
        "WHERE created_at >= TIMESTAMP '2015-01-01 00:00:00+00'\n"
        "GROUP BY hour\nORDER BY hour"
    )


def archive_sizes(dataset: str) -> str:
    """Names and sizes of the archive's tables. ``dataset`` is its full name."""
    return (
        f"SELECT table_id AS name, size_bytes\nFROM `{dataset}.__TABLES__`\n"
        "WHERE table_id BETWEEN @first_table AND @last_table\nORDER BY name"
    )


def gathering(source: str, *, by_name: bool) -> str:
    """Rows of some repositories as those of a unit's revision. ``source`` is a query's text.

    Without names there is nothing but the ids to compare with, which lets BigQuery skip blocks.
    """
    chosen = "repo_id IN UNNEST(@repo_ids)"
    bindings = [f"source AS (\n{source})"]
    if by_name:
        bindings.append(f"named AS (\n{_NAMED})")
        chosen += " OR repo_id IN (SELECT repo_id FROM named)"
    return _with(
        bindings,
        f"SELECT * EXCEPT ({SOURCE_DAY}), @{REVISION} AS {REVISION}\n"
        f"FROM source\nWHERE {SOURCE_DAY} BETWEEN @first_day AND @last_day AND ({chosen})",
    )


def stored_events(place: Place) -> str:
    """The rows of the store of extracted days."""
    return (
        f"SELECT *\nFROM `{place.table('archive_events')}`\n"
        f"WHERE {SOURCE_DAY} BETWEEN @first_day AND @last_day"
    )


def swept(dataset: Dataset, place: Place, *, with_forgotten: bool = False) -> str:
    """Removes what no reader can be reading any more, nor writer be about to list."""
    needless = f"{REVISION} NOT IN UNNEST(@kept)"
    if with_forgotten:
        needless += " OR repo_id IN UNNEST(@forgotten)"
    return (
        f"DELETE FROM `{place.table(dataset)}`\n"  # noqa: S608
        f"WHERE {REVISION} < @before AND ({needless})"
    )


def own_jobs(place: Place) -> str:
    """What BigQuery's books say of our queries, newest first."""
    return _OWN_JOBS.replace("@@region", f"region-{place.location.lower()}")


_NAMED = f"""\
SELECT LOWER(repo_name) AS name, repo_id, MAX(created_at) AS seen_at
FROM source
WHERE {SOURCE_DAY} BETWEEN @first_day AND @last_day AND LOWER(repo_name) IN UNNEST(@names)
GROUP BY name, repo_id
QUALIFY ROW_NUMBER() OVER (PARTITION BY name ORDER BY seen_at DESC, repo_id DESC) = 1
"""  # noqa: S608 - constant

_OWN_JOBS = """\
SELECT
  job_id,
  (SELECT MAX(l.value) FROM UNNEST(labels) AS l WHERE l.key = 'statement') AS statement,
  (SELECT MAX(l.value) FROM UNNEST(labels) AS l WHERE l.key = 'job') AS job,
  creation_time AS started_at,
  TIMESTAMP_DIFF(end_time, creation_time, MILLISECOND) AS duration_ms,
  (SELECT ANY_VALUE(s.records_written HAVING MAX s.id) FROM UNNEST(job_stages) AS s) AS row_count,
  total_bytes_processed AS bytes_processed,
  total_bytes_billed AS bytes_billed,
  total_slot_ms AS slot_ms,
  cache_hit,
  state = 'DONE' AS done
FROM `@@region`.INFORMATION_SCHEMA.JOBS_BY_PROJECT
WHERE
  creation_time >= @since
  AND job_type = 'QUERY'
  AND EXISTS (SELECT 1 FROM UNNEST(labels) AS l WHERE l.key = 'leaderboard' AND l.value = @dataset)
ORDER BY creation_time DESC, job_id
LIMIT @most
"""


def _binding(dataset: Dataset, place: Place) -> str:
    return (
        f"{dataset} AS (\n  SELECT * EXCEPT ({REVISION})\n"  # noqa: S608 - constants
        f"  FROM `{place.table(dataset)}`\n"
        f"  WHERE {REVISION} IN UNNEST(@{revisions_parameter(dataset)})\n)"
    )


def _with(bindings: Iterable[str], text: str) -> str:
    """The query with bindings before its own."""
    comment, newline, query = text.partition("\n") if text.startswith("--") else ("", "", text)
    own = query.removeprefix("WITH ")
    listed = ",\n\n".join(bindings)
    if not listed:
        return text
    between = ",\n\n" if own != query else "\n\n"
    return f"{comment}{newline}WITH {listed}{between}{own}"
