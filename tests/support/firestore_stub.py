"""A stub that offers Firestore's methods, and the messages it answers with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from google.cloud.firestore_v1 import types

from infra.gcp.documents import FirestoreDocuments
from tests.support.google_stub import GoogleStub, google_stub

ROOT = "projects/p/databases/(default)/documents"
_SERVICE = "google.firestore.v1.Firestore"


def moment(seconds: int) -> dict[str, int]:
    return {"seconds": seconds}


def document(path: str, n: int, changed: int) -> types.Document:
    return types.Document(
        name=f"{ROOT}/{path}", fields={"n": {"integer_value": n}}, update_time=moment(changed)
    )


def found(path: str, n: int, changed: int) -> types.BatchGetDocumentsResponse:
    return types.BatchGetDocumentsResponse(
        found=document(path, n, changed), read_time=moment(changed + 1)
    )


def counted(number: int) -> types.RunAggregationQueryResponse:
    fields = {"count": {"integer_value": number}}
    return types.RunAggregationQueryResponse(
        result={"aggregate_fields": fields}, read_time=moment(100)
    )


@contextmanager
def firestore_stub() -> Iterator[GoogleStub]:
    """Every document is missing, every commit succeeds, every query is empty, unless told."""

    def batch_get(
        request: types.BatchGetDocumentsRequest,
    ) -> list[types.BatchGetDocumentsResponse]:
        begun = b"transaction" if "new_transaction" in request else b""
        beginning = [types.BatchGetDocumentsResponse(transaction=begun)] if begun else []
        return beginning + [
            types.BatchGetDocumentsResponse(missing=name, read_time=moment(100))
            for name in request.documents
        ]

    with google_stub() as stub:
        stub.usually = {
            "BatchGetDocuments": batch_get,
            "Commit": lambda request: types.CommitResponse(commit_time=moment(100)),
            # Nothing, on the wire.
            "Rollback": lambda request: types.CommitResponse(),
            "RunQuery": lambda request: [types.RunQueryResponse(read_time=moment(100))],
            "RunAggregationQuery": lambda request: [
                types.RunAggregationQueryResponse(read_time=moment(100)),
                counted(3),
            ],
            "Listen": lambda request: [],
        }
        stub.offer(
            _SERVICE,
            {
                "BatchGetDocuments": (
                    types.BatchGetDocumentsRequest, types.BatchGetDocumentsResponse, "unary_stream",
                ),
                "Commit": (types.CommitRequest, types.CommitResponse, "unary_unary"),
                "Rollback": (types.RollbackRequest, types.CommitResponse, "unary_unary"),
                "RunQuery": (types.RunQueryRequest, types.RunQueryResponse, "unary_stream"),
                "RunAggregationQuery": (
                    types.RunAggregationQueryRequest, types.RunAggregationQueryResponse,
                    "unary_stream",
                ),
                "Listen": (types.ListenRequest, types.ListenResponse, "stream_stream"),
            },
        )  # fmt: skip
        stub.start()
        yield stub


@contextmanager
def stubbed_documents(stub: GoogleStub) -> Iterator[FirestoreDocuments]:
    documents = FirestoreDocuments(
        "p", emulator_host=stub.host, patience=0.5, attempts=3, sleep=lambda seconds: None
    )
    try:
        yield documents
    finally:
        documents.close()
