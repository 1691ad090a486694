"""What every document store does. An implementation is named in ``test_documents.py``.

The suite gets a ``store`` fixture, empty when a test begins.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import Conflict, Rejected, RetryLater
from shared.ports import ABSENT, Document, Documents, Query, Transaction, Write

Connect = Callable[[], AbstractContextManager[Documents]]

DEADLINE = 60.0
NUDGE = 5.0


@dataclass(frozen=True, slots=True)
class Store:
    """A store under test. ``connect`` is picklable; its context is one more connection.

    ``largest_batch`` is what a batch may hold in bytes: 10 MiB by the port, less on an emulator.
    ``rounds`` is how often racers race. ``whole_reads`` is False where only a transaction sees a
    batch whole, as on Google's emulator; Firestore itself reads at one moment.
    """

    connect: Connect
    largest_batch: int = 10 << 20
    rounds: int = 20
    whole_reads: bool = True


TYPES_IN_ORDER: list[Any] = [
    None,
    False,
    True,
    -5,
    0.5,
    7,
    2**53,
    2**53 + 1,
    "",
    "B",
    "a",
    "é",
    "😀",
]

_names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: not (name.startswith("__") and name.endswith("__")) and name != "body"
)
_text = st.text(st.characters(exclude_categories=["Cs"]))
_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _text
)
_objects = st.recursive(
    st.dictionaries(_names, _scalars | st.lists(_scalars, max_size=5), max_size=5),
    lambda inner: st.dictionaries(_names, inner | st.lists(inner, max_size=3), max_size=5),
    max_leaves=10,
)
_on_one_store = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)


def stored(documents: Documents, path: str) -> Document:
    (document,) = documents.get(path)
    assert document is not None
    return document


def ids(documents: Documents, query: Query) -> list[str]:
    return [document.id for document in documents.query(query).documents]


def put_values(documents: Documents, values: Sequence[Any]) -> None:
    documents.write([Write(f"c/{n:03}", {"v": value}) for n, value in enumerate(values)])


def increment(documents: Documents, times: int) -> None:
    def work(transaction: Transaction) -> None:
        before = transaction.get("c/counter")
        count = 0 if before is None else before.fields["n"]
        assert isinstance(count, int)
        transaction.write(Write("c/counter", {"n": count + 1}))

    for _ in range(times):
        persistently(documents, work)


def persistently(documents: Documents, work: Callable[[Transaction], None]) -> None:
    """Transact, and again where a race was lost too often: the port leaves that to the caller."""
    for _ in range(5):
        try:
            return documents.transact(work)
        except RetryLater:
            continue
    return documents.transact(work)


def increment_elsewhere(connect: Connect, times: int, start: Barrier) -> None:
    with connect() as documents:
        start.wait(DEADLINE)
        increment(documents, times)


class ReadingAndWriting:
    def test_documents_come_back_in_the_order_asked_for_with_none_where_there_is_none(
        self, documents: Documents
    ) -> None:
        documents.write([Write("c/a", {"n": 1}), Write("d/b", {"n": 2}, b"\0body")])
        b, missing, a = documents.get("d/b", "c/b", "c/a")
        assert missing is None
        assert a is not None
        assert (a.path, a.id, a.fields, a.body) == ("c/a", "a", {"n": 1}, None)
        assert b is not None
        assert (b.path, b.id, b.fields, b.body) == ("d/b", "b", {"n": 2}, b"\0body")

    def test_a_write_replaces_fields_and_body_whole_and_changes_the_version(
        self, documents: Documents
    ) -> None:
        documents.write([Write("c/a", {"n": 1, "m": 1}, b"body")])
        first = stored(documents, "c/a")
        documents.write([Write("c/a", {"n": 2})])
        second = stored(documents, "c/a")
        assert (second.fields, second.body) == ({"n": 2}, None)
        assert second.version != first.version

    def test_a_deleted_document_is_gone_and_deleting_again_does_nothing(
        self, documents: Documents
    ) -> None:
        documents.write([Write("c/a", {"n": 1}), Write("c/b", {"n": 2})])
        documents.write([Write("c/a", None)])
        documents.write([Write("c/a", None)])
        assert documents.get("c/a") == (None,)
        assert ids(documents, Query("c")) == ["b"]

    def test_a_version_is_not_used_again_after_a_deletion(self, documents: Documents) -> None:
        documents.write([Write("c/a", {"n": 1})])
        version = stored(documents, "c/a").version
        documents.write([Write("c/a", None)])
        documents.write([Write("c/a", {"n": 1})])
        assert stored(documents, "c/a").version != version

    @_on_one_store
    @given(fields=_objects, body=st.none() | st.binary())
    def test_whatever_json_and_bytes_are_written_are_read(
        self, documents: Documents, fields: dict[str, Any], body: bytes | None
    ) -> None:
        documents.write([Write("c/a", fields, body)])
        found = stored(documents, "c/a")
        assert repr_sorted(found.fields) == repr_sorted(fields)
        assert found.body == body

    def test_an_empty_batch_and_an_empty_get_do_nothing(self, documents: Documents) -> None:
        documents.write([])
        assert documents.get() == ()

    def test_what_was_written_survives_reopening(self, store: Store) -> None:
        with store.connect() as earlier:
            earlier.write([Write("c/a", {"n": 1}, b"body")])
            before = stored(earlier, "c/a")
        with store.connect() as later:
            assert stored(later, "c/a") == before
            later.write([Write("c/a", {"n": 2}, if_version=before.version)])


def repr_sorted(value: Any) -> Any:
    """Text that tells 1, 1.0 and True apart, whatever the order of keys."""
    if isinstance(value, dict):
        return sorted((key, repr_sorted(item)) for key, item in value.items())
    if isinstance(value, list):
        return [repr_sorted(item) for item in value]
    return repr(value) if value != 0 else f"{type(value).__name__} 0"


class Limits:
    @pytest.mark.parametrize(
        "path", ["", "c", "c/", "/a", "c/a/b", "c//a", "c/a/", "c/.", "c/..", "c/__a__", "c/\ud800"]
    )
    def test_a_path_that_is_not_collection_and_id_is_rejected(
        self, documents: Documents, path: str
    ) -> None:
        with pytest.raises(Rejected):
            documents.get(path)
        with pytest.raises(Rejected):
            documents.write([Write("c/a", {}), Write(path, {"n": 1})])
        assert documents.get("c/a") == (None,)

    @pytest.mark.parametrize(
        "value",
        [
            float("nan"), float("inf"), -float("inf"), 2**63, -(2**63) - 1, 10**5000, b"bytes",
            {1: 2}, {"": 1}, {"__a__": 1}, "\ud800", object(), [[1]], (1, 2), {1, 2},
        ],
        ids=lambda value: type(value).__name__,
    )  # fmt: skip
    def test_what_is_not_json_or_has_no_place_is_rejected(
        self, documents: Documents, value: Any
    ) -> None:
        fields: list[Any] = [value, [{"deep": value}]]
        for field in fields:
            with pytest.raises(Rejected):
                documents.write([Write("c/a", {"n": field})])
        assert documents.get("c/a") == (None,)

    def test_the_bounds_of_64_bits_are_kept_exactly(self, documents: Documents) -> None:
        bounds: list[Any] = [2**63 - 1, -(2**63), 2**53 + 1]
        documents.write([Write("c/a", {"n": bounds})])
        assert stored(documents, "c/a").fields == {"n": bounds}

    def test_a_document_above_a_mebibyte_is_rejected_and_one_below_is_not(
        self, documents: Documents
    ) -> None:
        documents.write([Write("c/a", {"n": 1}, bytes(1_000_000))])
        documents.write([Write("c/b", {"text": "x" * 1_000_000})])
        for too_big in (
            Write("c/d", {}, bytes((1 << 20) + 1)),
            Write("c/d", {"text": "é" * (1 << 19)}),
        ):
            with pytest.raises(Rejected, match=r"c/d.*1,048,576"):
                documents.write([Write("c/e", {}), too_big])
        assert documents.get("c/d", "c/e") == (None, None)

    def test_500_writes_are_a_batch_and_501_are_rejected(self, documents: Documents) -> None:
        with pytest.raises(Rejected, match="500"):
            documents.write([Write(f"c/{n}", {"n": n}) for n in range(501)])
        assert ids(documents, Query("c")) == []
        documents.write([Write(f"c/{n}", {"n": n}) for n in range(500)])
        assert len(ids(documents, Query("c", limit=1000))) == 500

    def test_a_batch_of_more_than_ten_mebibytes_is_rejected(
        self, documents: Documents, store: Store
    ) -> None:
        with pytest.raises(Rejected):
            documents.write([Write(f"c/{n}", {}, bytes(1_000_000)) for n in range(11)])
        assert ids(documents, Query("c")) == []
        taken = store.largest_batch // 1_100_000
        documents.write([Write(f"c/{n}", {}, bytes(1_000_000)) for n in range(taken)])
        assert len(ids(documents, Query("c"))) == taken

    def test_a_field_cannot_take_the_place_of_the_body(self, documents: Documents) -> None:
        with pytest.raises(Rejected):
            documents.write([Write("c/a", {"body": "text"})])
        documents.write([Write("c/a", {"inner": {"body": "text"}}, b"body")])
        assert stored(documents, "c/a").fields == {"inner": {"body": "text"}}

    def test_a_batch_that_writes_a_document_twice_is_rejected(self, documents: Documents) -> None:
        with pytest.raises(Rejected):
            documents.write([Write("c/a", {"n": 1}), Write("c/a", {"n": 2})])
        assert documents.get("c/a") == (None,)


class Conditions:
    def test_absent_creates_once_and_then_conflicts(self, documents: Documents) -> None:
        documents.write([Write("c/a", {"n": 1}, if_version=ABSENT)])
        with pytest.raises(Conflict):
            documents.write([Write("c/a", {"n": 2}, if_version=ABSENT)])
        assert stored(documents, "c/a").fields == {"n": 1}

    def test_a_version_that_was_read_lets_the_first_writer_through_only(
        self, documents: Documents
    ) -> None:
        documents.write([Write("c/a", {"n": 1})])
        version = stored(documents, "c/a").version
        documents.write([Write("c/a", {"n": 2}, if_version=version)])
        for late in (Write("c/a", {"n": 3}, if_version=version), Write("c/a", None, None, version)):
            with pytest.raises(Conflict):
                documents.write([late])
        assert stored(documents, "c/a").fields == {"n": 2}
        documents.write([Write("c/a", None, if_version=stored(documents, "c/a").version)])
        with pytest.raises(Conflict):
            documents.write([Write("c/a", {"n": 4}, if_version=version)])
        assert documents.get("c/a") == (None,)

    def test_a_conditional_write_that_fails_writes_nothing(self, documents: Documents) -> None:
        documents.write([Write("c/b", {"n": 1}), Write("c/z", {"n": 1})])
        batch = [
            Write("c/a", {"n": 2}),
            Write("c/b", {"n": 2}, if_version=ABSENT),
            Write("c/z", None),
        ]
        with pytest.raises(Conflict):
            documents.write(batch)
        a, b, z = documents.get("c/a", "c/b", "c/z")
        assert a is None
        assert b is not None
        assert b.fields == {"n": 1}
        assert z is not None


class Transactions:
    def test_what_work_returns_comes_back_and_its_writes_are_there(
        self, documents: Documents
    ) -> None:
        documents.write([Write("c/a", {"n": 1})])

        def move(transaction: Transaction) -> str:
            document = transaction.get("c/a")
            assert document is not None
            assert transaction.get("c/b") is None
            transaction.write(Write("c/a", None))
            transaction.write(Write("c/b", document.fields, b"moved"))
            return "moved"

        assert documents.transact(move) == "moved"
        assert documents.get("c/a") == (None,)
        assert (stored(documents, "c/b").fields, stored(documents, "c/b").body) == (
            {"n": 1},
            b"moved",
        )

    def test_what_work_raises_passes_through_and_nothing_is_written(
        self, documents: Documents
    ) -> None:
        class OwnError(Exception):
            pass

        def fail(transaction: Transaction) -> None:
            transaction.write(Write("c/a", {"n": 1}))
            raise OwnError

        with pytest.raises(OwnError):
            documents.transact(fail)
        assert documents.get("c/a") == (None,)
        increment(documents, 1)

    def test_a_read_after_a_write_is_rejected_and_nothing_is_written(
        self, documents: Documents
    ) -> None:
        def work(transaction: Transaction) -> None:
            transaction.write(Write("c/a", {"n": 1}))
            transaction.get("c/a")

        with pytest.raises(Rejected):
            documents.transact(work)
        assert documents.get("c/a") == (None,)

    def test_a_failed_condition_or_bad_write_in_a_transaction_writes_nothing(
        self, documents: Documents
    ) -> None:
        documents.write([Write("c/b", {"n": 1})])

        def conflicting(transaction: Transaction) -> None:
            transaction.write(Write("c/a", {"n": 1}))
            transaction.write(Write("c/b", {"n": 2}, if_version=ABSENT))

        def bad(transaction: Transaction) -> None:
            transaction.write(Write("c/a", {"n": 1}))
            transaction.write(Write("c/b", {"n": float("nan")}))

        with pytest.raises(Conflict):
            documents.transact(conflicting)
        with pytest.raises(Rejected):
            documents.transact(bad)
        assert documents.get("c/a") == (None,)
        assert stored(documents, "c/b").fields == {"n": 1}

    def test_a_transaction_that_is_over_takes_nothing_more(self, documents: Documents) -> None:
        kept = documents.transact(lambda transaction: transaction)
        with pytest.raises(Rejected):
            kept.get("c/a")
        with pytest.raises(Rejected):
            kept.write(Write("c/a", {}))

    def test_two_racing_threads_lose_no_increment(self, documents: Documents, store: Store) -> None:
        threads = [
            threading.Thread(target=increment, args=(documents, store.rounds)) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
        assert stored(documents, "c/counter").fields == {"n": 2 * store.rounds}

    def test_two_racing_processes_lose_no_increment(
        self, documents: Documents, store: Store
    ) -> None:
        context = multiprocessing.get_context("spawn")
        start = context.Barrier(3)
        racer = (store.connect, store.rounds, start)
        processes = [context.Process(target=increment_elsewhere, args=racer) for _ in range(2)]
        for process in processes:
            process.start()
        start.wait(DEADLINE)
        increment(documents, store.rounds // 2)
        for process in processes:
            process.join(DEADLINE)
            assert process.exitcode == 0
            process.close()
        total = 2 * store.rounds + store.rounds // 2
        assert stored(documents, "c/counter").fields == {"n": total}

    def test_readers_never_see_half_a_batch(self, documents: Documents, store: Store) -> None:
        paths = [f"c/{n}" for n in range(5)]
        done = threading.Event()

        def write_rounds() -> None:
            try:
                for n in range(2 * store.rounds):
                    documents.write([Write(path, {"n": n}) for path in paths])
            finally:
                done.set()

        def look(transaction: Transaction) -> None:
            found = [transaction.get(path) for path in paths]
            assert len({str(each and each.fields) for each in found}) == 1

        writer = threading.Thread(target=write_rounds)
        writer.start()
        while not done.is_set():
            persistently(documents, look)
            if not store.whole_reads:
                continue
            by_path = {str(found and found.fields) for found in documents.get(*paths)}
            by_query = {str(found.fields) for found in documents.query(Query("c")).documents}
            assert len(by_path) == 1
            assert len(by_query) <= 1
        writer.join(DEADLINE)


class Queries:
    def test_a_query_sees_its_collection_only_and_orders_by_id(self, documents: Documents) -> None:
        documents.write([Write(path, {}) for path in ("c/b", "c/a", "c/B", "c/é", "b/x", "d/y")])
        assert ids(documents, Query("c")) == ["B", "a", "b", "é"]
        assert documents.query(Query("nothing")).documents == ()

    def test_a_query_brings_fields_body_and_version(self, documents: Documents) -> None:
        documents.write([Write("c/a", {"n": 1}, b"body")])
        assert documents.query(Query("c", order_by="n")).documents == (stored(documents, "c/a"),)

    def test_values_are_ordered_by_type_and_documents_without_the_field_left_out(
        self, documents: Documents
    ) -> None:
        put_values(documents, TYPES_IN_ORDER)
        documents.write([Write("c/other", {"w": 1})])
        expected = [f"{n:03}" for n in range(len(TYPES_IN_ORDER))]
        assert ids(documents, Query("c", order_by="v")) == expected
        assert ids(documents, Query("c", order_by="v", descending=True)) == expected[::-1]

    def test_equal_values_are_ordered_by_id(self, documents: Documents) -> None:
        documents.write([Write(f"c/{i}", {"v": v}) for i, v in [("b", 1), ("a", 1.0), ("c", 0)]])
        assert ids(documents, Query("c", order_by="v")) == ["c", "a", "b"]
        assert ids(documents, Query("c", order_by="v", descending=True)) == ["b", "a", "c"]

    @pytest.mark.parametrize(
        ("operator", "value", "found"),
        [
            ("==", None, [None]), ("==", False, [False]), ("==", 0, []), ("==", 7.0, [7]),
            ("==", 2**53 + 1, [2**53 + 1]), ("==", "a", ["a"]), ("==", "A", []),
            ("<", 7, [-5, 0.5]), ("<=", 7, [-5, 0.5, 7]), (">", 2**53, [2**53 + 1]),
            (">=", True, [True]), ("<", True, [False]), (">", "B", ["a", "é", "😀"]),
            ("<", "B", [""]), ("in", ["a", 7, True], [True, 7, "a"]), ("in", [8], []),
        ],
    )  # fmt: skip
    def test_a_comparison_finds_values_of_its_own_type_only(
        self, documents: Documents, operator: Any, value: Any, found: list[Any]
    ) -> None:
        put_values(documents, TYPES_IN_ORDER)
        page = documents.query(Query("c", where=(("v", operator, value),), order_by="v"))
        values = [document.fields["v"] for document in page.documents]
        assert [repr(each) for each in values] == [repr(each) for each in found]

    def test_all_conditions_hold_and_reach_into_objects(self, documents: Documents) -> None:
        documents.write([Write(f"c/{n}", {"a": {"b": n % 2, "t": "x"}, "n": n}) for n in range(9)])
        query = Query(
            "c",
            where=(("a.b", "==", 1), ("n", ">", 2), ("a.t", "in", ["x", "y"])),
            order_by="n",
            limit=2,
        )
        assert ids(documents, query) == ["3", "5"]

    def test_a_count_is_that_of_the_documents_found_up_to_its_limit(
        self, documents: Documents
    ) -> None:
        documents.write([Write(f"c/{n}", {"a": {"b": n % 2}, "n": n}) for n in range(9)])
        documents.write([Write("d/other", {"a": {"b": 1}}), Write("c/none", {"n": None})])
        assert documents.count(Query("c", limit=100)) == 10
        assert documents.count(Query("c", (("a.b", "==", 1),))) == 4
        assert documents.count(Query("c", (("a.b", "==", 1),), limit=3)) == 3
        assert documents.count(Query("c", (("n", "==", None),))) == 1
        assert documents.count(Query("nowhere")) == 0

    def test_text_with_control_characters_is_compared_in_full(self, documents: Documents) -> None:
        values = ["a", "a\0", "a\0b", "a\0c", "a\1", "a\2", 'a"\\u0000']
        put_values(documents, values)
        ordered = [f"{values.index(value):03}" for value in sorted(values)]
        assert ids(documents, Query("c", order_by="v")) == ordered
        for number, value in enumerate(values):
            assert ids(documents, Query("c", where=(("v", "==", value),))) == [f"{number:03}"]

    @pytest.mark.parametrize(
        "query",
        [
            Query(""), Query("c/a"), Query("c", limit=0), Query("c", order_by=""),
            Query("c", descending=True), Query("c", order_by="body"),
            Query("c", order_by="__name__"), Query("c", where=(("body", "==", "a"),)),
            Query("c", order_by="v."), Query("c", order_by="v'); DROP TABLE documents; --"),
            Query("c", where=(("v w", "==", 1),)), Query("c", where=(("v", "==", {}),)),
            Query("c", where=(("v", "!=", 1),)),  # type: ignore[arg-type]
            Query("c", where=(("v", "<", None),), order_by="v"), Query("c", where=(("v", "<", 1),)),
            Query("c", where=(("v", ">", 1),), order_by="w"), Query("c", where=(("v", "in", 1),)),
            Query("c", where=(("v", "in", []),)), Query("c", where=(("v", "in", [None]),)),
            Query("c", where=(("v", "in", list(range(31))),)), Query("c", after="nonsense"),
            Query("c", where=(("v", "==", float("nan")),)), Query("c", after="W10="),
        ],
    )  # fmt: skip
    def test_a_query_that_can_never_work_is_rejected(
        self, documents: Documents, query: Query
    ) -> None:
        with pytest.raises(Rejected):
            documents.query(query)


class Pages:
    @_on_one_store
    @given(
        values=st.lists(_scalars | st.just(1) | st.booleans(), max_size=12),
        limit=st.integers(1, 5),
        order=st.sampled_from([(None, False), ("v", False), ("v", True)]),
    )
    def test_pages_put_together_equal_one_big_read(
        self,
        documents: Documents,
        values: list[Any],
        limit: int,
        order: tuple[str | None, bool],
    ) -> None:
        order_by, descending = order
        documents.write([Write(f"c/{n:03}", None) for n in range(12)])
        put_values(documents, values)
        everything = ids(documents, Query("c", (), order_by, descending))
        assert len(everything) == len(values)
        paged, after = list[str](), None
        while True:
            page = documents.query(Query("c", (), order_by, descending, after, limit))
            assert len(page.documents) <= limit
            paged += [document.id for document in page.documents]
            if page.cursor is None:
                break
            assert len(page.documents) == limit
            after = page.cursor
        assert paged == everything

    def test_a_cursor_stays_where_it_is_while_documents_come_and_go(
        self, documents: Documents
    ) -> None:
        documents.write([Write(f"c/{n}", {"v": n}) for n in (10, 20, 30, 40)])
        first = documents.query(Query("c", order_by="v", limit=2))
        documents.write([Write("c/5", {"v": 5}), Write("c/35", {"v": 35}), Write("c/20", None)])
        rest = Query("c", order_by="v", after=first.cursor)
        assert ids(documents, rest) == ["30", "35", "40"]

    def test_a_cursor_of_another_query_is_rejected(self, documents: Documents) -> None:
        put_values(documents, [1, 2])
        cursor = documents.query(Query("c", order_by="v", limit=1)).cursor
        for query in (Query("c", after=cursor), Query("c", (), "v", True, cursor)):
            with pytest.raises(Rejected):
                documents.query(query)


class Watches:
    def test_a_watch_sees_changes_of_another_connection_in_order(
        self, documents: Documents, store: Store
    ) -> None:
        documents.write([Write("c/before", {"n": 0})])
        seen: queue.Queue[Document] = queue.Queue()

        def remember(changed: Sequence[Document]) -> None:
            for document in changed:
                if document.id != "nudge":
                    seen.put(document)

        def following(other: Documents) -> Document:
            """The next change. Where half a batch may be shown, the rest may need a nudge."""
            for number in range(int(DEADLINE / NUDGE)):
                with contextlib.suppress(queue.Empty):
                    return seen.get(timeout=DEADLINE if store.whole_reads else NUDGE)
                other.write([Write("c/nudge", {"n": number})])
            raise AssertionError("a change was never seen")

        watch = documents.watch("c", remember)
        with store.connect() as other:
            other.write([Write("c/a", {"n": 1}, b"body"), Write("other/x", {})])
            found = [following(other)]
            other.write([Write("c/b", {"n": 2})])
            other.write([Write("c/b", None), Write("c/a", {"n": 3})])
            while found[-1].fields != {"n": 3}:
                found.append(following(other))
            assert found[0].body == b"body"
            assert [document.id for document in found] in (["a", "a"], ["a", "b", "a"])
            watch.close()
            watch.close()

    def test_a_watch_outlives_an_error_of_its_callback(self, documents: Documents) -> None:
        seen: queue.Queue[str] = queue.Queue()

        def fail_once(changed: Sequence[Document]) -> None:
            for document in changed:
                seen.put(document.id)
            if changed[0].id == "a":
                raise ValueError(changed[0].id)

        watch = documents.watch("c", fail_once)
        documents.write([Write("c/a", {})])
        assert seen.get(timeout=DEADLINE) == "a"
        documents.write([Write("c/b", {})])
        assert seen.get(timeout=DEADLINE) == "b"
        watch.close()

    def test_a_watch_can_be_closed_from_its_own_callback(self, documents: Documents) -> None:
        closed = threading.Event()

        def close(changed: Sequence[Document]) -> None:
            watch.close()
            closed.set()

        watch = documents.watch("c", close)
        documents.write([Write("c/a", {})])
        assert closed.wait(DEADLINE)


class DocumentsSuite(ReadingAndWriting, Limits, Conditions, Transactions, Queries, Pages, Watches):
    """Everything the port promises."""
