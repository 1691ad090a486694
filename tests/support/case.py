"""What a case is: a few archive rows, and what must come of them by docs/counting.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.support.lines import ENGINE, Line, Repo, User

Window = tuple[str | None, str]


@dataclass(frozen=True)
class Counts:
    """What one contributor's standing in one repository must show; no score means any."""

    contributor_id: int
    repo_id: int
    quantities: Mapping[str, int]
    score: int | None = None


def counts(
    user: User, *, repo: Repo = ENGINE, score: int | None = None, **quantities: int
) -> Counts:
    """``counts(ANA, COMMIT=3)``: the kinds that are not named must be absent."""
    return Counts(user.id, repo.id, quantities, score)


@dataclass(frozen=True)
class LeftOut:
    """A contribution on record that is not counted."""

    event_id: str
    kind: str
    reason: str


def left_out(event_id: int, kind: str, reason: str) -> LeftOut:
    return LeftOut(str(event_id), kind, reason)


@dataclass(frozen=True)
class Row:
    """A row of a board, as (rank, contributor, score in thousandths, at or below)."""

    rank: int
    contributor_id: int
    score: int
    at_or_below: int


def row(rank: int, user: User, score: int, at_or_below: int) -> Row:
    return Row(rank, user.id, score, at_or_below)


@dataclass(frozen=True)
class Case:
    """Rows and their outcome, reasoned out by hand.

    ``counts`` and ``left_out`` are complete, in any order. ``window`` None is everything up to
    the as-of time. ``boards`` are over all repositories, by class or ``all``, complete where
    given; ``classes`` names who is no human. ``copies`` names the events seen more than once.
    """

    name: str
    lines: tuple[Line, ...]
    counts: tuple[Counts, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    window: Window | None = None
    boards: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    classes: Mapping[int, str] = field(default_factory=dict)
    copies: Mapping[str, int] = field(default_factory=dict)
    broken: int = 0
    refused: int = 0
