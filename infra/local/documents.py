"""The document store in one SQLite file, shared by any number of threads and processes.

It keeps to what Firestore does: its limits on documents, batches and names, its order of values,
and which documents a comparison matches. What is accepted here is accepted there.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from infra.document_queries import cursor
from infra.document_rules import Name, check_batch, check_name, split_path
from infra.local.document_sql import COLUMNS, counting, from_stored, indexes, statement, to_stored
from infra.local.sqlite_file import Connections, as_our_errors, open_file
from shared.errors import Conflict, Rejected, RetryLater
from shared.ports import ABSENT, Document, DocumentPage, Query, Transaction, Write

T = TypeVar("T")

_log = logging.getLogger(__name__)

# The body comes last: SQLite reads a row from the front, so a scan of fields leaves bodies alone.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    changed INTEGER NOT NULL,
    fields TEXT NOT NULL,
    body BLOB,
    UNIQUE (collection, id)
) STRICT;
CREATE INDEX IF NOT EXISTS documents_changed ON documents (collection, changed);
CREATE TABLE IF NOT EXISTS document_changes (one INTEGER PRIMARY KEY, last INTEGER) STRICT;
INSERT OR IGNORE INTO document_changes VALUES (1, 0);
"""
_NEXT_CHANGES = "UPDATE document_changes SET last = last + ? RETURNING last"
_VERSION = "SELECT changed FROM documents WHERE collection = ? AND id = ?"
_DELETE = "DELETE FROM documents WHERE collection = ? AND id = ?"
_GET = f"SELECT {COLUMNS} FROM documents WHERE collection = ? AND id = ?"  # noqa: S608
_CHANGES = (
    f"SELECT {COLUMNS} FROM documents "  # noqa: S608
    "WHERE collection = ? AND changed > ? ORDER BY changed LIMIT 100"
)
_PUT = (
    f"INSERT INTO documents ({COLUMNS}) VALUES (?, ?, ?, ?, ?) "  # noqa: S608
    "ON CONFLICT (collection, id) DO UPDATE SET "
    "changed = excluded.changed, fields = excluded.fields, body = excluded.body"
)


class SqliteDocuments:
    """The port ``Documents`` in the file ``path``, which is created where there is none.

    A write waits up to ``busy_timeout`` seconds for other writers, then raises RetryLater; readers
    wait for nobody. Watches look for changes every ``poll_interval`` seconds.
    """

    def __init__(
        self, path: Path, *, poll_interval: float = 0.25, busy_timeout: float = 10.0
    ) -> None:
        self._poll_interval = poll_interval
        self._busy_timeout = busy_timeout
        self._connections = Connections(path, busy_timeout)
        # Writers of this process queue here, where the next is woken at once: SQLite's own
        # waiting is a poll with growing pauses.
        self._writer = threading.Lock()
        self._watches: set[_PollingWatch] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._connections.borrow() as connection, as_our_errors():
                open_file(connection, busy_timeout, _SCHEMA + indexes())
        except BaseException:
            self._connections.close()
            raise

    def close(self) -> None:
        """End the watches and close the file. Calls made afterwards are Rejected."""
        for watch in tuple(self._watches):
            watch.close()
        self._connections.close()

    def get(self, *paths: str) -> tuple[Document | None, ...]:
        names = [split_path(path) for path in paths]
        with self._connections.borrow() as connection, as_our_errors():
            connection.execute("BEGIN")  # one state for all of them
            try:
                return _read(connection, names)
            finally:
                connection.rollback()

    def write(self, writes: Sequence[Write]) -> None:
        changes = _checked_batch(writes)
        with self._exclusive() as connection:
            _apply(connection, changes)

    def transact(self, work: Callable[[Transaction], T]) -> T:
        with self._exclusive() as connection:
            transaction = _SqliteTransaction(connection)
            try:
                result = work(transaction)
            finally:
                transaction.over = True
            _apply(connection, _checked_batch(transaction.writes))
            return result

    def query(self, query: Query) -> DocumentPage:
        sql, parameters = statement(query)
        with self._connections.borrow() as connection, as_our_errors():
            rows = connection.execute(sql, parameters).fetchall()
        documents = tuple(_document(row) for row in rows[: query.limit])
        more = len(rows) > query.limit
        return DocumentPage(documents, cursor(query, documents[-1]) if more else None)

    def count(self, query: Query) -> int:
        sql, parameters = counting(query)
        with self._connections.borrow() as connection, as_our_errors():
            return int(connection.execute(sql, parameters).fetchone()[0])

    def scrub(self) -> None:
        """Empty the write-ahead log into the file, where deleted bytes are zeroed. See the port."""
        with self._connections.borrow() as connection, as_our_errors():
            busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise RetryLater("The document store is busy. Try again.")

    def watch(
        self, collection: str, on_change: Callable[[Sequence[Document]], None]
    ) -> _PollingWatch:
        check_name(collection, "collection")
        watch = _PollingWatch(self, collection, on_change, self._poll_interval)
        self._watches.add(watch)
        return watch

    def _last_change(self) -> int:
        with self._connections.borrow() as connection, as_our_errors():
            return int(connection.execute("SELECT last FROM document_changes").fetchone()[0])

    def _changes_after(self, collection: str, change: int) -> list[Document]:
        with self._connections.borrow() as connection, as_our_errors():
            return [_document(row) for row in connection.execute(_CHANGES, (collection, change))]

    @contextmanager
    def _exclusive(self) -> Iterator[sqlite3.Connection]:
        """The one write transaction of all, committed if nothing is raised."""
        if not self._writer.acquire(timeout=self._busy_timeout):
            raise RetryLater("The document store is busy. Try again.")
        try:
            with self._connections.borrow() as connection:
                with as_our_errors():
                    connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    with as_our_errors():
                        connection.execute("COMMIT")
                finally:
                    connection.rollback()  # does nothing after a commit
        finally:
            self._writer.release()


