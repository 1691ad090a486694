"""The rules give the same rows on DuckDB, in Google's reference engine and in the oracle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from shared.models import Window
from shared.statements import METHOD, names, windows_parameter
from shared.tables import COUNT_COLUMNS, Dataset
from tests.support import googlesql, oracle
from tests.support.case_runs import (
    ALL,
    Run,
    credited_by_reference,
    on_duckdb,
    on_reference,
    reading,
    repositories,
    slim_events,
    window,
)
from tests.support.engines import Duck, Parameters, Rows, reference
from tests.support.lines import ANA, BEN, ENGINE

needs_google = pytest.mark.skipif(
    not googlesql.AVAILABLE, reason="the package zetasql is not installed"
)
every_case = pytest.mark.parametrize("number", range(len(ALL)), ids=[case.name for case in ALL])


@cache
def _duckdb() -> Run:
    return on_duckdb(slim_events(), lambda _: True)


@cache
def _google() -> Run:
    return on_reference(slim_events(), _is_ranked_by_google)


def _is_ranked_by_google(number: int) -> bool:
    """Ranking takes a statement a case: wherever two could tie, and every fourth of the others."""
    several = len({c.contributor_id for c in ALL[number].counts}) > 1
    return bool(ALL[number].boards) or several or number % 4 == 0


@every_case
def test_duckdb_credits_as_the_oracle_does(number: int) -> None:
    found = Counter(
        (
            row["repo_id"], row["kind"], row["contributor_id"], row["actor_id"],
            row["occurred_at"], row["quantity"], row["exclusion"], row["event_id"], row["copies"],
        )
        for row in _duckdb().contributions.get(number, [])
    )  # fmt: skip
    expected = Counter(
        (
            c.repo_id, c.kind, c.contributor_id, c.actor_id,
            c.occurred_at, c.quantity, c.exclusion, c.event_id, c.copies,
        )
        for c in oracle.credit(reading(number).events)
    )  # fmt: skip
    assert found == expected


@every_case
def test_duckdb_counts_and_scores_as_the_oracle_does(number: int) -> None:
    found = [
        (row["repo_id"], row["contributor_id"], _counts(row), row["score"])
        for row in _duckdb().standings.get(number, [])
    ]
    assert found == [
        (s.repo_id, s.contributor_id, dict(s.counts), s.score) for s in _standings(number)
    ]


@every_case
def test_duckdb_ranks_as_the_oracle_does(number: int) -> None:
    rows = _duckdb().boards[number]
    for shown in ("all", "human", "bot", "agent"):
        assert _places(rows, shown) == oracle.board(_standings(number), ALL[number].classes, shown)


@every_case
def test_duckdb_gives_what_was_reasoned_out_by_hand(number: int) -> None:
    case = ALL[number]
    counted = {
        (row["repo_id"], row["contributor_id"]): _counts(row)
        for row in _duckdb().standings.get(number, [])
    }
    left_out = Counter(
        (row["event_id"], row["kind"], row["exclusion"])
        for row in _duckdb().contributions.get(number, [])
        if row["exclusion"]
    )
    assert counted == {(c.repo_id, c.contributor_id): dict(c.quantities) for c in case.counts}
    assert left_out == Counter((o.event_id, o.kind, o.reason) for o in case.left_out)


@needs_google
@every_case
def test_google_credits_counts_and_ranks_as_duckdb_does(number: int) -> None:
    google, duckdb = _google(), _duckdb()
    assert google.contributions.get(number) == duckdb.contributions.get(number)
    assert google.standings.get(number) == duckdb.standings.get(number)
    if _is_ranked_by_google(number):
        assert google.boards[number] == duckdb.boards[number]


@needs_google
def test_at_least_fifty_cases_were_ranked_by_google_too() -> None:
    assert len(_google().boards) >= 50
    assert len(_google().contributions) == len(_duckdb().contributions) >= 140


@needs_google
def test_neither_engine_minds_the_order_of_rows_or_a_second_copy_of_each() -> None:
    again = [*slim_events()[::-1], *slim_events()]
    doubled = [row | {"copies": row["copies"] * 2} for row in _duckdb().credited]
    repeated = on_duckdb(again, lambda _: False)
    assert repeated.credited == doubled
    assert repeated.standings == _duckdb().standings
    assert credited_by_reference(again) == doubled


def test_a_standing_says_when_its_contributor_was_seen_first_and_last() -> None:
    for number, rows in _duckdb().standings.items():
        counted = oracle.counted_in(oracle.credit(reading(number).events), window(number))
        for row in rows:
            times = [
                c.occurred_at
                for c in counted
                if (c.repo_id, c.contributor_id) == (row["repo_id"], row["contributor_id"])
            ]
            assert (row["first_at"], row["last_at"]) == (min(times), max(times))
            assert row["last_at"] - row["first_at"] >= timedelta(0)


_START, _END = datetime(2025, 3, 2, tzinfo=UTC), datetime(2025, 3, 6, 12, tzinfo=UTC)
_SPAN: Parameters = {"start_at": _START, "end_at": _END}
_WINDOWS = windows_parameter([Window("all", None, _END), Window("days", _START, _END)])

_ACCOUNTS: Parameters = {"account_ids": [ANA.id, BEN.id], "top": 40, "skipped": 3}

READING: Mapping[str, Parameters] = {
    "compact_github_events": {"reread": "[]"},
    "find_accounts": {"login": "ana"},
    "find_people": {"account_ids": [ANA.id, BEN.id]},
    "list_co_authors": {},
    "list_personal_events": _ACCOUNTS,
    "measure_numbers": {},
}
"""The statements that read events of both sources, and their parameters beside repositories."""

OTHER_STATEMENTS: Mapping[str, tuple[Dataset, Parameters]] = {
    "digest_contributions": (Dataset.CONTRIBUTIONS, {"repo_id": ENGINE.id}),
    "find_repositories": (
        Dataset.EVENTS, {"names": ["octo/engine", "octo/wheels", "octo/motor", "octo/none"]}
    ),
    "latest_repository_names": (Dataset.EVENTS, {}),
    "list_accounts": (Dataset.STANDINGS, {}),
    "list_personal_contributions": (Dataset.CONTRIBUTIONS, _ACCOUNTS),
    "list_personal_standings": (Dataset.STANDINGS, _ACCOUNTS),
    "list_standings": (Dataset.STANDINGS, {"window": "all"}),
    "measure_gaps": (Dataset.CONTRIBUTIONS, {"repo_id": ENGINE.id, "windows": _WINDOWS}),
    "most_active_repositories": (Dataset.EVENTS, {"top": 7}),
    "tally_board": (Dataset.CONTRIBUTIONS, _SPAN),
    "tally_contributor": (Dataset.CONTRIBUTIONS, {**_SPAN, "contributor_id": ANA.id}),
    "tally_months": (
        Dataset.CONTRIBUTIONS,
        {
            "repo_id": ENGINE.id, "windows": _WINDOWS,
            "classes": f'[{{"id":{ANA.id},"class":"bot"}}]',
        },
    ),
}  # fmt: skip
"""The statements that decide no board, over the rows of all cases together."""


def test_every_statement_is_run_by_both_engines() -> None:
    # extract_events reads the archive's own tables: test_extraction.py runs it.
    # What reads GitHub's events stands in test_sources_agree.py.
    apart = {"extract_events", "list_contributor_events", *READING}
    assert {*METHOD, *OTHER_STATEMENTS, *apart} == set(names())


@needs_google
@pytest.mark.parametrize("name", OTHER_STATEMENTS)
def test_both_engines_give_the_same_rows_of(name: str, tmp_path: Path) -> None:
    dataset, parameters = OTHER_STATEMENTS[name]
    rows = _all_rows(dataset, one_repository="repo_id" in parameters)
    if not {"repo_id", "names", "top"} & parameters.keys():
        parameters = {**parameters, "repo_ids": repositories(rows)}
    found = _on_duckdb(tmp_path, name, dataset, rows, parameters)
    assert found
    assert found == reference(name, {dataset: rows}, parameters)


@needs_google
@pytest.mark.parametrize("limit", [1, 100])
def test_both_engines_list_the_same_events_of_a_contributor(limit: int, tmp_path: Path) -> None:
    rows = [row | {"event_id": f"{row['repo_id']}.{row['event_id']}"} for row in _duckdb().credited]
    parameters: Parameters = {
        **_SPAN,
        "repo_ids": repositories(rows),
        "contributor_id": BEN.id,
        "per_kind": limit,
    }
    name = "list_contributor_events"
    found = _on_duckdb(tmp_path, name, Dataset.CONTRIBUTIONS, rows, parameters)
    assert {row["reason"] for row in found} > {None, "repeated", "credited_to_author"}
    assert found == reference(name, {Dataset.CONTRIBUTIONS: rows}, parameters)


def _on_duckdb(
    folder: Path, name: str, dataset: Dataset, rows: Rows, parameters: Parameters
) -> Rows:
    duck = Duck(folder)
    duck.fill(dataset, rows)
    found = duck.query(name, parameters)
    duck.close()
    return found


def _all_rows(dataset: Dataset, *, one_repository: bool) -> Rows:
    if dataset is Dataset.EVENTS:
        return slim_events()
    if dataset is Dataset.CONTRIBUTIONS:
        same = {"repo_id": ENGINE.id} if one_repository else {}
        return [row | same for row in _duckdb().credited]
    return [
        row | {"repo_id": number * 1000 + row["repo_id"], "window_name": "all"}
        for number, found in _duckdb().standings.items()
        for row in found
    ]


def _standings(number: int) -> list[oracle.Standing]:
    return oracle.standings(oracle.credit(reading(number).events), window(number))


def _counts(row: dict[str, object]) -> dict[str, object]:
    return {kind.value: row[column] for kind, column in COUNT_COLUMNS.items() if row[column]}


def _places(rows: Rows, shown: str) -> list[oracle.Place]:
    """The rows of a class as the oracle would have them, its percentile as at or below of all."""
    rank, above = ("rank_all", "above_all") if shown == "all" else ("rank", "above")
    chosen = sorted((r for r in rows if shown in ("all", r["class"])), key=lambda r: int(r[rank]))
    total = len(chosen)
    return [
        oracle.Place(r[rank], r["contributor_id"], r["score"], total - r[above], total)
        for r in chosen
    ]
