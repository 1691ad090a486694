"""From ranked rows to the documents of a generation, and their proof.

The input is the table of ``shared/sql/rank_board.sql``: ordered by class and rank. The bytes made
here depend on the rows and on the ranks before, on nothing else. All is made a column at a time:
a large board would spend most of its publication in a loop over its rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise, repeat
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from shared.board_summary import SUMMARY, Months, score_bodies, summary_body
from shared.board_texts import canonical_lines, row_lines, text, text_of
from shared.boards import (
    ALL_CLASSES,
    CLASSES,
    INDEX_ENTRIES,
    ORDER_ENTRIES,
    PAGE_ROWS,
    ClassPart,
    Order,
    Places,
    pack,
    part_path,
)
from shared.models import AccountClass, Kind
from shared.tables import COUNT_COLUMNS

_THREADS = 2
"""Arrow and the compression leave the interpreter's lock, so that two cores are of use."""

_STRETCH = 4 * PAGE_ROWS
"""Rows made together: enough for columns to pay, few enough to bound memory."""

_CLASS_NAMES = pa.array([account_class.value for account_class in CLASSES])
_PLACES = pa.schema(
    {
        "contributor_id": pa.int64(),
        "class_number": pa.uint8(),
        "rank": pa.int64(),
        "rank_all": pa.int64(),
    }
)


@dataclass(frozen=True, slots=True)
class Ranks:
    """Where contributors stood before: id, class number, rank and rank over all, a row each.

    ``older`` gives the ids on the kept generations before that one.
    """

    places: pa.Table = field(default_factory=_PLACES.empty_table)
    older: Callable[[], pa.Array] = lambda: pa.array([], pa.int64())

    @classmethod
    def of(cls, indexes: Iterable[Places], older: Callable[[], pa.Array]) -> Ranks:
        """From the entries of a board's index by id."""
        tables = [
            pa.table(
                [index.keys, list(index.class_numbers), index.ranks, index.ranks_all],
                schema=_PLACES,
            )
            for index in indexes
        ]
        return cls(pa.concat_tables([_PLACES.empty_table(), *tables]).combine_chunks(), older)


