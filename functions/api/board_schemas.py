"""Boards in answers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from functions.api.schemas import (
    Envelope,
    PageLinks,
    Percent,
    Score,
    Shape,
    Time,
    points,
    two_places,
)
from shared.board_summary import ClassSums
from shared.boards import ALL_CLASSES, Head, Row, Standing
from shared.boards import Movement as StoredMovement
from shared.coverage import Coverage
from shared.models import AccountClass, Kind
from shared.receipts import Receipt
from shared.recounts import Recounted

_KINDS = {kind.value: kind for kind in Kind}
"""Looked up eleven times a row, which calling the enumeration makes the dearest part of a page."""


class Movement(Shape):
    """How a rank moved since the generation before.

    ``returned`` was on an older kept board; ``none`` is on a board of a range, which has no
    generation before it. ``by`` counts places, ``previous`` is null without a rank before.
    """

    change: Literal["new", "returned", "up", "down", "same", "none"]
    by: int
    previous: int | None


class BoardRow(Shape):
    """A contributor on a board. Rank, percentile, band and movement are among the class asked for.

    Somebody anonymous has an id below -1 and no picture; -1 is somebody removed, of whom the rank
    alone is left.

    ``percentile`` is the share of ranked contributors at or below, ``band`` the top 1, 5, 10 or 25
    percent, null below. ``repositories`` is how many the score is the sum of.
    """

    rank: int
    github_id: int
    username: str
    avatar_url: str
    account_class: AccountClass = Field(alias="class")
    score: Score
    percentile: Percent
    band: int | None
    movement: Movement
    repositories: int
    counts: dict[Kind, int]


class BoardMeta(Shape):
    """What a board was made from. ``start`` is null where the window has none.

    ``board`` is global or a repository's name. ``total`` counts the rows of the selection.
    ``recounted`` are the times for which another source counts than on the board before: a
    movement may come of that.
    """

    board: str
    total: int
    page: int
    page_size: int
    total_pages: int
    generation: str
    receipt: Receipt
    rule_version: int
    window: str
    start: Time | None
    end: Time
    as_of: Time
    coverage: Coverage
    recounted: list[Recounted]
    redacted: bool


class BoardAnswer(Envelope[list[BoardRow], BoardMeta, PageLinks]):
    """A page of a board."""


class ClassSumsShown(Shape):
    """The rows of a class added up, or how two such sums differ."""

    contributors: int
    score: Score
    counts: dict[Kind, int]


def sums_shown(sums: ClassSums, less: ClassSums | None = None) -> ClassSumsShown:
    """Sums as they are shown, or how much more they are than others."""
    less = less or ClassSums()
    return ClassSumsShown(
        contributors=sums.rows - less.rows,
        score=points(sums.score - less.score),
        counts={kind: sums.counts.get(kind, 0) - less.counts.get(kind, 0) for kind in Kind},
    )


def board_row(row: Row, account_class: str) -> BoardRow:
    """A row as it is shown among a class, or among all."""
    among: Row | Standing = row.overall if account_class == ALL_CLASSES else row
    return BoardRow(
        rank=among.rank,
        github_id=row.github_id,
        username=row.username,
        avatar_url=row.avatar_url,
        account_class=AccountClass(row.account_class),
        score=two_places(row.score),
        percentile=two_places(among.percentile),
        band=among.band,
        movement=movement(among.movement),
        repositories=row.repositories,
        counts={_KINDS[kind]: count for kind, count in row.counts.items()},
    )


def movement(stored: StoredMovement) -> Movement:
    """A movement as it is shown."""
    return Movement.model_validate(
        {"change": stored.change, "by": stored.by, "previous": stored.previous}
    )


def board_meta(head: Head, name: str, total: int, page: int, page_size: int) -> BoardMeta:
    """The metadata of a page."""
    inputs = head.receipt.inputs
    return BoardMeta(
        board=name,
        total=total,
        page=page,
        page_size=page_size,
        total_pages=-(-total // page_size),
        generation=head.generation,
        receipt=head.receipt,
        rule_version=head.rules,
        window=head.window,
        start=inputs.start,
        end=inputs.end,
        as_of=head.as_of,
        coverage=Coverage.model_validate(head.coverage),
        recounted=list(head.recounted),
        redacted=head.redacted,
    )
