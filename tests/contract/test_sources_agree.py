"""Two sources counted as one: by hand, by the oracle, on DuckDB and in Google's engine."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from infra.archive_rows import ArchiveRows
from shared.statements import micros
from shared.tables import Dataset
from tests.contract.test_rules_agree import READING
from tests.support import googlesql, oracle_sources
from tests.support.cases_sources import CASES, SourceCase
from tests.support.engines import Duck, Parameters, Rows, reference
from tests.support.lines import encode
from tests.support.oracle_reading import read_events
from tests.support.oracle_sources import Deed
from tests.support.told import OBSERVED

_APART = 1000

needs_google = pytest.mark.skipif(
    not googlesql.AVAILABLE, reason="the package zetasql is not installed"
)
every_case = pytest.mark.parametrize("number", range(len(CASES)), ids=[c.name for c in CASES])

Group = tuple[tuple[int, ...], Rows, Rows, Parameters]
"""Cases that share people, agents and credit: their numbers, rows, and what crediting takes."""


@cache
def _groups() -> tuple[Group, ...]:
    sharing: dict[str, list[int]] = defaultdict(list)
    for number, case in enumerate(CASES):
        rules = case.rules
        sharing[json.dumps([rules.people, rules.agents, rules.agent_credit])].append(number)
    return tuple(_group(tuple(numbers)) for numbers in sharing.values())


def _group(numbers: tuple[int, ...]) -> Group:
    archive: Rows = []
    told: Rows = []
    sources = []
    for number in numbers:
        case = CASES[number]
        archive += [_moved(row, number) for row in _slim(case)]
        told += [_moved(row, number) for row in case.told]
        sources += [
            {"repo_id": 101 + number * _APART, "kind": k, "from": micros(a), "until": micros(b)}
            for k, a, b in case.rules.spans
        ]
    rules = CASES[numbers[0]].rules
    parameters: Parameters = {
        "repo_ids": [101 + number * _APART for number in numbers],
        "sources": json.dumps(sources),
        "people": json.dumps(rules.people),
        "agents": json.dumps(rules.agents),
        "agent_credit": rules.agent_credit,
    }
    return numbers, archive, told, parameters


def _moved(row: dict[str, Any], number: int) -> dict[str, Any]:
    return row | {"repo_id": row["repo_id"] + number * _APART}


def _slim(case: SourceCase) -> Rows:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "case.json"
        file.write_bytes(encode(case.lines))
        return [row for batch in ArchiveRows(file, now=OBSERVED) for row in batch.to_pylist()]


@cache
def _duckdb() -> Rows:
    return _on_duckdb(again=False)


def _on_duckdb(*, again: bool) -> Rows:
    found: Rows = []
    for _, archive, told, parameters in _groups():
        with TemporaryDirectory() as folder:
            duck = Duck(Path(folder))
            duck.fill(Dataset.EVENTS, archive[::-1] if again else archive)
            duck.fill(Dataset.GITHUB_EVENTS, [*told[::-1], *told] if again else told)
            found += duck.query("credit_contributions", parameters)
            duck.close()
    return found


def _of(number: int) -> Rows:
    return [row for row in _duckdb() if row["repo_id"] == 101 + number * _APART]


@every_case
def test_both_sources_give_what_was_reasoned_out_by_hand(number: int) -> None:
    case, rows = CASES[number], _of(number)
    counted = Counter(
        (r["contributor_id"], r["kind"], r["quantity"], r["source"])
        for r in rows
        if not r["exclusion"]
    )
    assert counted == Counter(case.counted)
    left_out = Counter((r["event_id"], r["kind"], r["exclusion"]) for r in rows if r["exclusion"])
    assert left_out == Counter((o.event_id, o.kind, o.reason) for o in case.left_out)
    assert {r["event_id"]: _parties(r) for r in rows if _parties(r) != (None, None)} == case.parties


@every_case
def test_both_sources_are_credited_as_the_oracle_does(number: int) -> None:
    case = CASES[number]
    expected = oracle_sources.credit(
        read_events(encode(case.lines).splitlines()).events, case.told, case.rules
    )
    found = [
        Deed(
            r["kind"], r["subject"], r["contributor_id"], r["actor_id"], r["occurred_at"],
            r["quantity"], r["exclusion"], r["event_id"], r["source"], *_parties(r),
        )
        for r in _of(number)
    ]  # fmt: skip
    assert Counter(found) == Counter(expected)


def test_nothing_of_a_removed_person_stands_in_a_contribution() -> None:
    for _, _, _, parameters in _groups():
        removed = {
            p["account"] for p in json.loads(str(parameters["people"])) if p["person"] is None
        }
        repo_ids = parameters["repo_ids"]
        for row in _duckdb():
            if isinstance(repo_ids, list) and row["repo_id"] in repo_ids:
                people = ("contributor_id", "actor_id", "agent_id", "human_id")
                assert not {row[name] for name in people} & {*removed, 0}


def test_neither_order_nor_a_second_reading_changes_a_contribution() -> None:
    assert _on_duckdb(again=True) == _duckdb()


@needs_google
def test_google_credits_both_sources_as_duckdb_does() -> None:
    found: Rows = []
    for _, archive, told, parameters in _groups():
        tables: Mapping[Dataset, Rows] = {Dataset.EVENTS: archive, Dataset.GITHUB_EVENTS: told}
        found += reference("credit_contributions", tables, parameters)
    assert found == _duckdb()


@needs_google
@pytest.mark.parametrize("name", sorted(READING))
def test_both_engines_read_the_same_of_what_github_told(name: str, tmp_path: Path) -> None:
    archive = [row for _, rows, _, _ in _groups() for row in rows]
    told = [row for _, _, rows, _ in _groups() for row in rows]
    duck = Duck(tmp_path)
    duck.fill(Dataset.EVENTS, archive)
    # Read twice, where that is to make no difference.
    duck.fill(Dataset.GITHUB_EVENTS, told if "personal" in name else [*told[::-1], *told])
    wanted = {**READING[name]}
    if not {"account_ids", "login"} & wanted.keys():
        wanted["repo_ids"] = [101 + n * _APART for n in range(len(CASES))]
    found = duck.query(name, wanted)
    duck.close()
    tables = {Dataset.GITHUB_EVENTS: told}
    if name not in {"compact_github_events", "list_co_authors"}:
        tables[Dataset.EVENTS] = archive
    assert found
    assert found == reference(name, tables, wanted)


def _parties(row: Mapping[str, Any]) -> tuple[Any, Any]:
    """Agent and human, by id or, where there is none, by login."""
    agent = row["agent_login"] if row["agent_id"] is None else row["agent_id"]
    return agent, row["human_login"] if row["human_id"] is None else row["human_id"]