class _SqliteTransaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.writes: list[Write] = []
        self.over = False

    def get(self, path: str) -> Document | None:
        self._check_running()
        if self.writes:
            raise Rejected("A transaction reads before it writes.", details={"path": path})
        with as_our_errors():
            return _read(self._connection, [split_path(path)])[0]

    def write(self, write: Write) -> None:
        self._check_running()
        self.writes.append(write)

    def _check_running(self) -> None:
        if self.over:
            raise Rejected("This transaction is over.")


class _PollingWatch:
    def __init__(
        self,
        documents: SqliteDocuments,
        collection: str,
        on_change: Callable[[Sequence[Document]], None],
        interval: float,
    ) -> None:
        self._documents = documents
        self._collection = collection
        self._on_change = on_change
        self._interval = interval
        self._seen = documents._last_change()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch {collection}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closed.set()
        self._documents._watches.discard(self)
        if threading.current_thread() is not self._thread:
            # Bounded, since a callback may wait for something its closer holds.
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._closed.wait(self._interval):
            try:
                self._report()
            except RetryLater:
                _log.warning("could not look for changes in %s", self._collection, exc_info=True)
            except Exception:  # noqa: BLE001 - one failing callback must not end the watch
                _log.exception("a watch of %s failed", self._collection)

    def _report(self) -> None:
        while not self._closed.is_set():
            changed = self._documents._changes_after(self._collection, self._seen)
            if not changed:
                return
            self._seen = int(changed[-1].version)
            self._on_change(changed)


# --- reading and writing ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Change:
    """A write that was found acceptable; ``fields`` as JSON text, None deletes."""

    name: Name
    fields: str | None
    body: bytes | None
    if_version: str | None


def _read(connection: sqlite3.Connection, names: Sequence[Name]) -> tuple[Document | None, ...]:
    rows = (connection.execute(_GET, name).fetchone() for name in names)
    return tuple(None if row is None else _document(row) for row in rows)


def _document(row: tuple[Any, ...]) -> Document:
    collection, id_, changed, fields, body = row
    return Document(f"{collection}/{id_}", from_stored(fields), str(changed), body)


def _apply(connection: sqlite3.Connection, changes: Sequence[_Change]) -> None:
    if not changes:
        return
    with as_our_errors():
        for change in changes:
            if change.if_version is not None:
                _check_condition(connection, change)
        last = connection.execute(_NEXT_CHANGES, (len(changes),)).fetchone()[0]
        for number, change in enumerate(changes, last - len(changes) + 1):
            if change.fields is None:
                connection.execute(_DELETE, change.name)
            else:
                connection.execute(_PUT, (*change.name, number, change.fields, change.body))


def _check_condition(connection: sqlite3.Connection, change: _Change) -> None:
    row = connection.execute(_VERSION, change.name).fetchone()
    found = ABSENT if row is None else str(row[0])
    if found != change.if_version:
        path = "/".join(change.name)
        raise Conflict(
            f"{path} was changed by somebody else. Read it again.",
            details={"path": path, "expected": change.if_version, "found": found},
        )


def _checked_batch(writes: Sequence[Write]) -> list[_Change]:
    return [
        _Change(
            name,
            None if write.fields is None else to_stored(write.fields),
            write.body,
            write.if_version,
        )
        for name, write in zip(check_batch(writes), writes, strict=True)
    ]
