"""All cases at once through an engine: each keeps to repositories of its own."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.archive_rows import ArchiveRows
from shared.models import Window
from shared.scoring import DEFAULT_RULES
from shared.statements import windows_parameter
from shared.tables import Dataset
from tests.support import oracle
from tests.support.case import Case
from tests.support.cases import CASES
from tests.support.engines import Duck, Parameters, Rows, reference
from tests.support.lines import encode
from tests.support.worked_examples import EXAMPLES

ALL: tuple[Case, ...] = CASES + EXAMPLES
WINDOW = "case"

_APART = 1000


@dataclass(frozen=True)
class Run:
    """What became of every case: rows by the number of the case, repositories as it names them.

    ``credited`` are the contributions of all cases with their repositories apart.
    """

    credited: Rows
    contributions: Mapping[int, Rows]
    standings: Mapping[int, Rows]
    boards: Mapping[int, Rows]


Boards = Callable[[int], bool]
"""Whether the board of a case is to be ranked, by its number."""


def on_duckdb(events: Rows, ranked: Boards) -> Run:
    """Credit, count and rank as the product does: unit by unit through its warehouse."""
    with TemporaryDirectory() as folder:
        duck = Duck(Path(folder))
        duck.fill(Dataset.EVENTS, events)
        wanted: Parameters = {"repo_ids": repositories(events), "people": "[]"}
        contributions = duck.query("credit_contributions", wanted)
        duck.derive("credit_contributions", wanted, Dataset.CONTRIBUTIONS)
        standings: Rows = []
        for parameters in _countings(contributions):
            standings += duck.query("count_standings", parameters)
        duck.fill(Dataset.STANDINGS, standings)
        boards = {
            number: duck.query("rank_board", parameters)
            for number, parameters in _boards(standings, ranked)
        }
        duck.close()
    return Run(contributions, by_case(contributions), by_case(standings), boards)


def on_reference(events: Rows, ranked: Boards) -> Run:
    """The same texts one after the other in Google's engine, each over the rows of the last."""
    contributions = credited_by_reference(events)
    standings: Rows = []
    for parameters in _countings(contributions):
        own = set(parameters["repo_ids"])  # type: ignore[arg-type]
        rows = [row for row in contributions if row["repo_id"] in own]
        standings += reference("count_standings", {Dataset.CONTRIBUTIONS: rows}, parameters)
    places = by_case(standings, shifted=True)
    boards = {
        number: reference("rank_board", {Dataset.STANDINGS: places.get(number, [])}, parameters)
        for number, parameters in _boards(standings, ranked)
    }
    return Run(contributions, by_case(contributions), by_case(standings), boards)


def credited_by_reference(events: Rows) -> Rows:
    """The contributions of some events by Google's engine."""
    return reference(
        "credit_contributions",
        {Dataset.EVENTS: events},
        {"repo_ids": repositories(events), "people": "[]"},
    )


@cache
def slim_events() -> Rows:
    """The events of all cases by the embedded reader, the repositories of each moved apart."""
    rows: Rows = []
    with TemporaryDirectory() as folder:
        file = Path(folder) / "case.json"
        for number, case in enumerate(ALL):
            file.write_bytes(encode(case.lines))
            for batch in ArchiveRows(file, now=datetime(2026, 1, 1, tzinfo=UTC)):
                rows += [
                    row | {"repo_id": row["repo_id"] + number * _APART} for row in batch.to_pylist()
                ]
    return rows


@cache
def reading(number: int) -> oracle.Reading:
    """The events of a case as the oracle reads them."""
    return oracle.read_events(encode(ALL[number].lines).splitlines())


@cache
def window(number: int) -> tuple[datetime | None, datetime]:
    """The window of a case: its own, else everything up to the as-of time."""
    case = ALL[number]
    if case.window is None:
        return None, oracle.as_of(reading(number).events)
    start, end = case.window
    return (None if start is None else datetime.fromisoformat(start), datetime.fromisoformat(end))


def repositories(rows: Rows) -> list[int]:
    return sorted({row["repo_id"] for row in rows})


def _countings(contributions: Rows) -> Iterator[Parameters]:
    """What to count: the repositories of all cases that share a window, in one statement."""
    sharing: dict[tuple[datetime | None, datetime], list[int]] = defaultdict(list)
    for repo_id in repositories(contributions):
        sharing[window(repo_id // _APART)].append(repo_id)
    for (start, end), repo_ids in sharing.items():
        yield {
            "repo_ids": repo_ids,
            "windows": windows_parameter([Window(WINDOW, start, end)]),
            "rule_set": DEFAULT_RULES.parameter,
        }


def _boards(standings: Rows, ranked: Boards) -> Iterator[tuple[int, Parameters]]:
    places = by_case(standings, shifted=True)
    for number, case in enumerate(ALL):
        if not ranked(number):
            continue
        others = [{"id": id_, "class": name} for id_, name in sorted(case.classes.items())]
        yield (
            number,
            {
                "repo_ids": repositories(places.get(number, [])) or [number * _APART],
                "window": WINDOW,
                "classes": json.dumps(others),
            },
        )


def by_case(rows: Sequence[dict[str, object]], *, shifted: bool = False) -> Mapping[int, Rows]:
    """Rows by the number of their case, with the repository as the case names it or as it is."""
    found: dict[int, Rows] = defaultdict(list)
    for row in rows:
        number, repo_id = divmod(int(str(row["repo_id"])), _APART)
        found[number].append(row if shifted else row | {"repo_id": repo_id})
    return found
