"""What the Firestore emulator shows beyond the port: the layout, and limits of its own."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator

import pytest
from google.cloud.firestore_v1 import types
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport

from infra.gcp.clients import open_channel
from infra.gcp.documents import FirestoreDocuments
from shared.errors import Rejected, RetryLater
from shared.ports import Document, Transaction, Write


@pytest.fixture
def project() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def documents(firestore_emulator: str, project: str) -> Iterator[FirestoreDocuments]:
    opened = FirestoreDocuments(
        project, emulator_host=firestore_emulator, patience=0.1, attempts=2, sleep=lambda _: None
    )
    yield opened
    opened.close()


def test_other_programs_find_plain_fields_and_the_body(
    documents: FirestoreDocuments, firestore_emulator: str, project: str
) -> None:
    documents.write([Write("c/a", {"n": 1, "list": [True, "é"], "o": {"f": 0.5}}, b"bytes")])
    transport = FirestoreGrpcTransport(channel=open_channel(firestore_emulator))
    client = FirestoreClient(transport=transport)
    name = f"projects/{project}/databases/(default)/documents/c/a"
    found = client.get_document({"name": name})
    transport.close()  # type: ignore[no-untyped-call]
    expected = types.Document(
        fields={
            "n": {"integer_value": 1},
            "list": {"array_value": {"values": [{"boolean_value": True}, {"string_value": "é"}]}},
            "o": {"map_value": {"fields": {"f": {"double_value": 0.5}}}},
            "body": {"bytes_value": b"bytes"},
        }
    )
    assert found.fields == expected.fields


def test_a_batch_that_the_emulator_would_not_take_is_rejected_at_once(
    documents: FirestoreDocuments,
) -> None:
    with pytest.raises(Rejected, match="4,194,304"):
        documents.write([Write(f"c/{n}", {}, bytes(1_000_000)) for n in range(5)])


def test_a_writer_that_waits_too_long_for_a_transaction_is_told_to_retry_later(
    documents: FirestoreDocuments,
) -> None:
    documents.write([Write("c/a", {"n": 1})])

    def linger(transaction: Transaction) -> Document | None:
        found = transaction.get("c/a")
        with pytest.raises(RetryLater):
            documents.write([Write("c/a", {"n": 2})])
        return found

    found = documents.transact(linger)
    assert found is not None
    assert documents.get("c/a") == (found,)
    documents.write([Write("c/a", {"n": 3})])


def test_closing_ends_threads_and_a_later_call_connects_again(
    documents: FirestoreDocuments,
) -> None:
    watch = documents.watch("c", print)
    documents.close()
    documents.close()
    watch.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "watch c"]
    assert documents.get("c/a") == (None,)
