"""From ranked rows to the documents of a generation, and their proof.

The input is the table of ``shared/sql/rank_board.sql``: ordered by class and rank. The bytes made
here depend on the rows and on the ranks before, on nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

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
from shared.ranking import band, change, percentile_hundredths
from shared.tables import COUNT_COLUMNS

_CLASS_NUMBER = {account_class.value: number for number, account_class in enumerate(CLASSES)}
_COUNTS = ",".join(f'"{kind.value}":%d' for kind in Kind)
_STANDING = '"rank":%d,"percentile":%d.%02d,"band":%s,"movement":%s'
_ROW = (
    '{"rank":%d,"github_id":%d,"username":%s,'
    '"avatar_url":"https://avatars.githubusercontent.com/u/%d?v=4","class":"%s",'
    '"score":%d.%02d,"percentile":%d.%02d,"band":%s,"movement":%s,"repositories":%d,'
    '"counts":{' + _COUNTS + '},"overall":{' + _STANDING + "}}"
)
_CANONICAL = "%d|%s|" + "|".join(["%d"] * len(Kind)) + "|%d|%d\n"


@dataclass(frozen=True, slots=True)
class Ranks:
    """Where contributors stood before: id → (class number, rank, rank over all).

    ``seen_before`` tells whether an older kept generation had an id.
    """

    places: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)
    seen_before: Callable[[int], bool] = lambda _id: False


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


def encode(rows: pa.Table, edition: str, before: Ranks) -> Parts:
    """All documents of an edition from its ranked rows."""
    rows = _with_logins(rows)
    lines, board_digest = _lines(rows, before)
    bodies: dict[str, bytes] = {}
    classes: dict[AccountClass, ClassPart] = {}
    for account_class, start, stop in _stretches(rows):
        pages = range(start, stop, PAGE_ROWS)
        for number, first in enumerate(pages):
            page = "\n".join(lines[first : min(first + PAGE_ROWS, stop)]).encode()
            bodies[part_path(edition, f"page.{account_class}", number)] = pack(page)
        classes[account_class] = ClassPart(rows=stop - start, pages=len(pages))
    if any(part.pages > 1 for part in classes.values()):
        first_ids, first_logins = _index(rows, edition, bodies)
        _orders(rows, edition, bodies)
    else:
        first_ids, first_logins = (), ()
    counts = {kind: pc.sum(rows[name]).as_py() or 0 for kind, name in COUNT_COLUMNS.items()}
    return Parts(bodies, classes, rows.num_rows, counts, first_ids, first_logins, board_digest)


def _with_logins(rows: pa.Table) -> pa.Table:
    """An account whose name no event gave is shown by its number."""
    substitute = pc.binary_join_element_wise(
        "user", pc.cast(rows["contributor_id"], pa.string()), "-"
    )
    return rows.set_column(
        rows.schema.get_field_index("login"), "login", pc.coalesce(rows["login"], substitute)
    )


def _lines(rows: pa.Table, before: Ranks) -> tuple[list[str], str]:
    """Every row as JSON text, in table order, and the hash of the board."""
    totals = {
        entry["values"]: entry["counts"] for entry in pc.value_counts(rows["class"]).to_pylist()
    }
    columns: dict[str, list[Any]] = {name: rows[name].to_pylist() for name in rows.column_names}
    counts = zip(*(columns[name] for name in COUNT_COLUMNS.values()), strict=True)
    movement, movement_all = _movements(columns, before)
    encode_text = msgspec.json.Encoder().encode
    digest = hashlib.sha256()
    total = rows.num_rows
    lines: list[str] = []
    walk = zip(
        columns["contributor_id"],
        columns["class"],
        columns["login"],
        columns["score"],
        columns["repositories"],
        columns["rank"],
        columns["above"],
        columns["rank_all"],
        columns["above_all"],
        counts,
        movement,
        movement_all,
        strict=True,
    )
    for id_, class_, login, score, repositories, rank, above, rank_all, above_all, c, m, ma in walk:
        in_class = totals[class_]
        hundredths = (score + 5) // 10
        percentile = percentile_hundredths(above, in_class)
        overall = percentile_hundredths(above_all, total)
        digest.update((_CANONICAL % (id_, class_, *c, score, rank)).encode())
        lines.append(
            _ROW
            % (
                rank, id_, encode_text(login).decode(), id_, class_,
                hundredths // 100, hundredths % 100, percentile // 100, percentile % 100,
                band(above, in_class) or "null", m, repositories, *c,
                rank_all, overall // 100, overall % 100,
                band(above_all, total) or "null", ma,
            )
        )  # fmt: skip
    return lines, digest.hexdigest()


def _movements(
    columns: Mapping[str, Sequence[Any]], before: Ranks
) -> tuple[Iterator[str], Iterator[str]]:
    """The movement objects of every row as JSON text: in its class, and over all."""

    def text(id_: int, rank: int, previous: int | None) -> str:
        moved, by = change(rank, previous, seen_before=previous is None and before.seen_before(id_))
        return f'{{"change":"{moved}","by":{by},"previous":{previous or "null"}}}'

    places = before.places

    def in_class() -> Iterator[str]:
        for id_, class_, rank in zip(
            columns["contributor_id"], columns["class"], columns["rank"], strict=True
        ):
            place = places.get(id_)
            same = place and place[0] == _CLASS_NUMBER[class_]
            yield text(id_, rank, place[1] if place and same else None)

    def overall() -> Iterator[str]:
        for id_, rank in zip(columns["contributor_id"], columns["rank_all"], strict=True):
            place = places.get(id_)
            yield text(id_, rank, place[2] if place else None)

    return in_class(), overall()


def _stretches(rows: pa.Table) -> Iterator[tuple[AccountClass, int, int]]:
    """Where each class begins and ends in the table, which is ordered by class."""
    start = 0
    for entry in pc.value_counts(rows["class"]).to_pylist():
        yield AccountClass(entry["values"]), start, start + entry["counts"]
        start += entry["counts"]


def _index(
    rows: pa.Table, edition: str, bodies: dict[str, bytes]
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Write the indexes by id and by login. Returns the first key of each document."""
    keyed = rows.select(["contributor_id", "class", "rank", "rank_all"]).append_column(
        "login", pc.utf8_lower(rows["login"])
    )
    by_id = keyed.sort_by("contributor_id")
    by_login = keyed.sort_by([("login", "ascending"), ("contributor_id", "ascending")])
    first: dict[str, list[Any]] = {"id": [], "login": []}
    for part, key, table in (("id", "contributor_id", by_id), ("login", "login", by_login)):
        for number, offset in enumerate(range(0, table.num_rows, INDEX_ENTRIES)):
            piece = table.slice(offset, INDEX_ENTRIES)
            keys = piece[key].to_pylist()
            places = Places(
                keys,
                bytes(_CLASS_NUMBER[class_] for class_ in piece["class"].to_pylist()),
                piece["rank"].to_pylist(),
                piece["rank_all"].to_pylist(),
            )
            bodies[part_path(edition, part, number)] = pack(msgspec.msgpack.encode(places))
            first[part].append(keys[0])
    return tuple(first["id"]), tuple(first["login"])


