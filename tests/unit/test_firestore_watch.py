"""A watch goes on where it was when its stream ends, and tells old from new."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from google.cloud.firestore_v1 import types
from grpc import StatusCode

from infra.gcp.documents import FirestoreDocuments
from shared.ports import Document
from tests.support.eventually import eventually
from tests.support.firestore_stub import ROOT, document, firestore_stub, moment, stubbed_documents
from tests.support.google_stub import GoogleStub

Kind = types.TargetChange.TargetChangeType
CUT = (StatusCode.UNAVAILABLE, "cut off")
BEGUN = 100
"""When the stub says it is, in seconds."""


def target_change(kind: int, **more: Any) -> types.ListenResponse:
    return types.ListenResponse(target_change={"target_change_type": kind, **more})


CURRENT = target_change(Kind.CURRENT, target_ids=[1])
RESET = target_change(Kind.RESET, target_ids=[1])


def snapshot(at: int) -> types.ListenResponse:
    token = f"token-{at}".encode()
    return target_change(Kind.NO_CHANGE, read_time=moment(at), resume_token=token)


def changed(id_: str, n: int, at: int) -> types.ListenResponse:
    return types.ListenResponse(
        document_change={"document": document(f"c/{id_}", n, at), "target_ids": [1]}
    )


def deleted(id_: str) -> types.ListenResponse:
    return types.ListenResponse(document_delete={"document": f"{ROOT}/c/{id_}"})


@pytest.fixture
def stub() -> Iterator[GoogleStub]:
    with firestore_stub() as running:
        yield running


@pytest.fixture
def documents(stub: GoogleStub) -> Iterator[FirestoreDocuments]:
    with stubbed_documents(stub) as opened:
        yield opened


def watched(documents: FirestoreDocuments) -> queue.Queue[tuple[str, object]]:
    """Id and number of every document that is reported."""
    seen: queue.Queue[tuple[str, object]] = queue.Queue()

    def remember(found: Sequence[Document]) -> None:
        for each in found:
            seen.put((each.id, each.fields["n"]))

    documents.watch("c", remember)
    return seen


def take(seen: queue.Queue[tuple[str, object]], number: int) -> list[tuple[str, object]]:
    return [seen.get(timeout=20) for _ in range(number)]


def test_a_watch_begins_at_firestores_own_time_and_pays_for_no_older_document(
    stub: GoogleStub, documents: FirestoreDocuments
) -> None:
    watched(documents)
    eventually(lambda: stub.requests["Listen"])
    (request,) = stub.requests["Listen"]
    assert request.add_target.read_time.timestamp() == BEGUN
    assert stub.calls["BatchGetDocuments"] == 1
    assert not stub.calls["RunQuery"]


def test_changes_of_a_snapshot_come_in_the_order_of_their_times(
    stub: GoogleStub, documents: FirestoreDocuments
) -> None:
    stub.answer(
        "Listen",
        [CURRENT, changed("a", 2, 112), changed("b", 1, 111), changed("gone", 1, 111),
         deleted("gone"), snapshot(113)],
    )  # fmt: skip
    seen = watched(documents)
    assert take(seen, 2) == [("b", 1), ("a", 2)]
    assert seen.empty()


def test_a_stream_that_was_cut_goes_on_where_it_was_and_repeats_nothing(
    stub: GoogleStub, documents: FirestoreDocuments
) -> None:
    stub.answer(
        "Listen",
        [CURRENT, changed("a", 1, 110), snapshot(111), changed("lost", 1, 112), CUT],
        [RESET, changed("a", 1, 110), changed("old", 1, 50), changed("lost", 1, 112), CURRENT,
         snapshot(113)],
    )  # fmt: skip
    seen = watched(documents)
    assert take(seen, 2) == [("a", 1), ("lost", 1)]
    assert stub.requests["Listen"][1].add_target.resume_token == b"token-111"
    assert seen.empty()


def test_nothing_is_reported_before_the_whole_is_consistent(
    stub: GoogleStub, documents: FirestoreDocuments
) -> None:
    stub.answer(
        "Listen",
        [changed("a", 1, 110), snapshot(110), RESET, changed("a", 2, 111), CURRENT, snapshot(112)],
    )
    assert take(watched(documents), 1) == [("a", 2)]


def test_a_place_that_is_too_old_to_go_on_from_is_given_up_for_a_full_reading(
    stub: GoogleStub, documents: FirestoreDocuments
) -> None:
    refused = target_change(Kind.REMOVE, target_ids=[1], cause={"code": 11, "message": "too old"})
    stub.answer(
        "Listen", [refused], [changed("old", 1, 50), changed("a", 1, 110), CURRENT, snapshot(111)]
    )
    stub.answer("Listen", CUT)
    assert take(watched(documents), 1) == [("a", 1)]
    assert "read_time" not in stub.requests["Listen"][1].add_target
    assert stub.requests["Listen"][1].add_target.resume_token == b""


def test_closing_ends_the_stream(stub: GoogleStub, documents: FirestoreDocuments) -> None:
    stub.answer("Listen", [CURRENT, snapshot(110)])
    watch = documents.watch("c", print)
    eventually(lambda: stub.requests["Listen"])
    watch.close()
    watch.close()
    assert not watch._thread.is_alive()
