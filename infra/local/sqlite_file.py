"""Connections to one SQLite file, lent to threads, and its errors as ours."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import IntegrityError, Rejected, RetryLater


class Connections:
    """Open connections to one file, each lent to one thread at a time."""

    def __init__(self, path: Path, busy_timeout: float) -> None:
        self._path = path
        self._busy_timeout = busy_timeout
        self._process = os.getpid()
        self._idle: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def borrow(self) -> Iterator[sqlite3.Connection]:
        if self._process != os.getpid():
            # SQLite's file locks do not survive a fork and a child would write without them.
            raise Rejected("The document store was opened before a fork. Open it after.")
        with self._lock:
            if self._closed:
                raise Rejected("The document store is closed.")
            connection = self._idle.pop() if self._idle else None
        connection = connection or self._open()
        try:
            yield connection
        finally:
            self._give_back(connection)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)

    def _open(self) -> sqlite3.Connection:
        with as_our_errors():
            connection = sqlite3.connect(
                self._path,
                timeout=self._busy_timeout,
                isolation_level=None,
                check_same_thread=False,
            )
            # What was promised to others (a reservation, an audit record) outlives a power cut.
            connection.execute("PRAGMA synchronous = FULL")
            # What is deleted is gone: removed people's rows would else stay in free pages.
            connection.execute("PRAGMA secure_delete = ON")
            return connection

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for connection in self._idle:
                connection.close()
            self._idle.clear()


def open_file(connection: sqlite3.Connection, busy_timeout: float, schema: str) -> None:
    """Switch to write-ahead logging and create the tables, whoever else does so just now."""
    deadline = time.monotonic() + busy_timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            # The switch is the one lock that SQLite does not wait for.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    connection.executescript(f"BEGIN IMMEDIATE; {schema} COMMIT;")


@contextmanager
def as_our_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if kind in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise RetryLater("The document store is busy. Try again.") from error
        if kind in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}:
            raise RetryLater(f"The document store's disk failed: {error}.") from error
        if kind in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise IntegrityError(f"The document store is damaged: {error}.") from error
        raise
