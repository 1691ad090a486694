"""A published generation in which some people's rows say no more who they are.

Ranks and everybody else's rows stay as they were published. Somebody anonymous keeps counts and
score under a pseudonym; of somebody removed the rank alone is left.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.board_summary import less
from shared.boards import (
    ALL_CLASSES,
    CLASSES,
    INDEX_ENTRIES,
    ORDER_ENTRIES,
    TOMBSTONE,
    TOMBSTONE_LOGIN,
    Head,
    Order,
    Places,
    Row,
    pack,
    part_path,
    unpack,
)
from shared.canonical import fingerprint
from shared.models import AccountClass, Kind
from shared.people import Mode, People


@dataclass(frozen=True, slots=True)
class Shown:
    """Who stands in somebody's place."""

    id: int
    login: str

    @property
    def avatar(self) -> str:
        """A pseudonym has none."""
        return f"https://avatars.githubusercontent.com/u/{self.id}?v=4" if self.id > 0 else ""


Instead = Mapping[int, Shown | None]
"""By the id that is on boards: who stands there from now on, None for nobody."""


def wished(people: People) -> dict[int, Shown | None]:
    """Whom rows must not show, also where a wish does not hold yet for what was published."""
    instead: dict[int, Shown | None] = {}
    for wish in people.opt_outs:
        if wish.mode is Mode.REMOVED:
            instead |= dict.fromkeys(i for i in (wish.account, wish.shown_id) if i is not None)
        elif wish.mode is Mode.ANONYMOUS and wish.shown_id is not None:
            instead[wish.account] = Shown(wish.shown_id, wish.shown_login or "")
    return instead


def as_wished(row: Row, instead: Instead) -> Row:
    """The row, or what stands in its place."""
    return instead_of(row, instead[row.github_id]) if row.github_id in instead else row


_Entry = tuple[Any, int, int, int]
"""Of an index: key, class number, rank, rank over all."""
_Place = tuple[int, int]
"""Class number and rank."""

_decoder = msgspec.json.Decoder(Row)


def redacted(
    head: Head, bodies: Mapping[str, bytes], instead: Instead
) -> tuple[Head, dict[str, bytes]]:
    """The head and the parts of the edition that takes the place of this one.

    ``bodies`` are all its parts by path. The receipt stays: it says what was published.
    """
    named = sorted([id_, shown.id if shown else None] for id_, shown in instead.items())
    edition = f"{head.generation}-{fingerprint([head.edition, named])[:8]}"
    made = _Made(edition, {_part_of(path): body for path, body in bodies.items()})
    gone: Counter[str] = Counter()
    logins: dict[_Place, str] = {}
    removed: set[_Place] = set()
    removed_rows: list[Row] = []
    for part in [part for part in made.old if part.startswith("page.")]:
        lines = unpack(made.old[part]).split(b"\n")
        for number, line in enumerate(lines):
            if not any(b'"github_id":%d,' % id_ in line for id_ in instead):
                continue
            row = _decoder.decode(line)
            if row.github_id not in instead:
                continue
            shown = instead[row.github_id]
            place = (CLASSES.index(AccountClass(row.account_class)), row.rank)
            if shown is None:
                gone.update(row.counts)
                removed.add(place)
                removed_rows.append(row)
            else:
                logins[place] = shown.login.lower()
            lines[number] = msgspec.json.encode(instead_of(row, shown))
        made.put_part(part, b"\n".join(lines))
    first_ids, first_logins = _indexes(made, instead, logins, removed)
    sums = {part: b for part, b in made.old.items() if part.startswith(("summary.", "score."))}
    made.take(less(sums, removed_rows))
    return head.model_copy(
        update={
            "edition": edition,
            "counts": {kind: n - gone.get(kind.value, 0) for kind, n in head.counts.items()},
            "first_ids": first_ids,
            "first_logins": first_logins,
            "digests": {path: hashlib.sha256(b).hexdigest() for path, b in made.bodies.items()},
            "redacted": True,
        }
    ), made.bodies


def instead_of(row: Row, shown: Shown | None) -> Row:
    """The row that stands in somebody's place."""
    if shown is None:
        return msgspec.structs.replace(
            row,
            github_id=TOMBSTONE,
            username=TOMBSTONE_LOGIN,
            avatar_url="",
            score=0.0,
            repositories=0,
            counts=dict.fromkeys((kind.value for kind in Kind), 0),
        )
    return msgspec.structs.replace(
        row, github_id=shown.id, username=shown.login, avatar_url=shown.avatar
    )


