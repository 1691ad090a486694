"""How a board lies in the document store: one pointer with the head, parts in final form.

A published board is a *generation*: pages of rows, and where there is more than one page, indexes
by id and by login and orders for the other sorts. All parts of a generation carry the name of its
*edition* (the generation and those it was compared with), so no two editions share a document.
The pointer ``boards/{board}~{window}`` is the only document that changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from isal import isal_zlib
from pydantic import BaseModel, ConfigDict

from shared.models import AccountClass, Kind
from shared.receipts import Receipt
from shared.recounts import Recounted, Sources

GLOBAL = "global"
"""The board over all registered repositories."""

PAGE_ROWS = 1000
"""Rows of one page document: about 60 KB compressed."""

INDEX_ENTRIES = 20_000
"""Entries of one index document."""

ORDER_ENTRIES = 200_000
"""Ranks of one order document."""

CLASSES = tuple(AccountClass)
ALL_CLASSES = "all"
"""Selects every class, ranked together."""

SORTS = ("rank", "score", "username", *(kind.value for kind in Kind))
"""What a board can be sorted by. ``rank`` and ``score`` need no order document."""


TOMBSTONE = -1
"""The id in the row of somebody who was removed. Anonymous people have ids below it."""

TOMBSTONE_LOGIN = "[removed]"
"""Nobody's login on GitHub."""


def repository_board(repo_id: int) -> str:
    """The id of a repository's board."""
    return f"repository-{repo_id}"


def pointer_path(board: str, window: str) -> str:
    return f"boards/{board}~{window}"


def generation_path(board: str, window: str, edition: str) -> str:
    return f"board_generations/{board}~{window}~{edition}"


def part_path(edition: str, part: str, number: int) -> str:
    """``part`` is page.<class>, id, login, order.<class>.<sort>, score.<class> or summary.

    ``number`` counts from 0.
    """
    return f"board_parts/{edition}.{part}.{number}"


class ClassPart(BaseModel):
    """The rows of one class: how many, and how many page documents they fill."""

    model_config = ConfigDict(frozen=True)

    rows: int
    pages: int
    orders: tuple[str, ...] = ()


class Head(BaseModel):
    """Everything about a generation that is not a row.

    ``first_ids`` and ``first_logins`` are the first keys of the index documents (empty where the
    board has one page and needs none). ``kept`` are the editions before, newest first. ``rules``
    is the version of the rule set. ``counts`` are the rows' summed. ``coverage`` is the body of
    ``shared/coverage.py``. ``sources`` say what GitHub counts for, and ``recounted`` for what
    another source counts than on the board before, so that a movement may come of that.
    """

    model_config = ConfigDict(frozen=True)

    board: str
    name: str
    window: str
    generation: str
    edition: str
    as_of: str
    published_at: str
    rules: int
    receipt: Receipt
    classes: Mapping[AccountClass, ClassPart]
    total: int
    counts: Mapping[Kind, int] = {}
    first_ids: tuple[int, ...] = ()
    first_logins: tuple[str, ...] = ()
    coverage: Mapping[str, Any]
    sources: Sources = {}
    recounted: tuple[Recounted, ...] = ()
    kept: tuple[str, ...] = ()
    digests: Mapping[str, str]
    redacted: bool = False

    @property
    def indexed(self) -> bool:
        """True if there are index documents: the rows do not fit one page."""
        return bool(self.first_ids)

    def kept_edition(self, generation: str) -> str | None:
        """The kept edition of a generation, None if it is not kept."""
        return next((edition for edition in self.kept if edition.startswith(generation)), None)

    def rows_of(self, account_class: str) -> int:
        """How many rows a class has, ``all`` for every class."""
        if account_class == ALL_CLASSES:
            return self.total
        part = self.classes.get(AccountClass(account_class))
        return part.rows if part else 0


class Movement(msgspec.Struct, frozen=True):
    """How a rank moved: the change, by how many places, and the rank before."""

    change: str
    by: int
    previous: int | None


class Standing(msgspec.Struct, frozen=True):
    """A rank among some: percentile in percent, band as the top n percent."""

    rank: int
    percentile: float
    band: int | None
    movement: Movement


class Row(msgspec.Struct, frozen=True):
    """A row as it is stored. ``overall`` is its standing among all classes together."""

    rank: int
    github_id: int
    username: str
    avatar_url: str
    account_class: str = msgspec.field(name="class")
    score: float
    percentile: float
    band: int | None
    movement: Movement
    repositories: int
    counts: dict[str, int]
    overall: Standing


class Places(msgspec.Struct, frozen=True, array_like=True):
    """Index entries by column: key (id or lower-case login) ascending, class, ranks.

    ``class_numbers`` holds one byte an entry, a position in ``CLASSES``.
    """

    keys: list[Any]
    class_numbers: bytes
    ranks: list[int]
    ranks_all: list[int]


class Order(msgspec.Struct, frozen=True, array_like=True):
    """A stretch of another order: positions as (class number, rank)."""

    class_numbers: bytes
    ranks: list[int]


def pack(raw: bytes) -> bytes:
    """Compress a part's body."""
    return isal_zlib.compress(raw, 1)


def unpack(body: bytes) -> bytes:
    return isal_zlib.decompress(body)


_row_decoder = msgspec.json.Decoder(Row)


def rows_at(body: bytes, positions: Sequence[int]) -> list[Row]:
    """Decode the rows at ``positions`` (from 0) of a page body."""
    lines = unpack(body).split(b"\n")
    return [_row_decoder.decode(lines[position]) for position in positions]


def all_rows(body: bytes) -> list[Row]:
    """Decode a whole page body."""
    return [_row_decoder.decode(line) for line in unpack(body).split(b"\n")]
