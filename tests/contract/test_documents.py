"""The document stores that are held to ``documents_suite``: a new one needs a line in ``store``."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from infra.local.documents import SqliteDocuments
from shared.ports import Documents

pytest.register_assert_rewrite("tests.contract.documents_suite")
from tests.contract.documents_suite import DocumentsSuite, Store  # noqa: E402 - rewritten first


@contextmanager
def _sqlite(directory: Path) -> Iterator[Documents]:
    documents = SqliteDocuments(directory / "documents.sqlite", poll_interval=0.01)
    try:
        yield documents
    finally:
        documents.close()


@contextmanager
def _firestore(host: str, project: str) -> Iterator[Documents]:
    # Imported here, so that a process for SQLite alone does not wait for Google's library.
    from infra.gcp.documents import FirestoreDocuments

    documents = FirestoreDocuments(project, emulator_host=host)
    try:
        yield documents
    finally:
        documents.close()


@pytest.fixture(params=["sqlite", "firestore"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        yield Store(partial(_sqlite, tmp_path))
        return
    host = request.getfixturevalue("firestore_emulator")
    project = f"test-{uuid.uuid4().hex[:12]}"
    # The emulator takes 4 MiB a request, and its locks make every lost race last two seconds.
    yield Store(
        partial(_firestore, host, project), largest_batch=4 << 20, rounds=4, whole_reads=False
    )
    # It keeps everything in memory.
    everything = f"http://{host}/emulator/v1/projects/{project}/databases/(default)/documents"
    httpx.delete(everything, trust_env=False, verify=False).raise_for_status()


@pytest.fixture
def documents(store: Store) -> Iterator[Documents]:
    with store.connect() as opened:
        yield opened


class TestDocuments(DocumentsSuite):
    pass
