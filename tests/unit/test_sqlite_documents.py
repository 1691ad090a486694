"""What only the embedded document store promises: about locks, kills and its file."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.local.document_sql import statement
from infra.local.documents import SqliteDocuments
from shared.errors import IntegrityError, Rejected, RetryLater
from shared.ports import Query, Write

DEADLINE = 30.0
BATCH = 40


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "documents.sqlite"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the write lock as another process would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield


def somebody_writes(path: Path) -> bool:
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        return False


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def write_generations(path: Path) -> None:
    with closing(SqliteDocuments(path)) as documents:
        n = 0
        while True:
            n += 1
            body = random.Random(n).randbytes(100_000)
            documents.write([Write(f"c/{place}", {"n": n}, body) for place in range(BATCH)])


def kill_within_a_batch(path: Path, documents: SqliteDocuments) -> None:
    before = documents.query(Query("c", limit=1)).documents
    process = multiprocessing.get_context("spawn").Process(target=write_generations, args=(path,))
    process.start()
    try:
        eventually(lambda: documents.query(Query("c", limit=1)).documents != before)
        eventually(lambda: somebody_writes(path))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join(DEADLINE)
        assert process.exitcode == -signal.SIGKILL
    finally:
        process.kill()
        process.join()
        process.close()


def test_a_process_killed_within_a_batch_leaves_it_whole_or_absent(path: Path) -> None:
    with closing(SqliteDocuments(path)) as documents:
        for _ in range(3):
            kill_within_a_batch(path, documents)
            found = documents.query(Query("c", limit=2 * BATCH)).documents
            assert len(found) == BATCH
            assert len({document.fields["n"] for document in found}) == 1
            generation: Any = found[0].fields["n"]
            body = random.Random(generation).randbytes(100_000)
            assert all(document.body == body for document in found)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_locked_file_means_retry_later_for_writers_and_nothing_for_readers(path: Path) -> None:
    with closing(SqliteDocuments(path, busy_timeout=0.05)) as documents:
        documents.write([Write("c/a", {"n": 1})])
        with locked(path):
            with pytest.raises(RetryLater):
                documents.write([Write("c/a", {"n": 2})])
            with pytest.raises(RetryLater):
                documents.transact(lambda transaction: transaction.write(Write("c/a", {"n": 2})))
            (found,) = documents.get("c/a")
            assert found is not None
            assert found.fields == {"n": 1}
        documents.write([Write("c/a", {"n": 3})])


def test_a_transaction_waits_for_a_lock_that_passes(path: Path) -> None:
    with closing(SqliteDocuments(path)) as documents:
        writer = threading.Thread(target=documents.write, args=([Write("c/a", {"n": 2})],))
        with locked(path):
            writer.start()
            assert documents.get("c/a") == (None,)
        writer.join(DEADLINE)
        assert documents.get("c/a") != (None,)


def test_a_thread_that_waits_too_long_for_another_is_told_to_retry_later(path: Path) -> None:
    inside, finish = threading.Event(), threading.Event()

    def linger(transaction: object) -> None:
        inside.set()
        finish.wait(DEADLINE)

    with closing(SqliteDocuments(path, busy_timeout=0.05)) as documents:
        slow = threading.Thread(target=documents.transact, args=(linger,))
        slow.start()
        assert inside.wait(DEADLINE)
        with pytest.raises(RetryLater):
            documents.write([Write("c/a", {})])
        finish.set()
        slow.join(DEADLINE)


def test_errors_of_sqlite_raised_by_work_pass_through_unchanged(path: Path) -> None:
    def fail(transaction: object) -> None:
        raise sqlite3.OperationalError("of another file")

    with (
        closing(SqliteDocuments(path)) as documents,
        pytest.raises(sqlite3.OperationalError, match="of another file"),
    ):
        documents.transact(fail)


def test_opening_at_the_same_time_works_for_everybody(path: Path) -> None:
    def open_and_write(n: int) -> None:
        with closing(SqliteDocuments(path)) as documents:
            documents.write([Write(f"c/{n}", {})])

    threads = [threading.Thread(target=open_and_write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    with closing(SqliteDocuments(path)) as documents:
        assert len(documents.query(Query("c")).documents) == 8


def test_closing_twice_is_safe_and_ends_watches_and_calls(path: Path) -> None:
    before = threading.active_count()
    documents = SqliteDocuments(path)
    watch = documents.watch("c", print)
    documents.close()
    documents.close()
    watch.close()
    assert threading.active_count() == before
    with pytest.raises(Rejected):
        documents.get("c/a")


def test_threads_that_ended_leave_no_connection_behind(path: Path) -> None:
    with closing(SqliteDocuments(path)) as documents:
        descriptors = Path("/proc/self/fd")
        before = len(list(descriptors.iterdir()))
        for _ in range(20):
            thread = threading.Thread(target=documents.get, args=("c/a",))
            thread.start()
            thread.join(DEADLINE)
        assert len(list(descriptors.iterdir())) <= before + 3


def test_a_forked_child_is_refused_instead_of_writing_without_locks(path: Path) -> None:
    with closing(SqliteDocuments(path)) as documents:
        process = multiprocessing.get_context("fork").Process(
            target=_expect_rejection, args=(documents,)
        )
        process.start()
        process.join(DEADLINE)
        assert process.exitcode == 0
        process.close()


def _expect_rejection(documents: SqliteDocuments) -> None:
    with pytest.raises(Rejected, match="fork"):
        documents.get("c/a")


def test_a_file_that_is_no_database_is_an_integrity_error(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"something else entirely" * 100)
    with pytest.raises(IntegrityError):
        SqliteDocuments(path)


@pytest.mark.parametrize(
    "query",
    [Query("c"), Query("c", order_by="v"), Query("c", where=(("v", "==", 1),), order_by="w")],
)
def test_a_query_searches_its_own_collection_only(path: Path, query: Query) -> None:
    SqliteDocuments(path).close()
    sql, parameters = statement(query)
    with closing(sqlite3.connect(path)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
    steps = [str(row[3]) for row in plan]
    assert any("(collection=?" in step for step in steps)
    assert not any(step.startswith("SCAN") for step in steps)


UNSEALED = Query("audit", where=(("seal", "==", None),), limit=200)


def test_records_without_a_seal_are_found_without_a_look_at_those_that_have_one(
    path: Path,
) -> None:
    SqliteDocuments(path).close()
    for query in (UNSEALED, Query("audit", where=(("seal", "<=", 7),), order_by="seal")):
        sql, parameters = statement(query)
        with closing(sqlite3.connect(path)) as connection:
            plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
        found = [str(row[3]) for row in plan if "documents_audit_seal" in str(row[3])]
        assert len(found) == 1
        assert found[0].startswith("SEARCH")
        assert "(<expr>=? AND <expr>" in found[0]


def test_a_file_of_an_earlier_version_gets_its_index_when_it_is_opened(path: Path) -> None:
    with closing(SqliteDocuments(path)) as documents:
        documents.write([Write("audit/a", {"seal": 1}), Write("audit/b", {"seal": None})])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP INDEX documents_audit_seal")
    with closing(SqliteDocuments(path)) as documents:
        assert [found.id for found in documents.query(UNSEALED).documents] == ["b"]
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")
        assert ("documents_audit_seal",) in names.fetchall()


@pytest.mark.parametrize(
    "where",
    [
        (("seal", "==", None),),
        (("seal", "==", 2),),
        (("seal", "in", [3, 1]),),
        (("seal", "<=", 2),),
        (("seal", ">", 1), ("other", "==", 1)),
        (("other", "==", 1),),
    ],
)
@pytest.mark.parametrize("descending", [False, True])
def test_an_indexed_field_is_asked_as_any_other(
    path: Path, where: tuple[Any, ...], *, descending: bool
) -> None:
    values: list[Any] = [None, 0, 1, 2, 3, 1.5, "1", True, [1], {"a": 1}]
    fields: list[dict[str, Any]] = [{"seal": v, "other": n % 2} for n, v in enumerate(values * 2)]
    fields.append({"other": 1})
    with closing(SqliteDocuments(path)) as documents:
        for collection in ("audit", "plain"):
            documents.write([Write(f"{collection}/{n:02}", f) for n, f in enumerate(fields)])
        found: dict[str, list[str]] = {}
        for collection in ("audit", "plain"):
            after, ids = None, []
            while True:
                page = documents.query(Query(collection, where, "seal", descending, after, 3))
                ids += [document.id for document in page.documents]
                after = page.cursor
                if after is None:
                    break
            found[collection] = ids
    assert found["audit"] == found["plain"] != []