class _Made:
    """The parts of the new edition, and those of the old one by their names within it."""

    def __init__(self, edition: str, old: Mapping[str, bytes]) -> None:
        self.old = old
        self.bodies: dict[str, bytes] = {}
        self._edition = edition

    def put_part(self, part: str, raw: bytes) -> None:
        name, number = part.rsplit(".", 1)
        self.bodies[part_path(self._edition, name, int(number))] = pack(raw)

    def take(self, packed: Mapping[str, bytes]) -> None:
        """Parts that are packed already, by their names within the edition."""
        for part, body in packed.items():
            name, number = part.rsplit(".", 1)
            self.bodies[part_path(self._edition, name, int(number))] = body

    def all_of(self, name: str, type_: type[Any]) -> Iterator[Any]:
        """The documents of an index or order, in their order."""
        number = 0
        while f"{name}.{number}" in self.old:
            yield msgspec.msgpack.decode(unpack(self.old[f"{name}.{number}"]), type=type_)
            number += 1


def _indexes(
    made: _Made, instead: Instead, logins: Mapping[_Place, str], removed: set[_Place]
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Indexes without the removed, and every order: they come last, where a count of 0 belongs."""
    if "id.0" not in made.old:
        return (), ()
    entries = [entry for index in made.all_of("id", Places) for entry in _entries(index)]
    by_id: list[_Entry] = []
    for key, class_number, rank, rank_all in entries:
        shown = instead.get(key)
        if key not in instead or shown is not None:
            by_id.append((shown.id if shown else key, class_number, rank, rank_all))
    by_login = [
        (logins.get((class_number, rank), key), class_number, rank, rank_all)
        for index in made.all_of("login", Places)
        for key, class_number, rank, rank_all in _entries(index)
        if (class_number, rank) not in removed
    ]
    first_ids = _put_index(made, "id", sorted(by_id))
    first_logins = _put_index(made, "login", sorted(by_login, key=lambda entry: entry[0]))
    last = sorted(removed)
    alphabetical = [(e[1], e[2]) for e in sorted(by_login, key=lambda e: (e[0], e[3]))] + last
    for name in sorted({part.rsplit(".", 1)[0] for part in made.old if part.startswith("order.")}):
        _, class_name, sort = name.split(".")
        places = [
            place
            for order in made.all_of(name, Order)
            for place in zip(order.class_numbers, order.ranks, strict=True)
        ]
        if sort == "username":
            wanted = set(places) if class_name != ALL_CLASSES else None
            places = [place for place in alphabetical if wanted is None or place in wanted]
        elif sort != "rank":
            there = [place for place in places if place in removed]
            places = [place for place in places if place not in removed] + there
        _put_order(made, name, places)
    return tuple(first_ids), tuple(first_logins)


def _entries(index: Places) -> Iterator[_Entry]:
    return zip(index.keys, index.class_numbers, index.ranks, index.ranks_all, strict=True)


def _put_index(made: _Made, name: str, entries: Sequence[_Entry]) -> list[Any]:
    first = []
    for number, offset in enumerate(range(0, len(entries), INDEX_ENTRIES)):
        some = entries[offset : offset + INDEX_ENTRIES]
        keys, class_numbers, ranks, ranks_all = (list(column) for column in zip(*some, strict=True))
        index = Places(keys, bytes(class_numbers), ranks, ranks_all)
        made.put_part(f"{name}.{number}", msgspec.msgpack.encode(index))
        first.append(keys[0])
    return first


def _put_order(made: _Made, name: str, places: Sequence[_Place]) -> None:
    for number, offset in enumerate(range(0, len(places), ORDER_ENTRIES)):
        some = places[offset : offset + ORDER_ENTRIES]
        order = Order(bytes(place[0] for place in some), [place[1] for place in some])
        made.put_part(f"{name}.{number}", msgspec.msgpack.encode(order))


def _part_of(path: str) -> str:
    """``page.human.0`` of a part's path: the edition before it has no dot."""
    return path.rsplit("/", 1)[1].split(".", 1)[1]