def _orders(rows: pa.Table, edition: str, bodies: dict[str, bytes]) -> None:
    """Write the orders that pages in rank order do not give: other sorts, and all classes."""
    numbers = pa.array([_CLASS_NUMBER[class_] for class_ in rows["class"].to_pylist()], pa.uint8())
    keyed = rows.append_column("class_number", numbers).append_column(
        "username", pc.utf8_lower(rows["login"])
    )
    sorts = [(kind.value, column, "descending") for kind, column in COUNT_COLUMNS.items()]
    sorts.append(("username", "username", "ascending"))
    for account_class, start, stop in (*_stretches(rows), (ALL_CLASSES, 0, rows.num_rows)):
        if stop - start <= PAGE_ROWS and account_class != ALL_CLASSES:
            continue
        table = keyed.slice(start, stop - start)
        named = (
            [("rank", "rank_all", "ascending"), *sorts] if account_class == ALL_CLASSES else sorts
        )
        for sort, column, direction in named:
            ordered = table.take(
                pc.sort_indices(table, sort_keys=[(column, direction), ("rank_all", "ascending")])
            )
            for number, offset in enumerate(range(0, ordered.num_rows, ORDER_ENTRIES)):
                piece = ordered.slice(offset, ORDER_ENTRIES)
                order = Order(bytes(piece["class_number"].to_pylist()), piece["rank"].to_pylist())
                path = part_path(edition, f"order.{account_class}.{sort}", number)
                bodies[path] = pack(msgspec.msgpack.encode(order))
