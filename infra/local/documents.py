"""The document store in one SQLite file, shared by any number of threads and processes.

It keeps to what Firestore does: its limits on documents, batches and names, its order of values,
and which documents a comparison matches. What is accepted here is accepted there.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import math
import os
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from shared.errors import Conflict, IntegrityError, Rejected, RetryLater
from shared.ports import ABSENT, Document, DocumentPage, Fields, Json, Query, Transaction, Write

T = TypeVar("T")

MAX_DOCUMENT_BYTES = 1 << 20
MAX_BATCH_WRITES = 500
MAX_BATCH_BYTES = 10 << 20
MAX_DEPTH = 20
MAX_IN_VALUES = 30
MAX_NAME_BYTES = 1500
_RESERVED = re.compile(r"__.*__", re.DOTALL)

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
_COLUMNS = "collection, id, changed, fields, body"
_GET = f"SELECT {_COLUMNS} FROM documents WHERE collection = ? AND id = ?"  # noqa: S608
_CHANGES = (
    f"SELECT {_COLUMNS} FROM documents "  # noqa: S608
    "WHERE collection = ? AND changed > ? ORDER BY changed LIMIT 100"
)
_PUT = (
    f"INSERT INTO documents ({_COLUMNS}) VALUES (?, ?, ?, ?, ?) "  # noqa: S608
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
        self._connections = _Connections(path, busy_timeout)
        # Writers of this process queue here, where the next is woken at once: SQLite's own
        # waiting is a poll with growing pauses.
        self._writer = threading.Lock()
        self._watches: set[_PollingWatch] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._connections.borrow() as connection, _as_our_errors():
                _prepare(connection, busy_timeout)
        except BaseException:
            self._connections.close()
            raise

    def close(self) -> None:
        """End the watches and close the file. Calls made afterwards are Rejected."""
        for watch in tuple(self._watches):
            watch.close()
        self._connections.close()

    def get(self, *paths: str) -> tuple[Document | None, ...]:
        names = [_split(path) for path in paths]
        with self._connections.borrow() as connection, _as_our_errors():
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
        with self._connections.borrow() as connection, _as_our_errors():
            rows = connection.execute(sql, parameters).fetchall()
        documents = tuple(_document(row) for row in rows[: query.limit])
        more = len(rows) > query.limit
        return DocumentPage(documents, _cursor(query, documents[-1]) if more else None)

    def watch(
        self, collection: str, on_change: Callable[[Sequence[Document]], None]
    ) -> _PollingWatch:
        _check_name(collection, "collection")
        watch = _PollingWatch(self, collection, on_change, self._poll_interval)
        self._watches.add(watch)
        return watch

    def _last_change(self) -> int:
        with self._connections.borrow() as connection, _as_our_errors():
            return int(connection.execute("SELECT last FROM document_changes").fetchone()[0])

    def _changes_after(self, collection: str, change: int) -> list[Document]:
        with self._connections.borrow() as connection, _as_our_errors():
            return [_document(row) for row in connection.execute(_CHANGES, (collection, change))]

    @contextmanager
    def _exclusive(self) -> Iterator[sqlite3.Connection]:
        """The one write transaction of all, committed if nothing is raised."""
        if not self._writer.acquire(timeout=self._busy_timeout):
            raise RetryLater("The document store is busy. Try again.")
        try:
            with self._connections.borrow() as connection:
                with _as_our_errors():
                    connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    with _as_our_errors():
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
        with _as_our_errors():
            return _read(self._connection, [_split(path)])[0]

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


class _Connections:
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
        with _as_our_errors():
            connection = sqlite3.connect(
                self._path,
                timeout=self._busy_timeout,
                isolation_level=None,
                check_same_thread=False,
            )
            # What was promised to others (a reservation, an audit record) outlives a power cut.
            connection.execute("PRAGMA synchronous = FULL")
            return connection

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for connection in self._idle:
                connection.close()
            self._idle.clear()


def _prepare(connection: sqlite3.Connection, busy_timeout: float) -> None:
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
    connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")


@contextmanager
def _as_our_errors() -> Iterator[None]:
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


# --- reading and writing ----------------------------------------------------------------------

_Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Change:
    """A write that was found acceptable; ``fields`` as JSON text, None deletes."""

    name: _Name
    fields: str | None
    body: bytes | None
    if_version: str | None


def _read(connection: sqlite3.Connection, names: Sequence[_Name]) -> tuple[Document | None, ...]:
    rows = (connection.execute(_GET, name).fetchone() for name in names)
    return tuple(None if row is None else _document(row) for row in rows)


def _document(row: tuple[Any, ...]) -> Document:
    collection, id_, changed, fields, body = row
    return Document(f"{collection}/{id_}", _from_stored(fields), str(changed), body)


def _apply(connection: sqlite3.Connection, changes: Sequence[_Change]) -> None:
    if not changes:
        return
    with _as_our_errors():
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
    if len(writes) > MAX_BATCH_WRITES:
        raise Rejected(f"{len(writes)} writes are more than the {MAX_BATCH_WRITES} of a batch.")
    changes, total = [], 0
    for write in writes:
        name = _split(write.path)
        size = _document_bytes(write, name)
        if size > MAX_DOCUMENT_BYTES:
            raise Rejected(
                f"{write.path} has {size:,} bytes, a document at most {MAX_DOCUMENT_BYTES:,}.",
                details={"path": write.path, "bytes": size, "limit": MAX_DOCUMENT_BYTES},
            )
        total += size
        stored = None if write.fields is None else _to_stored(write.fields)
        changes.append(_Change(name, stored, write.body, write.if_version))
    if total > MAX_BATCH_BYTES:
        raise Rejected(f"The batch has {total:,} bytes, one takes at most {MAX_BATCH_BYTES:,}.")
    if len({change.name for change in changes}) < len(changes):
        raise Rejected("A batch writes each document once.")
    return changes


# --- names, values and sizes, as Firestore has them -------------------------------------------


def _split(path: str) -> _Name:
    collection, slash, id_ = path.partition("/")
    if not slash or "/" in id_:
        raise Rejected(f"{path[:200]!r} is not a document's path. Write it as collection/id.")
    return _check_name(collection, "collection"), _check_name(id_, "document id")


def _check_name(name: str, what: str) -> str:
    if not name or "/" in name or name in {".", ".."} or _RESERVED.fullmatch(name):
        raise Rejected(f"{name[:200]!r} cannot be a {what}.")
    if _text_bytes(name) > MAX_NAME_BYTES:
        raise Rejected(f"A {what} has at most {MAX_NAME_BYTES} bytes.")
    return name


def _document_bytes(write: Write, name: _Name) -> int:
    size = 48 + sum(_text_bytes(part) + 1 for part in name) + len(write.body or b"")
    try:
        return size + _value_bytes(dict(write.fields or {}), MAX_DEPTH)
    except Rejected as error:
        raise Rejected(f"{write.path}: {error.message}", details={"path": write.path}) from error


def _value_bytes(value: object, depth: int) -> int:
    """How many bytes Firestore counts for a value. Raises Rejected for what it does not take."""
    match value:
        case None | bool():
            return 1
        case int() if -(2**63) <= value < 2**63:
            return 8
        case float() if math.isfinite(value):
            return 8
        case str():
            return _text_bytes(value) + 1
        case list() if depth and not any(isinstance(item, list) for item in value):
            return sum(_value_bytes(item, depth - 1) for item in value)
        case dict() if depth:
            return sum(
                _key_bytes(key) + _value_bytes(item, depth - 1) for key, item in value.items()
            )
    raise Rejected(
        f"This {type(value).__name__} cannot be stored: fields are null, booleans, integers of "
        "64 bits, finite numbers, text, lists (not directly in lists) and objects, "
        f"{MAX_DEPTH} deep."
    )


def _key_bytes(key: object) -> int:
    if not isinstance(key, str):
        raise Rejected(f"{key!r} cannot be the name of a field.")
    return _text_bytes(_check_field_name(key)) + 1


def _check_field_name(name: str) -> str:
    if not name or _RESERVED.fullmatch(name):
        raise Rejected(f"{name[:200]!r} cannot be the name of a field.")
    return name


def _text_bytes(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise Rejected(f"{text[:80]!r} is not valid Unicode.") from error


# SQLite ends a JSON string at its first NUL, so strings are kept without, in the same order.
_WITHOUT_NUL = str.maketrans({"\0": "\1\1", "\1": "\1\2"})


def _to_stored(value: Json | Fields) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=dict)
    if "\\u0000" in text or "\\u0001" in text:
        mapped = _map_text(json.loads(text), lambda part: part.translate(_WITHOUT_NUL))
        text = json.dumps(mapped, ensure_ascii=False, separators=(",", ":"))
    return text


def _from_stored(text: str) -> Any:
    value = json.loads(text)
    if "\\u0001" in text:
        return _map_text(value, lambda part: part.replace("\1\1", "\0").replace("\1\2", "\1"))
    return value


def _map_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_map_text(item, change) for item in value]
    if isinstance(value, dict):
        return {key: _map_text(item, change) for key, item in value.items()}
    return value


# --- queries ----------------------------------------------------------------------------------

_OPERATORS = {"==": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


def statement(query: Query) -> tuple[str, dict[str, object]]:
    """The SQL of a query and its parameters; only constant text ever becomes SQL.

    It yields one row more than ``limit`` where there is a next page.
    """
    if query.limit < 1:
        raise Rejected("A query's limit is at least 1.")
    parameters: dict[str, object] = {
        "collection": _check_name(query.collection, "collection"),
        "limit": query.limit + 1,
    }
    conditions = ["collection = :collection"]
    for number, (field, operator, value) in enumerate(query.where):
        parameters[f"path{number}"] = _json_path(field)
        conditions.append(_condition(f"{number}", operator, value, parameters))
    choices = (len(value) for _, _, value in query.where if isinstance(value, list))
    if math.prod(choices) > MAX_IN_VALUES:
        raise Rejected(f"All 'in' of a query together make at most {MAX_IN_VALUES} combinations.")
    keys = ["id"]
    if query.order_by is not None:
        parameters["order"] = _json_path(query.order_by)
        keys = [_rank_of("order"), _value_of("order"), "id"]
        conditions.append("json_type(fields, :order) IS NOT NULL")
    if query.after is not None:
        conditions.append(_after(query, keys, parameters))
    direction = " DESC" if query.descending else ""
    order = ", ".join(key + direction for key in keys)
    # Sorting row numbers and fetching the page afterwards keeps bodies out of the sort.
    sql = (
        f"SELECT {_COLUMNS} FROM documents WHERE rowid IN ("  # noqa: S608
        f"SELECT rowid FROM documents WHERE {' AND '.join(conditions)} "
        f"ORDER BY {order} LIMIT :limit) ORDER BY {order}"
    )
    return sql, parameters


def _condition(name: str, operator: str, value: Json, parameters: dict[str, object]) -> str:
    if operator == "in":
        if not isinstance(value, list) or not 0 < len(value) <= MAX_IN_VALUES:
            raise Rejected(f"'in' takes a list of 1 to {MAX_IN_VALUES} values.")
        if None in value:
            raise Rejected("'in' does not find null. Ask for it with ==.")
        terms = [
            _comparison(name, "=", item, f"{name}_{place}", parameters)
            for place, item in enumerate(value)
        ]
        return f"({' OR '.join(terms)})"
    if operator not in _OPERATORS or (value is None and operator != "=="):
        raise Rejected(f"{operator!r} cannot compare with {value!r}.")
    return _comparison(name, _OPERATORS[operator], value, name, parameters)


def _comparison(
    path: str, operator: str, value: Json, name: str, parameters: dict[str, object]
) -> str:
    if isinstance(value, list | dict):
        raise Rejected("A query compares with null, booleans, numbers and text only.")
    _value_bytes(value, 0)
    parameters[f"rank{name}"] = _rank(value)
    parameters[f"value{name}"] = _to_stored(value)
    return (
        f"({_rank_of(f'path{path}')} = :rank{name} "
        f"AND {_value_of(f'path{path}')} {operator} {_operand(f'value{name}')})"
    )


def _json_path(field: str) -> str:
    if not _FIELD.fullmatch(field):
        raise Rejected(f"{field[:80]!r} is not a field's name.")
    return "$" + "".join(f'."{part}"' for part in field.split("."))


def _rank_of(path: str) -> str:
    return (
        f"CASE json_type(fields, :{path}) WHEN 'null' THEN 0 WHEN 'false' THEN 1 "
        "WHEN 'true' THEN 1 WHEN 'integer' THEN 2 WHEN 'real' THEN 2 WHEN 'text' THEN 3 "
        "WHEN 'array' THEN 4 ELSE 5 END"
    )


def _value_of(path: str) -> str:
    # NULL would make every comparison unknown; null's rank already sets it apart.
    return f"coalesce(json_extract(fields, :{path}), 0)"


def _operand(name: str) -> str:
    # Operands are read from JSON like what is stored, so that both are rounded alike.
    return f"coalesce(json_extract(:{name}, '$'), 0)"


def _rank(value: Json) -> int:
    """The place of a value's type in the order of values."""
    ranks = ((type(None), 0), (bool, 1), (int | float, 2), (str, 3), (list, 4))
    return next((rank for kind, rank in ranks if isinstance(value, kind)), 5)


def _cursor(query: Query, last: Document) -> str:
    value: Any = None
    if query.order_by is not None:
        value = last.fields
        for part in query.order_by.split("."):
            value = value[part]
    text = json.dumps([query.collection, query.order_by, query.descending, value, last.id])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _after(query: Query, keys: Sequence[str], parameters: dict[str, object]) -> str:
    try:
        decoded = json.loads(base64.b64decode(query.after or "", altchars=b"-_", validate=True))
        collection, order_by, descending, value, id_ = decoded
        _value_bytes(value, MAX_DEPTH)
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise Rejected("This is not a cursor of a query.") from error
    asked = (query.collection, query.order_by, query.descending)
    if (collection, order_by, descending) != asked or not isinstance(id_, str):
        raise Rejected("This cursor belongs to another query.")
    _check_name(id_, "document id")
    parameters["after_id"] = id_
    places = [":after_id"]
    if query.order_by is not None:
        parameters |= {"after_rank": _rank(value), "after_value": _to_stored(value)}
        places = [":after_rank", _operand("after_value"), ":after_id"]
    return f"({', '.join(keys)}) {'<' if query.descending else '>'} ({', '.join(places)})"
