"""Publishing a board: write a generation's parts, verify what was written, flip the pointer.

Killed anywhere, the old board stays; repeated, it ends with the same bytes. Parts are named by
edition, so a slow repeat never writes into what readers of another edition see.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeGuard

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import astuple

from shared import people
from shared.board_parts import Parts, Ranks, encode
from shared.board_summary import Months
from shared.boards import (
    CLASSES,
    TOMBSTONE,
    Head,
    Places,
    all_rows,
    generation_path,
    part_path,
    pointer_path,
    unpack,
)
from shared.canonical import fingerprint
from shared.errors import Conflict, IntegrityError, NotFound
from shared.models import WINDOW_DAYS, AccountClass, Kind, iso
from shared.ports import Document, Documents, Query, Transaction, Write
from shared.receipts import Inputs, Receipt
from shared.recounts import Recounted, Sources, recounted
from shared.redaction import Instead, redacted
from shared.tables import COUNT_COLUMNS

_BATCH_BYTES = 3_000_000
"""Bodies that travel in one batch; stores refuse requests of more than 4 to 10 MiB."""

_READ_TOGETHER = 16
"""Parts that are read in one round trip; each is at most 1 MiB."""

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


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did. ``changed`` is False where the board was this generation already."""

    head: Head
    changed: bool


_Counts = msgspec.defstruct("counts", [(kind.value, int) for kind in Kind], gc=False)


class _Proof(msgspec.Struct, gc=False):
    """Of a row that was read back, what is summed. The rest is proven byte by byte."""

    rank: int
    score: float
    counts: _Counts  # type: ignore[valid-type]


_proof_decoder = msgspec.json.Decoder(_Proof)


