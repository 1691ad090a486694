"""Reading a published board: a page of rows, one person's row, a search, an older generation.

What a read costs, in documents (none of them when cached):

* a page in rank order: the pointer and at most two page documents (six for all classes together,
  plus one order document);
* another sort: the pointer, its order documents and at most one page document a row;
* a person's row: the pointer, one index document, one page document;
* a search: the pointer, every index document by login, the order documents of its sort, and at most
  one page document a hit shown.

An older generation takes its head besides. Parts never change, so they are cached for as long as
there is room; pointers and heads for a few seconds.
"""

from __future__ import annotations

import bisect
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import msgspec

from shared.boards import (
    ALL_CLASSES,
    CLASSES,
    ORDER_ENTRIES,
    PAGE_ROWS,
    SORTS,
    Head,
    Order,
    Places,
    Row,
    all_rows,
    generation_path,
    part_path,
    pointer_path,
    rows_at,
    unpack,
)
from shared.errors import NotFound, Rejected, RetryLater
from shared.models import AccountClass, Kind
from shared.ports import Document
from shared.telemetry import SILENT, CacheReads, Telemetry

_SELECTABLE = (*(account_class.value for account_class in CLASSES), ALL_CLASSES)

_MOST_HEADS = 1000
"""Pointers and kept generations that are remembered: those read last."""

T = TypeVar("T")

