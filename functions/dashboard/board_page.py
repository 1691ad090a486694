"""What a board's page shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from functions.dashboard import score_bars
from functions.dashboard.board_address import PAGE_SIZES, BoardAddress
from functions.dashboard.coverage_notes import CoverageNote, describe
from functions.dashboard.score_bars import Segment
from functions.dashboard.words import KINDS
from shared import rule_sets
from shared.boards import ALL_CLASSES, GLOBAL, Head, Row, Standing
from shared.context import Services
from shared.models import Kind
from shared.repositories import Repository

LINES = frozenset({Kind.LINES_ADDED, Kind.LINES_DELETED})
"""Counted in lines, so they are no contributions of their own."""

_SORTED_SEARCHES = ("rank", "score", "username")


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row, its standing in the class that is shown, and its score as a bar."""

    row: Row
    standing: Row | Standing
    bar: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class BoardPage:
    """A stretch of a board. ``compared`` is False on a first board: then nothing has moved.

    ``sortable`` are the columns that can be sorted by. An export ``needs_key`` elsewhere than on
    one machine.
    """

    address: BoardAddress
    head: Head
    current: bool
    rows: tuple[ShownRow, ...]
    total: int
    first: int
    pages: int
    compared: bool
    capped: bool
    sortable: frozenset[str]
    coverage: CoverageNote
    contributions: int
    overall: tuple[Segment, ...]
    kept: tuple[str, ...]
    needs_key: bool

    @property
    def beyond(self) -> bool:
        """True on a page after the last."""
        return not self.rows and self.total > 0


def read(services: Services, board: str, address: BoardAddress) -> BoardPage:
    """The page at an address. Raises NotFound where nothing is published, Rejected."""
    selection = address.selection
    piece = services.boards.read(board, address.window, selection, address.generation or None)
    head = piece.head
    current = services.boards.head(board, address.window)
    rules = rule_sets.version(services, head.rules).rules
    capped = board != GLOBAL
    names = ("rank", "score", "username", *(kind.value for kind in Kind))
    return BoardPage(
        address=address,
        head=head,
        current=head.generation == current.generation,
        rows=tuple(
            ShownRow(
                row,
                row.overall if address.account_class == ALL_CLASSES else row,
                score_bars.bar(row.counts, rules, capped=capped),
            )
            for row in piece.rows
        ),
        total=piece.total,
        first=selection.offset + 1,
        pages=max(-(-piece.total // address.page_size), 1),
        compared=is_compared(head),
        capped=capped,
        # The indexes that a search reads hold ranks and names only.
        sortable=frozenset(_SORTED_SEARCHES if head.indexed and address.search else names),
        coverage=describe(head.coverage),
        contributions=contributions(head),
        overall=score_bars.bar(
            {kind.value: count for kind, count in head.counts.items()}, rules, capped=False
        ),
        kept=tuple(edition.partition("-")[0] for edition in head.kept),
        needs_key=services.settings.backend != "local",
    )


def is_compared(head: Head) -> bool:
    """True if the generation was compared with one before: its edition names that one."""
    return not head.edition.endswith("-first")


def contributions(head: Head) -> int:
    """How many contributions are on a board."""
    return sum(count for kind, count in head.counts.items() if kind not in LINES)


def context(page: BoardPage, repository: Repository | None) -> dict[str, Any]:
    """The variables of ``board.html``."""
    return {
        "page": page,
        "address": page.address,
        "repository": repository,
        "kinds": KINDS,
        "page_sizes": PAGE_SIZES,
    }
