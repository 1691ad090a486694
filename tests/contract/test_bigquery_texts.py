"""Every text that BigQuery is given holds to Google's analyser, over the tables we define."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.gcp import bigquery_texts as texts
from infra.gcp.bigquery_names import Place, archive_dataset, archive_table, job_id, label
from infra.gcp.bigquery_parameters import _OWN
from infra.gcp.table_definitions import ARCHIVE_EVENTS, TABLES
from infra.local.dialect import tables_of
from shared.errors import Rejected
from shared.forgetting import PERSONAL
from shared.parameter_types import PARAMETERS
from shared.statements import names, statement
from shared.tables import COLUMNS, EVENTS, Columns, Dataset
from tests.contract.test_statements import ARCHIVE, STATEMENTS, needs_google
from tests.support import googlesql

PLACE = Place("my-project", "leaderboard", "US")
DAY = archive_table("githubarchive", "day.20250101")
JOBS: Columns = {
    "job_id": "STRING",
    "job_type": "STRING",
    "creation_time": "TIMESTAMP",
    "end_time": "TIMESTAMP",
    "state": "STRING",
    "labels": "ARRAY<STRUCT<key STRING, value STRING>>",
    "job_stages": "ARRAY<STRUCT<name STRING, id INT64, records_read INT64, records_written INT64>>",
    "total_bytes_processed": "INT64",
    "total_bytes_billed": "INT64",
    "total_slot_ms": "INT64",
    "cache_hit": "BOOL",
}
"""The columns of INFORMATION_SCHEMA.JOBS_BY_PROJECT that are asked for."""

CATALOG: Mapping[str, Columns] = {
    **{PLACE.table(name): table.columns for name, table in TABLES.items()},
    DAY: ARCHIVE,
    "githubarchive.day.__TABLES__": {"table_id": "STRING", "size_bytes": "INT64"},
    "region-us.INFORMATION_SCHEMA.JOBS_BY_PROJECT": JOBS,
}
TYPES = {**PARAMETERS, **_OWN}
DATASET_STATEMENTS = [name for name in names() if name != "extract_events"]
UNIT_ROWS: Mapping[str, Columns] = {
    dataset: {**COLUMNS[dataset], "unit_revision": "STRING"} for dataset in Dataset
}

OTHERS: Mapping[str, tuple[str, Columns | None]] = {
    "extraction": (texts.extraction(DAY), TABLES[ARCHIVE_EVENTS].columns),
    "description": (texts.description(DAY), {"hour": "TIMESTAMP", "last_at": "TIMESTAMP"}),
    "archive_sizes": (
        texts.archive_sizes(archive_dataset("githubarchive", "day")),
        {"name": "STRING", "size_bytes": "INT64"},
    ),
    "own_jobs": (texts.own_jobs(PLACE), None),
    **{
        f"gathering from {kind}, {'by name' if by_name else 'by id'}": (
            texts.gathering(source, by_name=by_name),
            UNIT_ROWS[Dataset.EVENTS],
        )
        for kind, source in (
            ("store", texts.stored_events(PLACE)),
            ("table", texts.extraction(DAY)),
        )
        for by_name in (True, False)
    },
    **{
        f"held in {dataset}": (texts.held(PLACE.table(dataset), dataset), None)
        for dataset in PERSONAL
    },
    **{
        f"forgotten in {table}, {number}": (text, {})
        for table, dataset in (*zip(PERSONAL, PERSONAL, strict=True), (ARCHIVE_EVENTS, PERSONAL[0]))
        for number, text in enumerate(texts.forgotten(PLACE.table(table), dataset))
    },
    **{f"sweep {dataset}": (texts.swept(dataset, PLACE), {}) for dataset in Dataset},
    "sweep events with forgotten ones": (
        texts.swept(Dataset.EVENTS, PLACE, with_forgotten=True),
        {},
    ),
}
"""Texts that are not those of ``shared/sql``, and the columns that they must yield."""


def analysed(text: str) -> dict[str, str]:
    asked = {name: TYPES[name] for name in set(re.findall(r"@(\w+)", text))}
    whole = text.replace("`region-us`.INFORMATION_SCHEMA.JOBS_BY_PROJECT",
                         "`region-us.INFORMATION_SCHEMA.JOBS_BY_PROJECT`")  # fmt: skip
    return dict(googlesql.analyze(whole, CATALOG, asked))


@needs_google
@pytest.mark.parametrize("name", DATASET_STATEMENTS)
def test_a_statement_over_our_tables_yields_what_it_does_over_its_datasets(name: str) -> None:
    datasets = {dataset.value: COLUMNS[dataset] for dataset in Dataset}
    plain = dict(googlesql.analyze(statement(name), datasets, STATEMENTS[name].parameters))
    bound = texts.bound(name, PLACE)
    assert analysed(bound) == plain
    assert analysed(texts.unit_rows(bound)) == {**plain, "unit_revision": "STRING"}


@needs_google
@pytest.mark.parametrize("name", OTHERS)
def test_the_other_texts_yield_the_columns_of_the_tables_they_fill(name: str) -> None:
    text, columns = OTHERS[name]
    found = analysed(text)
    if columns is not None:
        assert list(found.items()) == list(columns.items())


@needs_google
@pytest.mark.parametrize(
    ("name", "dataset"),
    [
        ("compact_github_events", Dataset.GITHUB_EVENTS),
        ("credit_contributions", Dataset.CONTRIBUTIONS),
        ("count_standings", Dataset.STANDINGS),
    ],
)
def test_what_is_derived_has_the_columns_of_its_table_in_their_order(
    name: str, dataset: Dataset
) -> None:
    found = analysed(texts.unit_rows(texts.bound(name, PLACE)))
    assert list(found.items()) == list(TABLES[dataset].columns.items())


@pytest.mark.parametrize("name", names())
def test_the_datasets_of_a_statement_are_those_that_its_text_reads(name: str) -> None:
    expected = tables_of(name) - {"archive"}
    assert {dataset.value for dataset in texts.datasets_of(name)} == expected


def test_the_types_of_parameters_are_those_that_the_statements_take() -> None:
    for name, signature in STATEMENTS.items():
        for parameter, type_ in signature.parameters.items():
            assert PARAMETERS[parameter] == type_, name
    assert set(PARAMETERS) == {p for s in STATEMENTS.values() for p in s.parameters}


# --- tables -----------------------------------------------------------------------------------


def test_tables_have_the_columns_of_the_datasets_and_what_the_warehouse_adds() -> None:
    assert set(TABLES) == {*Dataset, ARCHIVE_EVENTS}
    for dataset in Dataset:
        assert list(TABLES[dataset].columns.items()) == list(UNIT_ROWS[dataset].items())
    assert TABLES[ARCHIVE_EVENTS].columns == {**EVENTS, "source_day": "DATE"}


def test_tables_are_partitioned_and_clustered_by_columns_they_have() -> None:
    for table in TABLES.values():
        assert set(table.cluster_by) <= table.columns.keys()
        assert len(table.cluster_by) <= 4
        if table.partition_by:
            assert table.columns[table.partition_by] in {"DATE", "TIMESTAMP"}
        for column in table.schema:
            assert column["mode"] == "NULLABLE"
    for name in (ARCHIVE_EVENTS, Dataset.EVENTS):
        assert TABLES[name].cluster_by == ("repo_id", "actor_id")


# --- nothing of a caller's becomes text -------------------------------------------------------

EVIL = ("a`; DROP", "a b", "", "x" * 2000, "a\n", "é", "a.b.c`", "-- ", "@x")


@pytest.mark.parametrize("text", EVIL)
def test_names_that_become_text_are_checked(text: str) -> None:
    for make in (
        lambda: Place(text, "d", "US"),
        lambda: Place("project", text, "US"),
        lambda: Place("project", "d", text),
        lambda: PLACE.table(text),
        lambda: archive_table("githubarchive", text),
        lambda: archive_table(text, "day.20250101"),
        lambda: archive_dataset("githubarchive", text),
        lambda: job_id(text),
    ):
        with pytest.raises(Rejected, match="cannot be"):
            make()
    assert re.fullmatch(r"[a-z0-9_-]{0,63}", label(text))


def test_only_names_that_were_checked_and_constants_go_into_a_text() -> None:
    """What is formatted into the texts: constants, our datasets, checked names, other texts."""
    tree = ast.parse(Path(texts.__file__).read_text())
    filled = {
        ast.unparse(node.value) for node in ast.walk(tree) if isinstance(node, ast.FormattedValue)
    }
    assert filled == {
        "REVISION",
        "SOURCE_DAY",
        "_NAMED",
        "_AUTHORED",
        "_IS_MERGE",
        "name",
        "names[0]",
        "ids",  # columns of ours
        "parameter",  # two constants
        "chosen",  # two constants
        "comment",
        "newline",
        "own",
        "between",
        "listed",  # parts of texts of ours
        "text",
        "needless",
        "source",
        "surviving(rows)",
        "_dropped(dataset)",
        "_named(dataset)",
        "_DONE.replace('@@', '@removed_ids')",
        "_blanked(ACTOR[:3], 'removed_ids')",
        "_blanked(AUTHOR[:3], 'removed_ids')",
        "dataset",  # a Dataset, or the archive's by archive_dataset
        "table",  # by archive_table
        "place.table(dataset)",
        "place.table('archive_events')",
        "place.location.lower()",
        "revisions_parameter(dataset)",
    }


def test_queries_are_given_texts_of_that_module_only() -> None:
    root = Path(texts.__file__).parent
    orders = [
        ast.unparse(node.args[1])
        for path in root.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Order"
    ]
    assert orders
    assert all(order.startswith("texts.") or order == "text" for order in orders)
    sent = [
        ast.unparse(node.args[0])
        for path in root.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self._client().query"
    ]
    assert sent == ["text", "text"]
