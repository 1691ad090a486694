"""Cards: a repository or a contributor at a glance, as SVG in light or dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from flask import render_template

from functions.dashboard.coverage_notes import describe
from functions.dashboard.words import moment, number, plural, score
from functions.outside.lettering import fitted
from shared.boards import Head, Row

Theme = Literal["light", "dark"]

WIDTH = 420
_INNER = WIDTH - 48


@dataclass(frozen=True, slots=True)
class Colours:
    page: str
    line: str
    ink: str
    muted: str
    accent: str
    sunken: str


THEMES: Mapping[Theme, Colours] = {
    "light": Colours("#ffffff", "#dfe4e5", "#14191b", "#566166", "#0b6b57", "#eef1f1"),
    "dark": Colours("#161b1d", "#293134", "#e9eeee", "#9dabb0", "#62d2b3", "#1e2527"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a card: words, a figure at its end, and a bar under both, 0 to 1000."""

    words: str
    figure: str
    share: int


def of_board(name: str, head: Head, rows: Sequence[Row], theme: Theme) -> str:
    """The first of a board, with how many there are and how complete it is."""
    best = max((row.score for row in rows), default=0.0) or 1.0
    lines = [
        Line(
            fitted(f"{number(row.rank)}. {row.username}", 13, _INNER - 110),
            score(row.score),
            round(1000 * row.score / best),
        )
        for row in rows
    ]
    facts = (
        ("Contributors", number(head.total)),
        ("Captured", f"{describe(head.coverage).coverage.percent} %"),
        ("As of", moment(head.as_of).partition(",")[0]),
    )
    return _draw(name, "Contributor leaderboard", facts, lines, theme)


def of_contributor(row: Row, total: int, head: Head, theme: Theme) -> str:
    """Somebody's place on the global board."""
    band = f"Top {row.band} %" if row.band else "Contributor leaderboard"
    facts = (
        ("Rank", f"{number(row.rank)} of {number(total)}"),
        ("Score", score(row.score)),
        ("Percentile", f"{row.percentile:.2f}"),
    )
    share = round(10 * row.percentile)
    lines = [
        Line(
            plural(row.repositories, "repository", "repositories"),
            f"as of {moment(head.as_of).partition(',')[0]}",
            share,
        )
    ]
    return _draw(row.username, band, facts, lines, theme)


def _draw(
    title: str,
    kicker: str,
    facts: Sequence[tuple[str, str]],
    lines: Sequence[Line],
    theme: Theme,
) -> str:
    return render_template(
        "outside/card.svg",
        title=fitted(title, 18, _INNER, bold=True),
        kicker=kicker,
        facts=facts,
        lines=lines,
        colours=THEMES[theme],
        width=WIDTH,
        inner=_INNER,
        height=142 + 34 * len(lines),
    )
