"""Documents that are counted as Firestore bills them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from shared.ports import Document, DocumentPage, Documents, Query, Transaction, Watch, Write

T = TypeVar("T")


@dataclass
class Operations:
    """Billed operations: a read for each document that was asked for or found, one at least."""

    reads: int = 0
    writes: int = 0
    deletes: int = 0

    def wrote(self, write: Write) -> None:
        if write.fields is None:
            self.deletes += 1
        else:
            self.writes += 1


@dataclass
class CountedDocuments:
    """The port ``Documents`` over another one. ``done`` is what it has cost so far."""

    inner: Documents
    done: Operations = field(default_factory=Operations)

    def get(self, *paths: str) -> tuple[Document | None, ...]:
        self.done.reads += len(paths)
        return self.inner.get(*paths)

    def write(self, writes: Sequence[Write]) -> None:
        for write in writes:
            self.done.wrote(write)
        self.inner.write(writes)

    def transact(self, work: Callable[[Transaction], T]) -> T:
        return self.inner.transact(lambda transaction: work(_Counted(transaction, self.done)))

    def query(self, query: Query) -> DocumentPage:
        page = self.inner.query(query)
        self.done.reads += max(len(page.documents), 1)
        return page

    def count(self, query: Query) -> int:
        found = self.inner.count(query)
        self.done.reads += max(-(-found // 1000), 1)
        return found

    def scrub(self) -> None:
        self.inner.scrub()

    def watch(self, collection: str, on_change: Callable[[Sequence[Document]], None]) -> Watch:
        return self.inner.watch(collection, on_change)


@dataclass
class _Counted:
    inner: Transaction
    done: Operations

    def get(self, path: str) -> Document | None:
        self.done.reads += 1
        return self.inner.get(path)

    def write(self, write: Write) -> None:
        self.done.wrote(write)
        self.inner.write(write)
