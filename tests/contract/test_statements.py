"""Every statement of ``shared/sql`` holds to BigQuery's rules: Google's own analyser says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from infra.local.dialect import duckdb_text, tables_of
from shared.statements import METHOD, names, statement
from shared.tables import COLUMNS, CONTRIBUTIONS, EVENTS, GITHUB_EVENTS, STANDINGS, Columns, Dataset
from tests.support import googlesql

IDS = "ARRAY<INT64>"
TEXTS = "ARRAY<STRING>"
JSON_TEXT = "STRING"

ARCHIVE: Columns = {
    "id": "STRING",
    "type": "STRING",
    "created_at": "TIMESTAMP",
    "public": "BOOL",
    "payload": "STRING",
    "repo": "STRUCT<id INT64, name STRING, url STRING>",
    "actor": "STRUCT<id INT64, login STRING, gravatar_id STRING, avatar_url STRING, url STRING>",
    "org": "STRUCT<id INT64, login STRING, gravatar_id STRING, avatar_url STRING, url STRING>",
    "other": "STRING",
}
"""The columns of GH Archive's public tables, as far as a statement may use them."""

TABLES: Mapping[str, Columns] = {"archive": ARCHIVE} | {str(d): COLUMNS[d] for d in Dataset}


@dataclass(frozen=True)
class Signature:
    """What a statement reads and asks for; ``yields`` are its columns where a table says them."""

    tables: frozenset[str]
    parameters: Mapping[str, str] = field(default_factory=dict)
    yields: Columns | None = None


def reads(table: str, *, yields: Columns | None = None, **parameters: str) -> Signature:
    return Signature(frozenset({table}), parameters, yields)


STATEMENTS: Mapping[str, Signature] = {
    "compact_github_events": reads(
        "github_events", repo_ids=IDS, reread=JSON_TEXT, yields=GITHUB_EVENTS
    ),
    "count_standings": reads(
        "contributions", repo_ids=IDS, windows=JSON_TEXT, rule_set=JSON_TEXT, yields=STANDINGS
    ),
    "credit_contributions": Signature(
        frozenset({"events", "github_events"}),
        {
            "repo_ids": IDS,
            "sources": JSON_TEXT,
            "people": JSON_TEXT,
            "agents": JSON_TEXT,
            "agent_credit": "STRING",
        },
        CONTRIBUTIONS,
    ),
    "digest_contributions": reads("contributions", repo_id="INT64"),
    "extract_events": reads("archive", yields=EVENTS),
    "find_accounts": Signature(frozenset({"events", "github_events"}), {"login": "STRING"}),
    "find_people": Signature(frozenset({"events", "github_events"}), {"account_ids": IDS}),
    "find_repositories": reads("events", names=TEXTS),
    "latest_repository_names": reads("events", repo_ids=IDS),
    "list_accounts": reads("standings", repo_ids=IDS),
    "list_co_authors": reads("github_events", repo_ids=IDS),
    "list_contributor_events": reads(
        "contributions",
        repo_ids=IDS,
        contributor_id="INT64",
        start_at="TIMESTAMP",
        end_at="TIMESTAMP",
        per_kind="INT64",
    ),
    "list_personal_contributions": reads(
        "contributions", account_ids=IDS, top="INT64", skipped="INT64", yields=CONTRIBUTIONS
    ),
    "list_personal_events": Signature(
        frozenset({"events", "github_events"}),
        {"account_ids": IDS, "top": "INT64", "skipped": "INT64"},
        {"source": "STRING", **EVENTS},
    ),
    "list_personal_standings": reads(
        "standings", account_ids=IDS, top="INT64", skipped="INT64", yields=STANDINGS
    ),
    "list_standings": reads("standings", repo_ids=IDS, window="STRING", yields=STANDINGS),
    "measure_gaps": reads("contributions", repo_id="INT64", windows=JSON_TEXT),
    "measure_numbers": Signature(frozenset({"events", "github_events"}), {"repo_ids": IDS}),
    "most_active_repositories": reads("events", top="INT64"),
    "rank_board": reads("standings", repo_ids=IDS, window="STRING", classes=JSON_TEXT),
    "tally_board": reads("contributions", repo_ids=IDS, start_at="TIMESTAMP", end_at="TIMESTAMP"),
    "tally_contributor": reads(
        "contributions",
        repo_ids=IDS,
        contributor_id="INT64",
        start_at="TIMESTAMP",
        end_at="TIMESTAMP",
    ),
    "tally_months": reads("contributions", repo_id="INT64", windows=JSON_TEXT, classes=JSON_TEXT),
}
"""Every statement, what it reads and the parameters it takes."""

every_statement = pytest.mark.parametrize("name", names())
needs_google = pytest.mark.skipif(
    not googlesql.AVAILABLE, reason="the package zetasql is not installed"
)


def test_every_statement_stands_in_the_table() -> None:
    assert sorted(STATEMENTS) == list(names())


@needs_google
@every_statement
def test_bigquery_accepts_the_statement(name: str) -> None:
    signature = STATEMENTS[name]
    columns = googlesql.analyze(
        statement(name), {table: TABLES[table] for table in signature.tables}, signature.parameters
    )
    assert columns
    if signature.yields is not None:
        assert columns == list(signature.yields.items())


@needs_google
@every_statement
def test_the_statement_asks_for_no_parameter_that_the_table_lacks(name: str) -> None:
    signature = STATEMENTS[name]
    tables = {table: TABLES[table] for table in signature.tables}
    for missing in signature.parameters:
        others = {key: type_ for key, type_ in signature.parameters.items() if key != missing}
        with pytest.raises(googlesql.AnalysisFailed, match=missing):
            googlesql.analyze(statement(name), tables, others)


@every_statement
def test_the_statement_says_in_its_first_line_what_it_yields(name: str) -> None:
    first, _, rest = statement(name).partition("\n")
    assert first.startswith("-- ")
    assert len(first) > 30
    assert rest.startswith(("SELECT", "WITH"))


@every_statement
def test_the_embedded_warehouse_reads_the_same_tables(name: str) -> None:
    assert tables_of(name) == STATEMENTS[name].tables


@every_statement
def test_the_embedded_warehouse_gets_every_parameter_by_name(name: str) -> None:
    text = duckdb_text(name)
    assert "@" not in text
    for parameter in STATEMENTS[name].parameters:
        assert f"${parameter}" in text


@every_statement
def test_the_statement_keeps_to_what_both_engines_do_alike(name: str) -> None:
    text = " ".join(line.split("--")[0] for line in statement(name).upper().splitlines())
    for kept_out in ("FLOAT64", "NUMERIC", "POW(", "FORMAT(", "PERCENT_RANK", "UNPIVOT", " / "):
        assert kept_out not in text
    assert not re.search(r"ARRAY_AGG\([^)]*LIMIT", text)


def test_the_statements_that_decide_a_board_are_part_of_every_receipt() -> None:
    assert set(METHOD) < set(names())
    with pytest.raises(FileNotFoundError):
        statement("no_such_statement")
