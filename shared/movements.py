"""Who moved on a board: the rows of a generation with another rank than on the one before."""

from __future__ import annotations

from dataclasses import dataclass

from shared.board_reading import Selection
from shared.boards import Head, Row
from shared.context import Services
from shared.errors import NotFound

WATCHED_RANKS = 1000
"""Movers are looked for among these first ranks: one document."""


@dataclass(frozen=True, slots=True)
class Moves:
    """Those who moved in a generation, the furthest first, then who is new, by rank.

    ``compared`` is False for a first generation, which has none before it.
    """

    head: Head
    compared: bool
    rows: tuple[Row, ...]


def of_generation(
    services: Services,
    board: str,
    window: str,
    limit: int,
    *,
    account_class: str = "human",
    generation: str | None = None,
) -> Moves:
    """Who moved in a generation, or in the current one. Raises NotFound where there is none."""
    selection = Selection(account_class, limit=WATCHED_RANKS)
    piece = services.boards.read(board, window, selection, generation)
    compared = not piece.head.edition.endswith("-first")
    moved = [row for row in piece.rows if row.movement.change != "same"] if compared else []
    moved.sort(key=lambda row: (-abs(row.movement.by), row.rank))
    return Moves(piece.head, compared, tuple(moved[:limit]))


def history(
    services: Services, board: str, window: str, *, each: int, in_all: int
) -> tuple[Moves, ...]:
    """The moves of the current generation and of those that are kept, newest first.

    At most ``each`` of a generation and ``in_all`` together. Raises NotFound without a board.
    """
    newest = of_generation(services, board, window, each)
    found = [newest]
    for edition in newest.head.kept:
        room = in_all - sum(len(moves.rows) for moves in found)
        if room <= 0:
            break
        try:
            found.append(
                of_generation(
                    services,
                    board,
                    window,
                    min(each, room),
                    generation=edition.partition("-")[0],
                )
            )
        except NotFound:
            continue  # it was retired meanwhile
    return tuple(found)


def said(row: Row) -> str:
    """A move in words: ``up 3 places to rank 2``."""
    by, change = row.movement.by, row.movement.change
    if change in ("up", "down"):
        places = f"{by:,} place{'' if by == 1 else 's'}"
        return f"{change} {places} to rank {row.rank:,}"
    return f"{'new' if change == 'new' else 'back'} at rank {row.rank:,}"
