"""Any document store, watched: what is read and written, and a kill or a tampering at will."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from shared.ports import Document, DocumentPage, Documents, Query, Transaction, Watch, Write

T = TypeVar("T")


class Killed(BaseException):
    """The process is gone. No product code catches it."""


class WatchedDocuments:
    """Passes everything on. ``read`` holds the paths of every read, ``written`` every write.

    ``after_write`` is called after each batch or transaction that wrote something, with how many
    there were so far.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.read: list[str] = []
        self.round_trips = 0
        self.written: list[Write] = []
        self.calls = 0
        self.after_write: Callable[[int], None] = nothing

    def forget(self) -> None:
        self.read, self.written = [], []
        self.round_trips = self.calls = 0

    def get(self, *paths: str) -> tuple[Document | None, ...]:
        self.read += paths
        self.round_trips += 1
        return self._documents.get(*paths)

    def write(self, writes: Sequence[Write]) -> None:
        self._documents.write(writes)
        self._wrote(writes)

    def transact(self, work: Callable[[Transaction], T]) -> T:
        noted: list[Write] = []

        def watched(transaction: Transaction) -> T:
            noted.clear()
            return work(_Watched(transaction, self, noted))

        result = self._documents.transact(watched)
        self._wrote(noted)
        return result

    def query(self, query: Query) -> DocumentPage:
        page = self._documents.query(query)
        self.read += [document.path for document in page.documents]
        self.round_trips += 1
        return page

    def count(self, query: Query) -> int:
        self.round_trips += 1
        return self._documents.count(query)

    def scrub(self) -> None:
        self._documents.scrub()

    def watch(self, collection: str, on_change: Callable[[Sequence[Document]], None]) -> Watch:
        return self._documents.watch(collection, on_change)

    def _wrote(self, writes: Sequence[Write]) -> None:
        if writes:
            self.written += writes
            self.calls += 1
            self.after_write(self.calls)


class _Watched:
    def __init__(self, inner: Transaction, outer: WatchedDocuments, noted: list[Write]) -> None:
        self._inner, self._outer, self._noted = inner, outer, noted

    def get(self, path: str) -> Document | None:
        self._outer.read.append(path)
        return self._inner.get(path)

    def write(self, write: Write) -> None:
        self._noted.append(write)
        self._inner.write(write)


def nothing(calls: int) -> None:
    """For ``after_write``: goes on."""


def kill_after(calls: int) -> Callable[[int], None]:
    """For ``after_write``: dies as soon as that many batches or transactions were written."""

    def look(so_far: int) -> None:
        if so_far == calls:
            raise Killed

    return look


def everything(documents: Documents, collection: str) -> Iterator[Document]:
    """All documents of a collection."""
    after: str | None = None
    while True:
        page = documents.query(Query(collection, limit=300, after=after))
        yield from page.documents
        if page.cursor is None:
            return
        after = page.cursor


def snapshot(documents: Documents) -> dict[str, tuple[object, bytes | None]]:
    """All that boards have stored, by path."""
    return {
        document.path: (dict(document.fields), document.body)
        for collection in ("boards", "board_generations", "board_parts")
        for document in everything(documents, collection)
    }