Position = tuple[str, int]
"""Class and rank: where a row stands in the pages."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows of a board: class (or ``all``), sort and order, search, offset and limit.

    ``order`` None is the sort's natural one: best first, names from A. A search keeps rows whose
    login contains the text, without regard to case.
    """

    account_class: str = AccountClass.HUMAN.value
    sort: str = "rank"
    descending: bool | None = None
    search: str = ""
    offset: int = 0
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows of one generation, and how many the selection has in all."""

    head: Head
    rows: tuple[Row, ...]
    total: int


class Parts(Protocol):
    """Where boards lie: of the document store, what reading takes."""

    def get(self, *paths: str) -> tuple[Document | None, ...]: ...


@dataclass(frozen=True, slots=True)
class _Seen:
    """A pointer or a kept generation as it was read: when, its text, and what that says."""

    seen_at: datetime
    body: bytes
    head: Head


class BoardReader:
    """Reads boards through a small cache. Safe in threads.

    ``pointer_seconds`` is how old a pointer may be; ``cached_parts`` how many parts are kept.
    """

    def __init__(
        self,
        documents: Parts,
        *,
        now: Callable[[], datetime],
        pointer_seconds: float = 2.0,
        cached_parts: int = 1000,
        telemetry: Telemetry = SILENT,
    ) -> None:
        self._documents = documents
        self._now = now
        self._pointer_age = timedelta(seconds=pointer_seconds)
        self._cached_parts = cached_parts
        self._heads: OrderedDict[str, _Seen] = OrderedDict()
        self._parts: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()
        self._telemetry = telemetry
        self._head_reads = CacheReads("board_heads")
        self._part_reads = CacheReads("board_parts")

    @property
    def caches(self) -> tuple[tuple[CacheReads, int], ...]:
        """The caches, and how much each holds."""
        return (self._head_reads, len(self._heads)), (self._part_reads, len(self._parts))

    # --- what callers ask for ---------------------------------------------------------------

    def head(self, board: str, window: str, generation: str | None = None) -> Head:
        """The head of the current or of a kept generation: the same object while it stays the same.

        Raises NotFound.
        """
        current = self._head(
            pointer_path(board, window), f"There is no {window} board of this yet."
        )
        if generation is None or generation == current.generation:
            return current
        edition = current.kept_edition(generation)
        if edition is None:
            raise NotFound(
                f"Generation {generation} is not kept. Leave it out for the current board.",
                details={"kept": [e.split("-")[0] for e in current.kept]},
            )
        return self._head(generation_path(board, window, edition), "It was just removed.")

    def read(
        self, board: str, window: str, selection: Selection, generation: str | None = None
    ) -> Slice:
        """A stretch of a board. Raises NotFound, Rejected for an unknown sort or class."""
        if selection.sort not in SORTS:
            raise Rejected(
                f"sort {selection.sort!r} is not one of {', '.join(SORTS)}",
                details={"field": "sort", "allowed": list(SORTS)},
            )
        if selection.account_class not in _SELECTABLE:
            raise Rejected(
                f"class {selection.account_class!r} is not one of {', '.join(_SELECTABLE)}",
                details={"field": "class", "allowed": list(_SELECTABLE)},
            )
        return self.of_head(board, window, generation, lambda head: self._slice(head, selection))

    def person(self, board: str, window: str, *, login: str = "", github_id: int = 0) -> Slice:
        """One contributor's row by login or id; a Slice without rows if there is none."""

        def find(head: Head) -> Slice:
            position = self._find(head, login.lower(), github_id)
            rows = self.rows(head, [position]) if position else ()
            return Slice(head, tuple(rows), len(rows))

        return self.of_head(board, window, None, find)

    def of_head(
        self, board: str, window: str, generation: str | None, make: Callable[[Head], T]
    ) -> T:
        """What is made of a generation's head and parts, of one and the same generation.

        Raises NotFound, RetryLater if the board changes all the time.
        """
        for _ in range(3):
            head = self.head(board, window, generation)
            try:
                return make(head)
            except _Gone:
                # The generation was retired between pointer and part: look at the pointer again.
                with self._lock:
                    self._heads.pop(pointer_path(board, window), None)
        raise RetryLater("The board is changing quickly. Try again.")

    def parts(self, head: Head, names: Sequence[tuple[str, int]]) -> list[bytes]:
        """The bodies of some parts of a generation, by name and number, in one round trip.

        Raises RetryLater if they were retired; within ``of_head`` that is looked after.
        """
        return self._fetch([part_path(head.edition, part, number) for part, number in names])

    # --- how --------------------------------------------------------------------------------

    def _slice(self, head: Head, wanted: Selection) -> Slice:
        if not head.indexed:
            return self._slice_small(head, wanted)
        if wanted.search:
            positions = self._search(head, wanted)
            chosen = positions[wanted.offset : wanted.offset + wanted.limit]
            return Slice(head, self.rows(head, chosen), len(positions))
        total = head.rows_of(wanted.account_class)
        if not total:
            return Slice(head, (), 0)
        start, stop = wanted.offset, min(wanted.offset + wanted.limit, total)
        if _is_reversed(wanted):
            start, stop = total - stop, total - start
        if stop <= max(start, 0):
            return Slice(head, (), total)
        chosen = self._ordered(head, wanted, max(start, 0), stop)
        if _is_reversed(wanted):
            chosen.reverse()
        return Slice(head, self.rows(head, chosen), total)

    def _slice_small(self, head: Head, wanted: Selection) -> Slice:
        """Boards of one page a class have no orders: sort and search the rows themselves."""
        rows = [
            row
            for account_class in self._classes(head, wanted.account_class)
            for row in all_rows(self._part(head, f"page.{account_class}", 0))
            if wanted.search.lower() in row.username.lower()
        ]
        rows.sort(key=lambda row: row.overall.rank)
        rows.sort(key=_sort_key(wanted.sort))
        if _is_reversed(wanted):
            rows.reverse()
        return Slice(head, tuple(rows[wanted.offset : wanted.offset + wanted.limit]), len(rows))

    def _ordered(self, head: Head, wanted: Selection, start: int, stop: int) -> list[Position]:
        """Positions ``start`` to ``stop`` of the selection's order, best first."""
        by_rank = wanted.sort in ("rank", "score")
        if by_rank and wanted.account_class != ALL_CLASSES:
            return [(wanted.account_class, rank + 1) for rank in range(start, stop)]
        if wanted.account_class != ALL_CLASSES and (
            head.classes[AccountClass(wanted.account_class)].pages == 1
        ):
            small = self._slice_small(
                head.model_copy(update={"first_ids": ()}),
                Selection(wanted.account_class, wanted.sort, limit=PAGE_ROWS),
            )
            return [(row.account_class, row.rank) for row in small.rows[start:stop]]
        sort = "rank" if by_rank else wanted.sort
        positions: list[Position] = []
        for number in range(start // ORDER_ENTRIES, -(-stop // ORDER_ENTRIES)):
            part = self._part(head, f"order.{wanted.account_class}.{sort}", number)
            order = msgspec.msgpack.decode(unpack(part), type=Order)
            base = number * ORDER_ENTRIES
            low, high = max(start - base, 0), min(stop - base, ORDER_ENTRIES)
            positions += [
                (CLASSES[class_number].value, rank)
                for class_number, rank in zip(
                    order.class_numbers[low:high], order.ranks[low:high], strict=True
                )
            ]
        return positions

    def _search(self, head: Head, wanted: Selection) -> list[Position]:
        """Every position whose login contains the text, in the selection's order."""
        text = wanted.search.lower()
        hits = {
            (CLASSES[class_number].value, rank)
            for number in range(len(head.first_logins))
            for index in (self._index(head, "login", number),)
            for login, class_number, rank in zip(
                index.keys, index.class_numbers, index.ranks, strict=True
            )
            if text in login
        }
        total = head.rows_of(wanted.account_class)
        found = [p for p in self._ordered(head, wanted, 0, total) if p in hits] if total else []
        if _is_reversed(wanted):
            found.reverse()
        return found

    def _find(self, head: Head, login: str, github_id: int) -> Position | None:
        if not head.indexed:
            for account_class in head.classes:
                for row in all_rows(self._part(head, f"page.{account_class}", 0)):
                    if row.github_id == github_id or (login and row.username.lower() == login):
                        return row.account_class, row.rank
            return None
        part, key, firsts = (
            ("login", login, head.first_logins) if login else ("id", github_id, head.first_ids)
        )
        number = bisect.bisect_right(firsts, key) - 1
        if number < 0:
            return None
        index = self._index(head, part, number)
        at = bisect.bisect_left(index.keys, key)
        if at == len(index.keys) or index.keys[at] != key:
            return None
        return CLASSES[index.class_numbers[at]].value, index.ranks[at]

    def rows(self, head: Head, positions: Sequence[Position]) -> tuple[Row, ...]:
        """The rows at the positions, reading each page document once and all in one round trip.

        Raises as ``parts``.
        """
        by_page: dict[tuple[str, int], list[int]] = {}
        for account_class, rank in positions:
            number, at = divmod(rank - 1, PAGE_ROWS)
            by_page.setdefault((account_class, number), []).append(at)
        paths = [part_path(head.edition, f"page.{c}", n) for c, n in by_page]
        found: dict[Position, Row] = {}
        pages = zip(by_page.items(), self._fetch(paths), strict=True)
        for ((account_class, _), places), body in pages:
            for row in rows_at(body, places):
                found[account_class, row.rank] = row
        return tuple(found[position] for position in positions)

    def _classes(self, head: Head, wanted: str) -> tuple[AccountClass, ...]:
        if wanted == ALL_CLASSES:
            return tuple(head.classes)
        return tuple(c for c in head.classes if c.value == wanted)

    def _index(self, head: Head, part: str, number: int) -> Places:
        return msgspec.msgpack.decode(unpack(self._part(head, part, number)), type=Places)

    def _part(self, head: Head, part: str, number: int) -> bytes:
        (body,) = self._fetch([part_path(head.edition, part, number)])
        return body

    def _fetch(self, paths: Sequence[str]) -> list[bytes]:
        """The bodies of parts, those that are not cached in one round trip."""
        with self._lock:
            bodies = {path: self._parts[path] for path in paths if path in self._parts}
            for path in bodies:
                self._parts.move_to_end(path)
        missing = [path for path in paths if path not in bodies]
        self._part_reads.add(self._telemetry, hits=len(bodies), misses=len(missing))
        for path, document in zip(
            missing, self._documents.get(*missing) if missing else (), strict=True
        ):
            if document is None or document.body is None:
                raise _Gone(path)
            bodies[path] = document.body
        with self._lock:
            self._parts.update({path: bodies[path] for path in missing})
            while len(self._parts) > self._cached_parts:
                self._parts.popitem(last=False)
        return [bodies[path] for path in paths]

    def _head(self, path: str, absent: str) -> Head:
        """What a pointer or a kept generation says, as of ``pointer_seconds`` ago at most."""
        with self._lock:
            cached = self._heads.get(path)
        if cached is not None and self._now() - cached.seen_at < self._pointer_age:
            self._head_reads.add(self._telemetry, hits=1)
            return cached.head
        self._head_reads.add(self._telemetry, misses=1)
        body = self._head_body(path, absent)
        is_same = cached is not None and cached.body == body
        head = cached.head if cached and is_same else Head.model_validate_json(body)
        with self._lock:
            self._heads[path] = _Seen(self._now(), body, head)
            self._heads.move_to_end(path)
            while len(self._heads) > _MOST_HEADS:
                self._heads.popitem(last=False)
        return head

    def _head_body(self, path: str, absent: str) -> bytes:
        (document,) = self._documents.get(path)
        if document is None or document.body is None:
            raise NotFound(absent)
        return document.body


class _Gone(RetryLater):
    """A part was retired while it was wanted."""

    def __init__(self, path: str) -> None:
        super().__init__("The board has just changed. Try again.", details={"part": path})


def _is_reversed(wanted: Selection) -> bool:
    """True if the order asked for is not the sort's natural one (best first, names from A)."""
    if wanted.descending is None:
        return False
    natural_descending = wanted.sort not in ("rank", "username")
    return wanted.descending != natural_descending


def _sort_key(sort: str) -> Callable[[Row], tuple[int, str]]:
    if sort == "username":
        return lambda row: (0, row.username.lower())
    if sort in ("rank", "score"):
        return lambda row: (row.overall.rank, "")
    kind = Kind(sort)
    return lambda row: (-row.counts[kind], "")
