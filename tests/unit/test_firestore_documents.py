"""What no emulator shows of the documents in Firestore: failures, and how many calls are made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.cloud.firestore_v1 import types
from grpc import StatusCode

from infra.gcp.documents import FirestoreDocuments
from shared.errors import Conflict, Rejected, RetryLater
from shared.ports import ABSENT, Query, Transaction, Write
from tests.support.firestore_stub import firestore_stub, found, stubbed_documents
from tests.support.google_stub import GoogleStub


@pytest.fixture
def stub() -> Iterator[GoogleStub]:
    with firestore_stub() as running:
        yield running


@pytest.fixture
def documents(stub: GoogleStub) -> Iterator[FirestoreDocuments]:
    with stubbed_documents(stub) as opened:
        yield opened


def add_one(transaction: Transaction) -> int:
    before = transaction.get("c/a")
    count: Any = 0 if before is None else before.fields["n"]
    transaction.write(Write("c/a", {"n": count + 1}))
    return int(count) + 1


class TestFailures:
    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (StatusCode.DEADLINE_EXCEEDED, RetryLater),
            (StatusCode.RESOURCE_EXHAUSTED, RetryLater),
            (StatusCode.UNAVAILABLE, RetryLater),
            (StatusCode.INTERNAL, RetryLater),
            (StatusCode.ABORTED, RetryLater),
            (StatusCode.CANCELLED, RetryLater),
            (StatusCode.UNKNOWN, RetryLater),
            (StatusCode.PERMISSION_DENIED, RetryLater),
            (StatusCode.UNAUTHENTICATED, RetryLater),
            (StatusCode.INVALID_ARGUMENT, Rejected),
            (StatusCode.OUT_OF_RANGE, Rejected),
            (StatusCode.UNIMPLEMENTED, Rejected),
            (StatusCode.NOT_FOUND, Rejected),
        ],
        ids=lambda value: getattr(value, "name", None) or value.__name__,
    )
    def test_failures_of_google_say_whether_to_try_again(
        self,
        stub: GoogleStub,
        documents: FirestoreDocuments,
        status: StatusCode,
        error: type[Exception],
    ) -> None:
        for method in ("BatchGetDocuments", "Commit", "RunQuery"):
            stub.answer(method, *[(status, "as Google puts it")] * 20)
        with pytest.raises(error, match="Firestore"):
            documents.get("c/a")
        with pytest.raises(error, match="as Google puts it"):
            documents.write([Write("c/a", {})])
        with pytest.raises(error):
            documents.query(Query("c"))

    @pytest.mark.parametrize("status", [StatusCode.UNAVAILABLE, StatusCode.ABORTED])
    def test_what_failed_on_the_way_is_repeated(
        self, stub: GoogleStub, documents: FirestoreDocuments, status: StatusCode
    ) -> None:
        for method in ("BatchGetDocuments", "Commit", "RunQuery"):
            stub.answer(method, (status, "once"))
        # Half an answer is no answer.
        stub.answer("BatchGetDocuments", [found("c/a", 1, 10), (status, "in the middle")])
        assert documents.get("c/a", "c/b") == (None, None)
        documents.write([Write("c/a", {})])
        assert documents.query(Query("c")).documents == ()
        assert stub.calls == {"BatchGetDocuments": 3, "Commit": 2, "RunQuery": 2}

    def test_a_count_is_one_call_that_moves_no_document(
        self, stub: GoogleStub, documents: FirestoreDocuments
    ) -> None:
        stub.answer("RunAggregationQuery", (StatusCode.UNAVAILABLE, "once"))
        assert documents.count(Query("c", (("v", "==", 1),), limit=50)) == 3
        assert stub.calls == {"RunAggregationQuery": 2}
        asked = stub.requests["RunAggregationQuery"][-1].structured_aggregation_query
        assert asked.structured_query.limit == 50

    @pytest.mark.parametrize(
        "status", [StatusCode.ALREADY_EXISTS, StatusCode.FAILED_PRECONDITION, StatusCode.NOT_FOUND]
    )
    def test_a_failed_condition_is_a_conflict_however_google_says_it(
        self, stub: GoogleStub, documents: FirestoreDocuments, status: StatusCode
    ) -> None:
        stub.answer("Commit", (status, "no"))
        with pytest.raises(Conflict, match="c/a"):
            documents.write([Write("c/a", {}, if_version=ABSENT)])
        assert stub.calls["Commit"] == 1

    def test_a_version_that_firestore_never_made_is_a_conflict(
        self, stub: GoogleStub, documents: FirestoreDocuments
    ) -> None:
        with pytest.raises(Conflict):
            documents.write([Write("c/a", {}, if_version="17")])
        assert not stub.calls

    def test_a_query_without_its_index_is_rejected_with_the_link_that_makes_it(
        self, stub: GoogleStub, documents: FirestoreDocuments
    ) -> None:
        stub.answer("RunQuery", (StatusCode.FAILED_PRECONDITION, "create it at https://example"))
        with pytest.raises(Rejected, match=r"no index.*https://example"):
            documents.query(Query("c", (("v", "==", 1),), "w"))


class TestTransactions:
    def test_a_lost_race_is_run_again_as_a_repeat_of_the_first(
        self, stub: GoogleStub, documents: FirestoreDocuments
    ) -> None:
        stub.answer("Commit", (StatusCode.ABORTED, "lost"))
        assert documents.transact(add_one) == 1
        first, second = (
            request.new_transaction.read_write for request in stub.requests["BatchGetDocuments"]
        )
        assert first.retry_transaction == b""
        assert second.retry_transaction == b"transaction"
        assert stub.calls == {"BatchGetDocuments": 2, "Commit": 2, "Rollback": 1}

    def test_a_race_that_is_lost_too_often_says_retry_later(
        self, stub: GoogleStub, documents: FirestoreDocuments
    ) -> None:
        stub.answer("Commit", *[(StatusCode.ABORTED, "too much contention")] * 3)
        with pytest.raises(RetryLater, match="3 times") as raised:
            documents.transact(add_one)
        assert raised.value.details["reason"] == "too much contention"
        assert stub.calls["Commit"] == stub.calls["Rollback"] == 3

    def test_a_read_that_failed_or_a_transaction_that_ran_out_is_run_again(
        self, stub: GoogleStub, documents: FirestoreDocuments
    ) -> None:
        stub.answer("BatchGetDocuments", (StatusCode.UNAVAILABLE, "on the way"))
        stub.answer("Commit", (StatusCode.INVALID_ARGUMENT, "The transaction has expired."))
        assert documents.transact(add_one) == 1
        assert stub.calls["BatchGetDocuments"] == 3

    def test_a_commit_without_an_answer_is_not_repeated_because_it_may_have_happened(
        self, stub: GoogleStub, documents: FirestoreDocuments
    ) -> None:
        stub.answer("Commit", (StatusCode.UNAVAILABLE, "who knows"))
        with pytest.raises(RetryLater):
            documents.transact(add_one)
        assert stub.calls["Commit"] == 1


class TestCalls:
    def test_reading_any_number_of_documents_is_one_call_and_each_is_read_once(
        self, stub: GoogleStub, documents: FirestoreDocuments
    ) -> None:
        documents.get("c/a", "c/b", "c/a")
        (request,) = stub.requests["BatchGetDocuments"]
        assert [name.rpartition("/")[2] for name in request.documents] == ["a", "b"]

    def test_a_transaction_is_a_call_for_each_read_and_one_to_commit(
        self, stub: GoogleStub, documents: FirestoreDocuments
    ) -> None:
        documents.transact(add_one)
        assert stub.calls == {"BatchGetDocuments": 1, "Commit": 1}
        assert stub.requests["Commit"][0].transaction == b"transaction"
        documents.transact(lambda transaction: [transaction.get("c/a"), transaction.get("c/b")])
        began, went_on = stub.requests["BatchGetDocuments"][1:]
        assert "new_transaction" in began
        assert went_on.transaction == b"transaction"
        assert stub.calls == {"BatchGetDocuments": 3, "Commit": 2}

    def test_a_transaction_that_reads_nothing_is_a_batch(
        self, stub: GoogleStub, documents: FirestoreDocuments
    ) -> None:
        documents.transact(lambda transaction: transaction.write(Write("c/a", {})))
        assert stub.calls == {"Commit": 1}
        assert stub.requests["Commit"][0].transaction == b""

    def test_what_work_raises_frees_the_documents_it_read(
        self, stub: GoogleStub, documents: FirestoreDocuments
    ) -> None:
        def fail(transaction: Transaction) -> None:
            transaction.get("c/a")
            raise KeyError

        with pytest.raises(KeyError):
            documents.transact(fail)
        assert stub.calls == {"BatchGetDocuments": 1, "Rollback": 1}

    def test_a_page_reads_one_document_more_than_it_shows(
        self, stub: GoogleStub, documents: FirestoreDocuments
    ) -> None:
        documents.query(Query("c", limit=50))
        (request,) = stub.requests["RunQuery"]
        assert request.structured_query.limit == 51

    def test_a_batch_is_one_call_and_an_empty_one_is_none(
        self, stub: GoogleStub, documents: FirestoreDocuments
    ) -> None:
        documents.write([Write(f"c/{n}", {"n": n}) for n in range(500)])
        documents.write([])
        assert documents.get() == ()
        assert stub.calls == {"Commit": 1}

    def test_the_body_is_a_field_of_bytes_beside_the_others(
        self, stub: GoogleStub, documents: FirestoreDocuments
    ) -> None:
        documents.write([Write("c/a", {"n": 1}, b"bytes")])
        (write,) = stub.requests["Commit"][0].writes
        assert write.update == types.Document(
            name="projects/p/databases/(default)/documents/c/a",
            fields={"n": {"integer_value": 1}, "body": {"bytes_value": b"bytes"}},
        )
