"""Publishing a board: write a generation's parts, verify what was written, flip the pointer.

Killed anywhere, the old board stays; repeated, it ends with the same bytes. Parts are named by
edition, so a slow repeat never writes into what readers of another edition see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeGuard

import pyarrow as pa

from shared import people
from shared.board_parts import Ranks, encode
from shared.board_summary import Months
from shared.boards import (
    Head,
    Places,
    generation_path,
    pointer_path,
)
from shared.canonical import fingerprint
from shared.errors import Conflict, IntegrityError, NotFound
from shared.generation_store import (
    GenerationStore,
    generation_write,
    head_of,
    remove_generation,
)
from shared.models import WINDOW_DAYS, iso
from shared.ports import Document, Documents, Transaction, Write
from shared.receipts import Inputs, Receipt
from shared.recounts import Recounted, Sources, recounted
from shared.redaction import Instead, redacted

_ABANDONED_AFTER = timedelta(hours=1)
"""An unfinished generation older than this has lost its writer."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A board as counted, before it is published. ``rows`` come from rank_board.sql.

    ``sources`` are the days of its repositories for which GitHub counts (``shared/recounts.py``).
    ``months`` is what they count a month, None for boards over several repositories.
    """

    name: str
    rows: pa.Table
    inputs: Inputs
    as_of: str
    rules_version: int
    coverage: Mapping[str, Any]
    sources: Sources = field(default_factory=dict)
    people_changes: int = 0
    """How often who is who had changed (``shared.people``) when the rows were made."""
    months: Months | None = None


class PeopleChanged(Conflict):
    """Somebody was merged, hidden or removed since the rows were made. Make them anew."""


class _Overtaken(Conflict):
    """The board shows something else than what a generation was compared with."""


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did. ``changed`` is False where the board was this generation already."""

    head: Head
    changed: bool


