"""Who counts as whom, and who is shown how: merges and opt-outs as they are now.

Merges are ``identities/<account>``, opt-outs ``removals/<account>``; shared/identities.py and
shared/removals.py change them. ``state/people`` counts the changes: what was made before one is not
published after it (``Publisher``), and is credited once more (``scraping``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from shared.canonical import canonical_json, fingerprint
from shared.errors import Conflict
from shared.ports import Document, Documents, Json, Operator, Query, Transaction, Write

if TYPE_CHECKING:  # it names the publisher, which asks here
    from shared.context import Services

CHANGES = "state/people"

T = TypeVar("T")

Where = tuple[tuple[str, Operator, Json], ...]

_PAGE = 500


class Mode(StrEnum):
    """How somebody who opted out is treated."""

    ANONYMOUS = "anonymous"
    """Counted and ranked, and shown under a pseudonym."""
    REMOVED = "removed"
    """Neither stored nor counted."""
    PUBLIC = "public"
    """Was anonymous and is being shown again; the document goes when that holds everywhere."""


class Merge(BaseModel):
    """``account`` counts as ``person``, whose ``login`` was that when they were merged."""

    model_config = ConfigDict(frozen=True)

    account: int
    person: int
    login: str | None
    reason: str
    merged_at: str
    merged_by: str


class OptOut(BaseModel):
    """Somebody's wish, by account. A removed account's is the tombstone: it holds no login.

    ``request`` is the same for all accounts of one wish; ``job`` carries it out, and ``done_at``
    says since when it holds everywhere. ``shown_id`` (below -1) and ``shown_login`` are what stands
    in an anonymous person's place, ``login`` what comes back when they are shown again.
    """

    model_config = ConfigDict(frozen=True)

    account: int
    mode: Mode
    request: str
    requested_at: str
    requested_by: str
    job: str
    done_at: str | None = None
    shown_id: int | None = None
    shown_login: str | None = None
    login: str | None = None


@dataclass(frozen=True)
class People:
    """All merges and opt-outs at one time. ``changes`` is how often they had changed by then,
    ``lifts`` how many removals had been lifted."""

    changes: int
    lifts: int
    merges: tuple[Merge, ...]
    opt_outs: tuple[OptOut, ...]

    @property
    def parameter(self) -> str:
        """``@people`` of credit_contributions.sql: JSON of account, person (null: none), login."""
        merged: list[dict[str, object]] = [
            {"account": merge.account, "person": merge.person, "login": merge.login}
            for merge in self.merges
            if merge.account not in self.removed
        ]
        removed: list[dict[str, object]] = [
            {"account": account, "person": None, "login": None} for account in self.removed
        ]
        entries = sorted([*merged, *removed], key=lambda entry: int(str(entry["account"])))
        return canonical_json(entries).decode()

    @cached_property
    def removed(self) -> frozenset[int]:
        return frozenset(o.account for o in self.opt_outs if o.mode is Mode.REMOVED)

    @cached_property
    def anonymous(self) -> Mapping[int, OptOut]:
        """Those who are shown under a pseudonym, by account."""
        return {o.account: o for o in self.opt_outs if o.mode is Mode.ANONYMOUS}

    def accounts_of(self, account: int) -> tuple[int, ...]:
        """All accounts of the person that an account belongs to, the person's own first."""
        person = next((m.person for m in self.merges if m.account == account), account)
        return (person, *sorted(m.account for m in self.merges if m.person == person))

    def behind(self, shown_id: int) -> int:
        """The account behind a pseudonymous id; any other id is itself."""
        return next((a for a, o in self.anonymous.items() if o.shown_id == shown_id), shown_id)

    @property
    def fingerprint(self) -> str:
        """Changes with anything that counts or shows anybody otherwise."""
        hidden = sorted(f"{a} {o.shown_id}" for a, o in self.anonymous.items())
        return fingerprint([self.parameter, hidden])

    def digest(self, ids: Collection[int]) -> str:
        """Of the merges and opt-outs that concern those who are on a board, by real ids.

        Nothing of a removed person is among a board's facts, which say so by their own digest.
        Who is anonymous is named by pseudonym, so that the digest tells nobody's id.
        """
        on_board = frozenset(ids)
        merges = [[m.account, m.person] for m in self.merges if m.person in on_board]
        hidden = [o.shown_id for a, o in self.anonymous.items() if a in on_board]
        return fingerprint({"merges": sorted(merges), "removed": sorted(map(str, hidden))})

    def shown(self, rows: pa.Table) -> pa.Table:
        """A board's rows (``contributor_id``, ``login``) with pseudonyms in place of the hidden."""
        ids = rows["contributor_id"].combine_chunks()
        hidden = [a for a in self.anonymous if pc.index(ids, pa.scalar(a, ids.type)).as_py() >= 0]
        if not hidden:
            return rows
        at = pc.index_in(ids, value_set=pa.array(hidden, ids.type))
        for name, values in (
            ("contributor_id", pa.array([self.anonymous[a].shown_id for a in hidden], pa.int64())),
            ("login", pa.array([self.anonymous[a].shown_login for a in hidden], pa.string())),
        ):
            column = pc.coalesce(values.take(at), rows[name].combine_chunks())
            rows = rows.set_column(rows.schema.get_field_index(name), name, column)
        return rows