class Publisher:
    """Publishes drafts into the document store and keeps the last generations of each board."""

    def __init__(self, documents: Documents, *, now: Callable[[], datetime], keep: int) -> None:
        self._documents = documents
        self._now = now
        self._keep = keep

    def publish(self, draft: Draft) -> Published:
        """Put the draft on the board. Raises IntegrityError if what was written does not verify,

        Conflict if other publications of the same board came between again and again, or if who
        is who has changed since the draft was made.
        """
        for _ in range(5):
            current = self._current(draft.inputs.board, draft.inputs.window)
            head = self._prepare(draft, current)
            if head == current:
                self._retire(head)  # a publication that was killed after its flip did not get there
                return Published(head, changed=False)
            try:
                self._flip(head, current, draft.people_changes)
            except PeopleChanged:
                self._discard(head)
                raise
            except Conflict:
                continue
            self._retire(head)
            return Published(head, current is None or current.edition != head.edition)
        raise Conflict("Other publications of this board kept coming between. Try again.")

    def roll_back(self, board: str, window: str, generation: str) -> Head:
        """Put a kept generation back on the board. Raises NotFound if it is not kept."""
        current = self._current(board, window)
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
            current = self._current(board, window)
            self._remove(board, window, lambda old: old.fields["state"] == "writing")
            if current is None:
                return False
            renamed: dict[str, Head] = {}
            for edition in (current.edition, *current.kept):
                head = current if edition == current.edition else self._kept_as(current, edition)
                if head is not None and self._names(head, instead):
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
            for _ in self._read_back(head.digests, head.digests):
                pass
        except IntegrityError:
            return False
        return True

    def withdraw(self, board: str) -> None:
        """Take a board away: its pointers first, then every generation. Safe to repeat."""
        for window in WINDOW_DAYS:
            self._documents.write([Write(pointer_path(board, window), None)])
            self._remove(board, window, lambda _old: True)

    # --- steps ------------------------------------------------------------------------------

    def _current(self, board: str, window: str) -> Head | None:
        (pointer,) = self._documents.get(pointer_path(board, window))
        return None if pointer is None else _head(pointer)

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
        return self._kept_as(current, edition) if current and edition else None

    def _kept_as(self, current: Head, edition: str) -> Head | None:
        (document,) = self._documents.get(generation_path(current.board, current.window, edition))
        return None if document is None else _head(document)

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
        # Noted first, so that the parts of a publication that dies can be found and removed.
        self._documents.write([_generation_write(head, "writing")])
        for batch in _batches(Write(path, {}, body) for path, body in parts.bodies.items()):
            self._documents.write(batch)
        self._verify(draft.rows, head, parts)
        return head

    def _verify(self, rows: pa.Table, head: Head, parts: Parts) -> None:
        """Read back what a reader would see: count, contiguous ranks, sums, every byte."""
        seen, score, counts = 0, 0, 0
        for account_class in head.classes:
            expected = 1
            for path, body in self._read_back(_page_paths(head, account_class), head.digests):
                page = _proof_decoder.decode_lines(unpack(body))
                following = range(expected, expected + len(page))
                ranks = [row.rank for row in page]
                if ranks != [*following]:
                    raise IntegrityError(
                        f"{path}: ranks {ranks[0]} to {ranks[-1]} are not "
                        f"{following.start} to {following.stop - 1}"
                    )
                expected = following.stop
                score += sum([round(row.score * 100) for row in page])
                counts += sum([sum(astuple(row.counts)) for row in page])
            seen += expected - 1
        for _ in self._read_back(parts.bodies.keys() - {*_page_paths(head)}, head.digests):
            pass
        hundredths = pc.sum(pc.divide(pc.add(rows["score"], 5), 10)).as_py() or 0
        quantity = sum(pc.sum(rows[name]).as_py() or 0 for name in COUNT_COLUMNS.values())
        if (seen, score, counts) != (rows.num_rows, hundredths, quantity):
            raise IntegrityError(
                f"Board {head.board} {head.window} does not verify: {seen} rows of "
                f"{rows.num_rows}, scores {score} of {hundredths}, counts {counts} of {quantity}."
            )

    def _read_back(
        self, paths: Iterable[str], digests: Mapping[str, str]
    ) -> Iterator[tuple[str, bytes]]:
        """The bodies at ``paths``, some at a time. Raises IntegrityError if one was changed."""
        waiting = list(paths)
        for first in range(0, len(waiting), _READ_TOGETHER):
            some = waiting[first : first + _READ_TOGETHER]
            for path, document in zip(some, self._documents.get(*some), strict=True):
                body = document.body if document else None
                if body is None or hashlib.sha256(body).hexdigest() != digests[path]:
                    raise IntegrityError(f"{path} is not what was written")
                yield path, body

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
            if (_editions(_head(document)) if document else ()) != _editions(current):
                raise Conflict("The board changed meanwhile.")
            if people_changes is not None and (
                people.in_transaction(transaction) != people_changes
            ):
                raise PeopleChanged("Somebody was merged, hidden or removed meanwhile. Try again.")
            for each in also:
                transaction.write(_generation_write(each, "published"))
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
                transaction.write(_generation_write(head, "published"))

        self._documents.transact(flip)

    def _redact_one(self, head: Head, instead: Instead) -> Head:
        """Write a generation once more with others in some people's place, and verify it."""
        bodies = dict(self._read_back(head.digests, head.digests))
        made, parts = redacted(head, bodies, instead)
        # By the time it is written: whoever tidies up sees that somebody is at it.
        noted = made.model_copy(update={"published_at": iso(self._now())})
        self._documents.write([_generation_write(noted, "writing")])
        for batch in _batches(Write(path, {}, body) for path, body in parts.items()):
            self._documents.write(batch)
        for _ in self._read_back(parts, made.digests):
            pass
        return made

    def _names(self, head: Head, instead: Instead) -> bool:
        return any(not instead.keys().isdisjoint(places.keys) for places in self._places(head))

    def _discard(self, head: Head) -> None:
        """Remove a generation that was written and is not to be published."""
        self._remove(
            head.board,
            head.window,
            lambda old: old.fields["state"] == "writing" and old.path.endswith(head.edition),
        )

    def _retire(self, head: Head) -> None:
        """Remove generations that are not kept any more, and unfinished ones without a writer."""
        keep = {head.edition, *head.kept}
        abandoned = iso(self._now() - _ABANDONED_AFTER)

        def is_due(document: Document) -> bool:
            if document.path.rsplit("~", 1)[1] in keep:
                return False
            unfinished = document.fields["state"] == "writing"
            return not unfinished or str(document.fields["published_at"]) < abandoned

        self._remove(head.board, head.window, is_due)

    def _remove(self, board: str, window: str, is_due: Callable[[Document], bool]) -> None:
        """Remove generations of a board: parts first, so that a kill leaves the list of them."""
        page = self._documents.query(
            Query("board_generations", (("slot", "==", f"{board}~{window}"),))
        )
        for document in filter(is_due, page.documents):
            paths = list(_head(document).digests)
            for start in range(0, len(paths), 500):
                self._documents.write([Write(path, None) for path in paths[start : start + 500]])
            self._documents.write([Write(document.path, None)])

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
            heads = [_head(document) for document in found if document is not None]
            keys = [places.keys for head in heads for places in self._places(head)]
            return pa.concat_arrays([pa.array(some, pa.int64()) for some in ([], *keys)])

        return Ranks.of(self._places(current), older)

    def _places(self, head: Head) -> Iterator[Places]:
        """Where everybody stands on a board: its index by id, or made from its only pages."""
        if head.indexed:
            paths = [part_path(head.edition, "id", n) for n in range(len(head.first_ids))]
            for _, body in self._read_back(paths, head.digests):
                yield msgspec.msgpack.decode(unpack(body), type=Places)
            return
        for _, body in self._read_back(_page_paths(head), head.digests):
            rows = [row for row in all_rows(body) if row.github_id != TOMBSTONE]
            yield Places(
                [row.github_id for row in rows],
                bytes(CLASSES.index(AccountClass(row.account_class)) for row in rows),
                [row.rank for row in rows],
                [row.overall.rank for row in rows],
            )


def _recounted(draft: Draft, current: Head | None) -> tuple[Recounted, ...]:
    if current is None:
        return ()
    return recounted(current.sources, draft.sources, draft.inputs.start, current.as_of)


def _is_whole(head: Head | None) -> TypeGuard[Head]:
    """True for a generation that is as it was published: one that is not is made anew."""
    return head is not None and not head.redacted


def _editions(head: Head | None) -> tuple[str, ...]:
    return () if head is None else (head.edition, *head.kept)


def _head(document: Document) -> Head:
    return Head.model_validate_json(document.body or b"")


def _page_paths(head: Head, *classes: AccountClass) -> list[str]:
    """The pages of a board in order, of all its classes or of some."""
    return [
        part_path(head.edition, f"page.{account_class}", number)
        for account_class in classes or head.classes
        for number in range(head.classes[account_class].pages)
    ]


def _generation_write(head: Head, state: str) -> Write:
    fields = {
        "slot": f"{head.board}~{head.window}",
        "state": state,
        "published_at": head.published_at,
    }
    path = generation_path(head.board, head.window, head.edition)
    return Write(path, fields, head.model_dump_json().encode())


def _batches(writes: Iterable[Write]) -> Iterator[Sequence[Write]]:
    """Writes in batches that every store accepts."""
    batch: list[Write] = []
    size = 0
    for write in writes:
        length = len(write.body or b"")
        if batch and (size + length > _BATCH_BYTES or len(batch) == 500):
            yield batch
            batch, size = [], 0
        batch.append(write)
        size += length
    if batch:
        yield batch