class Publisher:
    """Publishes drafts into the document store and keeps the last generations of each board."""

    def __init__(self, documents: Documents, *, now: Callable[[], datetime], keep: int) -> None:
        self._documents = documents
        self._store = GenerationStore(documents)
        self._now = now
        self._keep = keep

    def publish(self, draft: Draft) -> Published:
        """Put the draft on the board. Raises IntegrityError if what was written does not verify,

        Conflict if other publications of the same board came between again and again, or if who
        is who has changed since the draft was made.
        """
        for _ in range(5):
            current = self._store.current(draft.inputs.board, draft.inputs.window)
            head = self._prepare(draft, current)
            if head == current:
                self._retire(head)  # a publication that was killed after its flip did not get there
                return Published(head, changed=False)
            try:
                self._flip(head, current, draft.people_changes)
            except PeopleChanged:
                self._discard(head)
                raise
            except _Overtaken:
                # Its name stands for the editions it was compared with, and those are not shown
                # any more: nobody can flip to it.
                self._discard(head)
                continue
            except Conflict:
                continue
            self._retire(head)
            return Published(head, current is None or current.edition != head.edition)
        raise Conflict("Other publications of this board kept coming between. Try again.")

    def roll_back(self, board: str, window: str, generation: str) -> Head:
        """Put a kept generation back on the board. Raises NotFound if it is not kept."""
        current = self._store.current(board, window)
        kept = self._kept(current, generation)
        if kept is None:
            raise NotFound(f"Generation {generation} of this board is not kept.")
        head = self._succeed(kept, current)
        self._flip(head, current)
        return head

    def redact(self, board: str, window: str, instead: Instead) -> bool:
        """Put others, or nobody, in some people's place in every kept generation of a board.

        What a publication left unfinished is removed. True if somebody was there. Safe to repeat:
        readers see a generation as it was or as it is.
        """
        for _ in range(5):
            current = self._store.current(board, window)
            self._store.remove(board, window, lambda old: old.fields["state"] == "writing")
            if current is None:
                return False
            renamed: dict[str, Head] = {}
            for edition in (current.edition, *current.kept):
                head = (
                    current if edition == current.edition else self._store.kept_as(current, edition)
                )
                if head is not None and _names(self._store.places(head), instead):
                    renamed[edition] = self._redact_one(head, instead)
            if not renamed:
                self._retire(current)  # one that was killed after its flip did not get there
                return False
            names = {edition: head.edition for edition, head in renamed.items()}
            kept = tuple(names.get(edition, edition) for edition in current.kept)
            head = renamed.get(current.edition, current).model_copy(update={"kept": kept})
            try:
                self._flip(head, current, also=renamed.values())
            except Conflict:
                continue
            self._retire(head)
            return True
        raise Conflict("Publications of this board kept coming between. Try again.")

    def holds(self, head: Head) -> bool:
        """True if every part of a generation is what its head says."""
        try:
            for _ in self._store.read_back(head.digests, head.digests):
                pass
        except IntegrityError:
            return False
        return True

    def withdraw(self, board: str) -> None:
        """Take a board away: its pointers first, then every generation. Safe to repeat."""
        for window in WINDOW_DAYS:
            self._documents.write([Write(pointer_path(board, window), None)])
            self._store.remove(board, window, lambda _old: True)

    # --- steps ------------------------------------------------------------------------------

    def _prepare(self, draft: Draft, current: Head | None) -> Head:
        """The head to flip to, with every part of it written and verified."""
        inputs = draft.inputs
        if _is_whole(current) and current.generation == inputs.generation:
            told = {"coverage": draft.coverage, "sources": draft.sources}
            return current.model_copy(update=told)
        kept = self._kept(current, inputs.generation)
        if _is_whole(kept):
            again = self._succeed(kept, current)
            told = {"coverage": draft.coverage, "sources": draft.sources}
            return again.model_copy(update={**told, "recounted": _recounted(draft, current)})
        return self._write(draft, current)

    def _kept(self, current: Head | None, generation: str) -> Head | None:
        edition = current.kept_edition(generation) if current else None
        return self._store.kept_as(current, edition) if current and edition else None

    def _write(self, draft: Draft, current: Head | None) -> Head:
        inputs = draft.inputs
        # Movement is told against all that are kept, so the name stands for all of them.
        before = [current.edition, *current.kept] if current else []
        compared = fingerprint(before)[:8] if before else "first"
        edition = f"{inputs.generation}-{compared}"
        parts = encode(draft.rows, edition, self._ranks(current), draft.months)
        head = Head(
            board=inputs.board,
            name=draft.name,
            window=inputs.window,
            generation=inputs.generation,
            edition=edition,
            as_of=draft.as_of,
            published_at=iso(self._now()),
            rules=draft.rules_version,
            receipt=Receipt(inputs=inputs, board=parts.board_digest, rows=parts.total),
            classes=parts.classes,
            total=parts.total,
            counts=parts.counts,
            first_ids=parts.first_ids,
            first_logins=parts.first_logins,
            coverage=draft.coverage,
            sources=draft.sources,
            recounted=_recounted(draft, current),
            kept=self._kept_after(current, inputs.generation),
            digests=parts.digests,
        )
        self._store.write(head, parts.bodies)
        self._store.verify(draft.rows, head, parts.bodies)
        return head

    def _flip(
        self,
        head: Head,
        current: Head | None,
        people_changes: int | None = None,
        *,
        also: Iterable[Head] = (),
    ) -> None:
        """Point to ``head`` if the board still shows and keeps what ``current`` says.

        ``also`` are heads of kept generations that count from now on. Raises Conflict otherwise,
        PeopleChanged if who is who has changed oftener than that.
        """
        pointer = pointer_path(head.board, head.window)

        def flip(transaction: Transaction) -> None:
            document = transaction.get(pointer)
            if (_editions(head_of(document)) if document else ()) != _editions(current):
                raise _Overtaken("The board changed meanwhile.")
            if people_changes is not None and (
                people.in_transaction(transaction) != people_changes
            ):
                raise PeopleChanged("Somebody was merged, hidden or removed meanwhile. Try again.")
            for each in also:
                transaction.write(generation_write(each, "published"))
            transaction.write(
                Write(
                    pointer,
                    {
                        "board": head.board,
                        "window": head.window,
                        "generation": head.generation,
                        "edition": head.edition,
                        "published_at": head.published_at,
                    },
                    head.model_dump_json().encode(),
                )
            )
            if head.edition not in {each.edition for each in also}:
                transaction.write(generation_write(head, "published"))

        self._documents.transact(flip)

    def _redact_one(self, head: Head, instead: Instead) -> Head:
        """Write a generation once more with others in some people's place, and verify it."""
        bodies = dict(self._store.read_back(head.digests, head.digests))
        made, parts = redacted(head, bodies, instead)
        # By the time it is written: whoever tidies up sees that somebody is at it.
        self._store.write(made.model_copy(update={"published_at": iso(self._now())}), parts)
        for _ in self._store.read_back(parts, made.digests):
            pass
        return made

    def _discard(self, head: Head) -> None:
        """Remove a generation that was written and is not to be published."""
        self._store.remove(
            head.board,
            head.window,
            lambda old: old.fields["state"] == "writing" and old.path.endswith(head.edition),
        )

    def _retire(self, head: Head) -> None:
        """Remove generations that are not kept any more, and unfinished ones without a writer.

        Another publication may have come after ``head``: what it shows is listed as unfinished, or
        is named by a pointer that is read after the list.
        """
        abandoned = iso(self._now() - _ABANDONED_AFTER)

        def is_due(document: Document) -> bool:
            if document.path.rsplit("~", 1)[1] in _editions(head):
                return False
            unfinished = document.fields["state"] == "writing"
            return not unfinished or str(document.fields["published_at"]) < abandoned

        due = self._store.listed(head.board, head.window, is_due)
        if not due:
            return
        shown = _editions(self._store.current(head.board, head.window))
        for document in due:
            if document.path.rsplit("~", 1)[1] not in shown:
                remove_generation(self._documents, document)

    def _kept_after(self, current: Head | None, generation: str) -> tuple[str, ...]:
        if current is None:
            return ()
        older = (current.edition, *current.kept)
        return tuple(e for e in older if not e.startswith(generation))[: self._keep - 1]

    def _succeed(self, head: Head, current: Head | None) -> Head:
        """A kept head as the successor of ``current``."""
        return head.model_copy(
            update={
                "kept": self._kept_after(current, head.generation),
                "published_at": iso(self._now()),
            }
        )

    # --- ranks before -----------------------------------------------------------------------

    def _ranks(self, current: Head | None) -> Ranks:
        if current is None:
            return Ranks()

        def older() -> pa.Array:
            paths = [generation_path(current.board, current.window, e) for e in current.kept]
            found = self._documents.get(*paths) if paths else ()
            heads = [head_of(document) for document in found if document is not None]
            keys = [places.keys for head in heads for places in self._store.places(head)]
            return pa.concat_arrays([pa.array(some, pa.int64()) for some in ([], *keys)])

        return Ranks.of(self._store.places(current), older)


def _names(places: Iterable[Places], instead: Instead) -> bool:
    """True if one of the people stands there."""
    return any(not instead.keys().isdisjoint(some.keys) for some in places)


def _recounted(draft: Draft, current: Head | None) -> tuple[Recounted, ...]:
    if current is None:
        return ()
    return recounted(current.sources, draft.sources, draft.inputs.start, current.as_of)


def _is_whole(head: Head | None) -> TypeGuard[Head]:
    """True for a generation that is as it was published: one that is not is made anew."""
    return head is not None and not head.redacted


def _editions(head: Head | None) -> tuple[str, ...]:
    return () if head is None else (head.edition, *head.kept)
