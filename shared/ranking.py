"""What a rank means: percentile, band, and movement against the board before.

Order and rank themselves are ``shared/sql/rank_board.sql``: ROW_NUMBER over score descending, then
numeric id ascending.
"""

from __future__ import annotations

from typing import Literal

Change = Literal["new", "returned", "up", "down", "same"]

BANDS = (1, 5, 10, 25)
"""Percent of the ranked contributors that a band takes in, from the top."""


def percentile_hundredths(above: int, total: int) -> int:
    """Share of ranked contributors at or below, in hundredths of a percent, cut.

    ``above`` is how many have a higher score, ``total`` how many are ranked.
    """
    return (total - above) * 10_000 // total


def band(above: int, total: int) -> int | None:
    """The smallest of ``BANDS`` that takes this contributor in, None below the top 25 %."""
    for percent in BANDS:
        if (above + 1) * 100 <= total * percent:
            return percent
    return None


def change(rank: int, previous: int | None, *, seen_before: bool) -> tuple[Change, int]:
    """How a rank moved and by how many places.

    ``previous`` is the rank on the board before, ``seen_before`` whether an older kept board had
    this contributor.
    """
    if previous is None:
        return ("returned" if seen_before else "new"), 0
    if rank == previous:
        return "same", 0
    return ("up", previous - rank) if rank < previous else ("down", rank - previous)
