"""Boards as counted, before they are published: rows in the shape of rank_board.sql, by hand."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from shared.models import Kind
from shared.publishing import Draft
from shared.receipts import Inputs
from shared.tables import COUNT_COLUMNS

BOARD = "repository-101"
WINDOW = "all"
AS_OF = "2025-03-20T13:00:00.000000Z"


@dataclass(frozen=True)
class Person:
    """Somebody on a board; the kinds that are not named are 0. ``score`` in thousandths."""

    id: int
    login: str | None
    score: int
    account_class: str = "human"
    counts: dict[Kind, int] = field(default_factory=dict)
    repositories: int = 1


@dataclass(frozen=True)
class Ranked:
    """A person with what a plain sort makes of them."""

    person: Person
    rank: int
    above: int
    rank_all: int
    above_all: int

    @property
    def name(self) -> str:
        return self.person.login or f"user-{self.person.id}"


def rank(people: Iterable[Person]) -> list[Ranked]:
    """Everybody, ordered by class and rank, ranked by a plain sort."""
    within: dict[int, tuple[int, int]] = {}
    everybody = sorted(people, key=lambda p: (-p.score, p.id))
    for account_class in {p.account_class for p in everybody}:
        own = [p for p in everybody if p.account_class == account_class]
        within |= {p.id: place for p, place in zip(own, _places(own), strict=True)}
    rows = [
        Ranked(p, *within[p.id], *overall)
        for p, overall in zip(everybody, _places(everybody), strict=True)
    ]
    return sorted(rows, key=lambda r: (r.person.account_class, r.rank))


def _places(ordered: Sequence[Person]) -> Iterator[tuple[int, int]]:
    """Rank and how many have a higher score, of people in order."""
    above = 0
    for place, person in enumerate(ordered):
        if place and ordered[place - 1].score != person.score:
            above = place
        yield place + 1, above


def table(people: Iterable[Person]) -> pa.Table:
    """The rows that rank_board.sql would give."""
    return table_of(rank(people))


def table_of(rows: Sequence[Ranked]) -> pa.Table:
    """The same of people that were ranked already."""
    columns: dict[str, Any] = {
        "contributor_id": [r.person.id for r in rows],
        "repositories": [r.person.repositories for r in rows],
    }
    for kind, column in COUNT_COLUMNS.items():
        columns[column] = [r.person.counts.get(kind, 0) for r in rows]
    columns |= {
        "score": [r.person.score for r in rows],
        "login": pa.array([r.person.login for r in rows], pa.string()),
        "class": pa.array([r.person.account_class for r in rows], pa.string()),
        "rank": [r.rank for r in rows],
        "above": [r.above for r in rows],
        "rank_all": [r.rank_all for r in rows],
        "above_all": [r.above_all for r in rows],
    }
    return pa.table(
        {
            name: values if isinstance(values, pa.Array) else pa.array(values, pa.int64())
            for name, values in columns.items()
        }
    )


def draft(
    people: Iterable[Person] | pa.Table,
    facts: str = "facts",
    *,
    board: str = BOARD,
    coverage: dict[str, Any] | None = None,
) -> Draft:
    """A draft over these people. Other ``facts`` are another generation."""
    rows = people if isinstance(people, pa.Table) else table(people)
    inputs = Inputs(
        board=board,
        window=WINDOW,
        start=None,
        end=AS_OF,
        facts=facts,
        rules="rules",
        method="method",
        accounts="accounts",
    )
    return Draft("octo/engine", rows, inputs, AS_OF, 1, coverage or {})


def crowd(humans: int, bots: int = 0, agents: int = 0, *, seed: int = 1) -> list[Person]:
    """Many people with ties in scores and counts, ids in no order, logins of both cases."""
    dice = random.Random(seed)
    classes = ["human"] * humans + ["bot"] * bots + ["agent"] * agents
    ids = dice.sample(range(1, 40 * len(classes) + 40), len(classes))
    return [
        Person(
            id_,
            dice.choice(("user", "User", "octo", "Zed")) + f"-{dice.randrange(10**6)}-{id_}",
            score=dice.randrange(1, 2 + len(classes) // 2) * 505,
            account_class=account_class,
            counts={kind: dice.randrange(40) for kind in dice.sample(list(Kind), 4)},
            repositories=dice.randrange(1, 5),
        )
        for id_, account_class in zip(ids, classes, strict=True)
    ]