def current(services: Services) -> People:
    """Everybody's merges and opt-outs. One read, and one query of each collection a page."""
    documents = services.documents
    # Counted before they are read: a change that comes between is noticed, never missed.
    (counted,) = documents.get(CHANGES)
    merges = tuple(Merge.model_validate(d.fields) for d in everything(documents, "identities"))
    opt_outs = tuple(OptOut.model_validate(d.fields) for d in everything(documents, "removals"))
    return People(_count(counted), _count(counted, "lifts"), merges, opt_outs)


def count(documents: Documents) -> int:
    """How often merges and opt-outs have changed."""
    (document,) = documents.get(CHANGES)
    return _count(document)


def lifts(documents: Documents) -> int:
    """How many removals were ever lifted."""
    (document,) = documents.get(CHANGES)
    return _count(document, "lifts")


def change(
    services: Services, decide: Callable[[People], tuple[T, Sequence[Write]]], *, lifts: int = 0
) -> tuple[T, bool]:
    """Write what ``decide`` says of everybody as they are, if nobody else changes them meanwhile.

    Gives what it decided, and whether anything was written: without writes nothing has changed.
    ``lifts`` of removals are counted.
    Raises Conflict when others came between again and again, and what ``decide`` raises.
    """
    for _ in range(5):
        seen = current(services)
        decided, writes = decide(seen)
        if not writes or _written(services, seen, writes, lifts):
            return decided, bool(writes)
    raise Conflict("Others keep changing who is who. Try again.")


def _written(services: Services, seen: People, writes: Sequence[Write], lifts: int) -> bool:
    def write(transaction: Transaction) -> bool:
        if in_transaction(transaction) != seen.changes:
            return False
        fields = {"changes": seen.changes + 1, "lifts": seen.lifts + lifts}
        for each in (*writes, Write(CHANGES, fields)):
            transaction.write(each)
        return True

    return services.documents.transact(write)


def in_transaction(transaction: Transaction) -> int:
    """How often merges and opt-outs have changed, read so that it holds until the commit."""
    return _count(transaction.get(CHANGES))


def note_change(services: Services) -> None:
    """Have everything made until now thrown away that was not published yet."""

    def note(transaction: Transaction) -> None:
        document = transaction.get(CHANGES)
        fields = {"changes": _count(document) + 1, "lifts": _count(document, "lifts")}
        transaction.write(Write(CHANGES, fields))

    services.documents.transact(note)


def everything(documents: Documents, collection: str, where: Where = ()) -> Iterator[Document]:
    """All documents of a collection, or those for which ``where`` holds, by id."""
    cursor: str | None = None
    while True:
        page = documents.query(Query(collection, where, after=cursor, limit=_PAGE))
        yield from page.documents
        cursor = page.cursor
        if cursor is None:
            return


def _count(document: Document | None, name: str = "changes") -> int:
    fields: Mapping[str, Any] = {} if document is None else document.fields
    return int(str(fields.get(name, 0)))
