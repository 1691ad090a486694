"""The document stores that are held to ``documents_suite``: a new one needs a line in STORES."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from infra.local.documents import SqliteDocuments
from shared.ports import Documents

pytest.register_assert_rewrite("tests.contract.documents_suite")
from tests.contract.documents_suite import Connect, DocumentsSuite  # noqa: E402 - rewritten first


@contextmanager
def _sqlite(directory: Path) -> Iterator[Documents]:
    documents = SqliteDocuments(directory / "documents.sqlite", poll_interval=0.01)
    try:
        yield documents
    finally:
        documents.close()


STORES: dict[str, Callable[[Path], Connect]] = {"sqlite": lambda path: partial(_sqlite, path)}


@pytest.fixture(params=STORES)
def connect(request: pytest.FixtureRequest, tmp_path: Path) -> Connect:
    return STORES[request.param](tmp_path)


@pytest.fixture
def documents(connect: Connect) -> Iterator[Documents]:
    with connect() as opened:
        yield opened


class TestDocuments(DocumentsSuite):
    pass
