"""The texts that BigQuery runs: the files of ``shared/sql`` around which our tables are put.

Nothing but checked names of tables and files of ours goes into a text; values are parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from infra.gcp.bigquery_names import Place
from infra.gcp.table_definitions import REVISION, SOURCE_DAY
from shared.forgetting import ACTOR, AUTHOR, ID_COLUMNS, LISTS
from shared.statements import statement
from shared.tables import COLUMNS, EVENTS, Dataset

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
        f"FROM (\n{surviving(rows)}\n)"
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


def surviving(source: str) -> str:
    """Rows of the archive without ``@removed_ids``, as ``shared.forgetting`` leaves them."""
    return (
        f"SELECT * REPLACE ({_blanked(ACTOR[:3], 'removed_ids')}, "
        f"{_blanked(AUTHOR[:3], 'removed_ids')})\n"
        f"FROM (\n{source}\n)\nWHERE NOT ({_DONE.replace('@@', '@removed_ids')})"
    )


def held(table: str, dataset: Dataset) -> str:
    """The revisions that hold ``@account_ids``: rows that name them, and those that will be left.

    ``table`` is the full name; a table without revisions is one.
    """
    return (
        f"SELECT {REVISION}, COUNTIF({_named(dataset)}) AS changed,\n"
        f"  COUNTIF(NOT ({_dropped(dataset)})) AS remaining\n"
        f"FROM `{table}`\nGROUP BY {REVISION}\nHAVING changed > 0\nORDER BY {REVISION}"
    )


def forgotten(table: str, dataset: Dataset) -> tuple[str, ...]:
    """The changes that take ``@account_ids`` out of a table's rows, one after the other."""
    removal = f"DELETE FROM `{table}`\nWHERE {_dropped(dataset)}"  # noqa: S608
    blanks = [_blank(name, ids) for name, ids in _BLANKED[dataset]]
    blanks += [_LIST.replace("@@", name) for name in LISTS if name in COLUMNS[dataset]]
    if not blanks:
        return (removal,)
    listed = ",\n  ".join(blanks)
    change = f"UPDATE `{table}`\nSET\n  {listed}\nWHERE {_named(dataset)}"
    return removal, change


def own_jobs(place: Place) -> str:
    """What BigQuery's books say of our queries, newest first."""
    return _OWN_JOBS.replace("@@region", f"region-{place.location.lower()}")


_IS_MERGE = (
    "COALESCE(event_type = 'PullRequestEvent' AND (action = 'merged' "
    "OR (action = 'closed' AND merged)), FALSE)"
)
_AUTHORED = "COALESCE(author_id IN UNNEST(@@), FALSE)"
_DONE = (
    f"(COALESCE(actor_id IN UNNEST(@@), FALSE) AND (NOT {_IS_MERGE} OR {_AUTHORED})) "
    f"OR (COALESCE(action = 'opened', FALSE) AND {_AUTHORED})"
)
"""Rows that go. ``@@`` stands for the parameter of ids."""

_LIST = """\
@@ = IF(
    @@ IS NULL,
    NULL,
    CONCAT('[', ARRAY_TO_STRING(ARRAY(
      SELECT CAST(entry AS STRING)
      FROM UNNEST(JSON_QUERY_ARRAY(@@, '$')) AS entry
      WHERE COALESCE(SAFE_CAST(JSON_VALUE(entry, '$.id') AS INT64), 0) NOT IN UNNEST(@account_ids)
    ), ','), ']')
  )"""

_BLANKED: Mapping[Dataset, tuple[tuple[str, str], ...]] = {
    Dataset.EVENTS: (
        *((name, "actor_id") for name in ACTOR),
        *((name, "author_id") for name in AUTHOR if name in EVENTS),
    ),
    Dataset.GITHUB_EVENTS: (
        *((name, "actor_id") for name in ACTOR),
        *((name, "author_id") for name in AUTHOR),
    ),
    Dataset.CONTRIBUTIONS: (("actor_id", "actor_id"), ("actor_login", "actor_id")),
    Dataset.STANDINGS: (),
}
"""Columns that lose their value, by the column of the id that decides."""


def _blank(name: str, ids: str) -> str:
    return f"{name} = IF({ids} IN UNNEST(@account_ids), NULL, {name})"


def _blanked(columns: Iterable[str], parameter: str) -> str:
    names = list(columns)
    return ", ".join(
        f"IF({names[0]} IN UNNEST(@{parameter}), NULL, {name}) AS {name}" for name in names
    )


def _dropped(dataset: Dataset) -> str:
    if "contributor_id" in COLUMNS[dataset]:
        return "COALESCE(contributor_id IN UNNEST(@account_ids), FALSE)"
    return _DONE.replace("@@", "@account_ids")


def _named(dataset: Dataset) -> str:
    """Whether a row names one of ``@account_ids``."""
    parts = [
        f"COALESCE({name} IN UNNEST(@account_ids), FALSE)"
        for name in ID_COLUMNS
        if name in COLUMNS[dataset]
    ]
    parts += [_LISTED.replace("@@", name) for name in LISTS if name in COLUMNS[dataset]]
    return " OR ".join(parts)


_LISTED = (
    "EXISTS(SELECT 1 FROM UNNEST(JSON_QUERY_ARRAY(@@, '$')) AS entry "
    "WHERE SAFE_CAST(JSON_VALUE(entry, '$.id') AS INT64) IN UNNEST(@account_ids))"
)

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
