"""The documents of generations: written in batches, read back against their digests, removed.

What a generation consists of is ``shared/board_parts.py``; when one is written, shown and removed
is ``shared/publishing.py``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import astuple

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
from shared.errors import IntegrityError
from shared.models import AccountClass, Kind
from shared.ports import Document, Documents, Query, Write
from shared.tables import COUNT_COLUMNS

_BATCH_BYTES = 3_000_000
"""Bodies that travel in one batch; stores refuse requests of more than 4 to 10 MiB."""

_READ_TOGETHER = 16
"""Parts that are read in one round trip; each is at most 1 MiB."""


_Counts = msgspec.defstruct("counts", [(kind.value, int) for kind in Kind], gc=False)


class _Proof(msgspec.Struct, gc=False):
    """Of a row that was read back, what is summed. The rest is proven byte by byte."""

    rank: int
    score: float
    counts: _Counts  # type: ignore[valid-type]


_proof_decoder = msgspec.json.Decoder(_Proof)


class GenerationStore:
    """The generations of boards in a document store."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def current(self, board: str, window: str) -> Head | None:
        """The head that a board shows, None where there is none."""
        (pointer,) = self._documents.get(pointer_path(board, window))
        return None if pointer is None else head_of(pointer)

    def kept_as(self, current: Head, edition: str) -> Head | None:
        """The head of an edition that ``current`` keeps, None if it is gone."""
        (document,) = self._documents.get(generation_path(current.board, current.window, edition))
        return None if document is None else head_of(document)

    def write(self, head: Head, parts: Mapping[str, bytes]) -> None:
        """Write the parts of a generation that no reader is pointed to yet."""
        # Noted first, so that the parts of a publication that dies can be found and removed.
        self._documents.write([generation_write(head, "writing")])
        for batch in _batches(Write(path, {}, body) for path, body in parts.items()):
            self._documents.write(batch)

    def read_back(
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

    def verify(self, rows: pa.Table, head: Head, parts: Iterable[str]) -> None:
        """Read back what a reader would see: count, contiguous ranks, sums, every byte.

        ``rows`` are those that were ranked, ``parts`` the paths of what was written. Raises
        IntegrityError.
        """
        seen, score, counts = 0, 0, 0
        for account_class in head.classes:
            expected = 1
            for path, body in self.read_back(page_paths(head, account_class), head.digests):
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
        for _ in self.read_back({*parts} - {*page_paths(head)}, head.digests):
            pass
        hundredths = pc.sum(pc.divide(pc.add(rows["score"], 5), 10)).as_py() or 0
        quantity = sum(pc.sum(rows[name]).as_py() or 0 for name in COUNT_COLUMNS.values())
        if (seen, score, counts) != (rows.num_rows, hundredths, quantity):
            raise IntegrityError(
                f"Board {head.board} {head.window} does not verify: {seen} rows of "
                f"{rows.num_rows}, scores {score} of {hundredths}, counts {counts} of {quantity}."
            )

    def places(self, head: Head) -> Iterator[Places]:
        """Where everybody stands on a board: its index by id, or made from its only pages."""
        if head.indexed:
            paths = [part_path(head.edition, "id", n) for n in range(len(head.first_ids))]
            for _, body in self.read_back(paths, head.digests):
                yield msgspec.msgpack.decode(unpack(body), type=Places)
            return
        for _, body in self.read_back(page_paths(head), head.digests):
            rows = [row for row in all_rows(body) if row.github_id != TOMBSTONE]
            yield Places(
                [row.github_id for row in rows],
                bytes(CLASSES.index(AccountClass(row.account_class)) for row in rows),
                [row.rank for row in rows],
                [row.overall.rank for row in rows],
            )

    def remove(self, board: str, window: str, is_due: Callable[[Document], bool]) -> None:
        """Remove those generations of a board that are due."""
        for document in self.listed(board, window, is_due):
            remove_generation(self._documents, document)

    def listed(self, board: str, window: str, is_due: Callable[[Document], bool]) -> list[Document]:
        """Those generations of a board that are due, as they are noted now."""
        page = self._documents.query(
            Query("board_generations", (("slot", "==", f"{board}~{window}"),))
        )
        return [document for document in page.documents if is_due(document)]


def remove_generation(documents: Documents, generation: Document) -> None:
    """Remove a generation: its parts first, so that a kill leaves the list of them."""
    paths = list(head_of(generation).digests)
    for start in range(0, len(paths), 500):
        documents.write([Write(path, None) for path in paths[start : start + 500]])
    documents.write([Write(generation.path, None)])


def head_of(document: Document) -> Head:
    """The head that a pointer or a generation holds."""
    return Head.model_validate_json(document.body or b"")


def page_paths(head: Head, *classes: AccountClass) -> list[str]:
    """The pages of a board in order, of all its classes or of some."""
    return [
        part_path(head.edition, f"page.{account_class}", number)
        for account_class in classes or head.classes
        for number in range(head.classes[account_class].pages)
    ]


def generation_write(head: Head, state: str) -> Write:
    """The write that notes a generation: ``writing`` until it was shown, then ``published``."""
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
