"""Badges: two words on a coloured strip, as SVG that needs nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from flask import render_template

from functions.dashboard.words import ago, number, score
from functions.outside.lettering import fitted, width
from shared.boards import Head, Row
from shared.jobs import RepositoryStatus
from shared.models import parse_time
from shared.repositories import Repository

Style = Literal["flat", "flat-square"]
STYLES: tuple[Style, ...] = ("flat", "flat-square")

_SIZE = 11
_PADDING = 6
_LONGEST = 240

GREY, BLUE, GREEN, TEAL, AMBER, RED = (
    "#6b7478", "#1d5bb8", "#16734a", "#0b6b57", "#8a5300", "#b3261e",
)  # fmt: skip
"""Each has a contrast of 4.5 and more to white."""


@dataclass(frozen=True, slots=True)
class Badge:
    """What a badge says, and the colour of its right half."""

    label: str
    value: str
    colour: str


def draw(badge: Badge, style: Style) -> str:
    """The badge as SVG."""
    label, value = fitted(badge.label, _SIZE, _LONGEST), fitted(badge.value, _SIZE, _LONGEST)
    lengths = [round(width(text, _SIZE), 1) for text in (label, value)]
    left, right = (round(length + 2 * _PADDING, 1) for length in lengths)
    return render_template(
        "outside/badge.svg",
        label=label,
        value=value,
        colour=badge.colour,
        left=left,
        right=right,
        whole=round(left + right, 1),
        lengths=lengths,
        padding=_PADDING,
        rounded=style == "flat",
    )


# --- of a repository ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RepositoryFacts:
    """What badges of a repository are made from. ``first`` leads its board, if anybody."""

    repository: Repository
    head: Head
    first: Row | None
    now: datetime
    stale_after: timedelta


def _contributors(facts: RepositoryFacts) -> Badge:
    return Badge("contributors", number(facts.head.total), BLUE)


def _top(facts: RepositoryFacts) -> Badge:
    return Badge("top contributor", facts.first.username if facts.first else "nobody yet", TEAL)


def _freshness(facts: RepositoryFacts) -> Badge:
    until = facts.head.as_of
    old = facts.now - parse_time(until) > facts.stale_after
    failed = facts.repository.status is RepositoryStatus.ERROR
    return Badge("data until", ago(until, facts.now), RED if failed else AMBER if old else GREEN)


OF_REPOSITORY: Mapping[str, Callable[[RepositoryFacts], Badge]] = {
    "contributors": _contributors,
    "top": _top,
    "freshness": _freshness,
}

# --- of a contributor -----------------------------------------------------------------------------


def _rank(row: Row, total: int) -> Badge:
    return Badge("rank", f"{number(row.rank)} of {number(total)}", TEAL if row.rank <= 3 else BLUE)


def _score(row: Row, _: int) -> Badge:
    return Badge("score", score(row.score), BLUE)


def _percentile(row: Row, _: int) -> Badge:
    value = f"{row.percentile:.2f}" + (f" (top {row.band} %)" if row.band else "")
    return Badge("percentile", value, TEAL if row.band else BLUE)


OF_CONTRIBUTOR: Mapping[str, Callable[[Row, int], Badge]] = {
    "rank": _rank,
    "score": _score,
    "percentile": _percentile,
}