@dataclass(frozen=True, slots=True)
class Parts:
    """The documents of a generation: bodies by path, and what the head says of them."""

    bodies: Mapping[str, bytes]
    classes: Mapping[AccountClass, ClassPart]
    total: int
    counts: Mapping[Kind, int]
    first_ids: tuple[int, ...]
    first_logins: tuple[str, ...]
    board_digest: str

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of every body, by path."""
        return {path: hashlib.sha256(body).hexdigest() for path, body in self.bodies.items()}


def encode(rows: pa.Table, edition: str, before: Ranks, months: Months | None = None) -> Parts:
    """All documents of an edition from its ranked rows, and what was counted a month."""
    rows = _with_ranks_before(_with_logins(rows.combine_chunks()), before)
    classes = {
        account_class: ClassPart(rows=stop - start, pages=-(-(stop - start) // PAGE_ROWS))
        for account_class, start, stop in _stretches(rows)
    }
    first_ids: list[int] = []
    first_logins: list[str] = []
    with ThreadPoolExecutor(_THREADS) as pool:
        bodies, board_digest = _pages(rows, edition, pool)
        bodies[part_path(edition, SUMMARY, 0)] = summary_body(rows, months)
        if any(part.pages > 1 for part in classes.values()):
            lower = pc.utf8_lower(_column(rows, "login"))
            rows = rows.append_column("lower", lower).append_column(
                "alphabetical", pc.rank(lower, tiebreaker="dense")
            )
            index, first_ids, first_logins = _indexes(rows, edition)
            bodies |= index | _orders(rows, edition, pool)
            bodies |= {part_path(edition, part, n): b for part, n, b in score_bodies(rows)}
    counts = {kind: pc.sum(rows[name]).as_py() or 0 for kind, name in COUNT_COLUMNS.items()}
    first = tuple(first_ids), tuple(first_logins)
    return Parts(bodies, classes, rows.num_rows, counts, *first, board_digest)


def _column(rows: pa.Table, name: str) -> pa.Array:
    """A column in one piece."""
    chunked = rows[name]
    return chunked.chunk(0) if chunked.num_chunks == 1 else chunked.combine_chunks()


def _with_logins(rows: pa.Table) -> pa.Table:
    """An account whose name no event gave is shown by its number."""
    substitute = pc.binary_join_element_wise(
        text("user"), pc.cast(rows["contributor_id"], pa.string()), text("-")
    )
    return rows.set_column(
        rows.schema.get_field_index("login"), "login", pc.coalesce(rows["login"], substitute)
    )


def _with_ranks_before(rows: pa.Table, before: Ranks) -> pa.Table:
    """With the number of the class, the ranks before (null for none) and who was seen earlier."""
    ids = _column(rows, "contributor_id")
    numbers = pc.index_in(_column(rows, "class"), value_set=_CLASS_NAMES).cast(pa.uint8())
    held = before.places.take(pc.index_in(ids, value_set=_column(before.places, "contributor_id")))
    same_class = pc.equal(held["class_number"], numbers)
    previous = pc.if_else(same_class, held["rank"], pa.scalar(None, pa.int64()))
    if previous.null_count:
        seen = pc.is_in(ids, value_set=before.older())
    else:
        seen = pa.repeat(pa.scalar(False), len(ids))
    added = {
        "class_number": numbers,
        "previous": previous,
        "previous_all": held["rank_all"],
        "seen": seen,
    }
    for name, column in added.items():
        rows = rows.append_column(name, column)
    return rows


def _stretches(rows: pa.Table) -> Iterator[tuple[AccountClass, int, int]]:
    """Where each class begins and ends in the table, which is ordered by class."""
    start = 0
    for entry in pc.value_counts(rows["class"]).to_pylist():
        yield AccountClass(entry["values"]), start, start + entry["counts"]
        start += entry["counts"]


# --- pages --------------------------------------------------------------------------------------


def _pages(rows: pa.Table, edition: str, pool: Executor) -> tuple[dict[str, bytes], str]:
    """The pages of every class, and the hash of the board."""
    bodies: dict[str, bytes] = {}
    digest = hashlib.sha256()
    for account_class, start, stop in _stretches(rows):
        pieces = [
            rows.slice(first, min(_STRETCH, stop - first)) for first in range(start, stop, _STRETCH)
        ]
        page = 0
        made = pool.map(_stretch, pieces, repeat(stop - start), repeat(rows.num_rows))
        for canonical, packed in made:
            digest.update(canonical)
            for body in packed:
                bodies[part_path(edition, f"page.{account_class}", page)] = body
                page += 1
    return bodies, digest.hexdigest()


def _stretch(rows: pa.Table, in_class: int, total: int) -> tuple[bytes, list[bytes]]:
    """Canonical lines and packed pages of some rows of one class."""
    columns = {name: _column(rows, name) for name in rows.column_names}
    lines = row_lines(columns, in_class, total)
    begins = [*range(0, rows.num_rows, PAGE_ROWS), rows.num_rows]
    pages = [pack(text_of(lines[begin:end]).removesuffix(b"\n")) for begin, end in pairwise(begins)]
    return text_of(canonical_lines(columns)), pages


# --- indexes and orders -------------------------------------------------------------------------


def _indexes(rows: pa.Table, edition: str) -> tuple[dict[str, bytes], list[int], list[str]]:
    """The indexes by id and by login, and the first key of each document."""
    by_id = _sorted(rows.select([*_PLACES.names, "lower", "alphabetical"]), "contributor_id")
    by_login = _sorted(by_id, "alphabetical")
    bodies: dict[str, bytes] = {}
    first: dict[str, list[Any]] = {"id": [], "login": []}
    for part, key, table in (("id", "contributor_id", by_id), ("login", "lower", by_login)):
        for number, offset in enumerate(range(0, table.num_rows, INDEX_ENTRIES)):
            piece = table.slice(offset, INDEX_ENTRIES)
            keys = piece[key].to_pylist()
            places = Places(
                keys,
                bytes(piece["class_number"].to_pylist()),
                piece["rank"].to_pylist(),
                piece["rank_all"].to_pylist(),
            )
            bodies[part_path(edition, part, number)] = pack(msgspec.msgpack.encode(places))
            first[part].append(keys[0])
    return bodies, first["id"], first["login"]


def _orders(rows: pa.Table, edition: str, pool: Executor) -> dict[str, bytes]:
    """The orders that pages in rank order do not give: other sorts, and all classes."""
    large = [name for name, start, stop in _stretches(rows) if stop - start > PAGE_ROWS]
    sorts = [(kind.value, column, "descending") for kind, column in COUNT_COLUMNS.items()]
    sorts.append(("username", "alphabetical", "ascending"))
    by_rank = pc.array_sort_indices(_column(rows, "rank_all"))
    positions = rows.select(["class_number", "rank"])

    def documents(sort: str, name: str, ordered: pa.Table) -> Iterator[tuple[str, bytes]]:
        for number, offset in enumerate(range(0, ordered.num_rows, ORDER_ENTRIES)):
            piece = ordered.slice(offset, ORDER_ENTRIES)
            order = Order(bytes(piece["class_number"].to_pylist()), piece["rank"].to_pylist())
            path = part_path(edition, f"order.{name}.{sort}", number)
            yield path, pack(msgspec.msgpack.encode(order))

    def one_sort(sort: str, column: str, direction: str) -> list[tuple[str, bytes]]:
        """The order of all classes together, and cut out of it those of the large ones."""
        values = _column(rows, column).take(by_rank)
        within = pc.array_sort_indices(values, order=direction)
        ordered = positions.take(by_rank.take(within))
        made = [*documents(sort, ALL_CLASSES, ordered)]
        for name in large:
            own = pc.equal(ordered["class_number"], pa.scalar(CLASSES.index(name), pa.uint8()))
            made += documents(sort, name, ordered.filter(own))
        return made

    bodies = dict(documents("rank", ALL_CLASSES, positions.take(by_rank)))
    for made in pool.map(one_sort, *zip(*sorts, strict=True)):
        bodies |= made
    return bodies


def _sorted(rows: pa.Table, by: str) -> pa.Table:
    """The rows by a column; those with the same value stay in the order that they had."""
    return rows.take(pc.array_sort_indices(_column(rows, by))).combine_chunks()
