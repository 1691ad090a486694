"""Fixtures that tests of every kind may ask for."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.emulators import firestore_emulator, pubsub_emulator

if TYPE_CHECKING:
    from tests.support.bigquery_bench import Bench
    from tests.support.bigquery_server import BigQueryServer

__all__ = ["bigquery_bench", "bigquery_server", "firestore_emulator", "pubsub_emulator"]

LONG = (
    "flow/test_kills.py",
    "flow/test_google_cloud.py",
    "contract/test_rules_agree.py",
    "flow/test_pipeline_served.py",
    "functions/test_cli_work.py",
    "functions/test_cli_run.py",
    "contract/test_bigquery_warehouse.py",
    "unit/test_gcloud_scripts.py",
    "flow/test_operations.py",
    "flow/test_capture.py",
    "functions/test_dev_server.py",
    "browser/test_pages.py",
    "browser/test_live.py",
    "browser/test_readers.py",
    "browser/test_work.py",
    "browser/test_boards.py",
)
"""Files that take longest. They begin, so that no process works on one when the others are done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {name: rank for rank, name in enumerate(LONG)}

    def rank(item: pytest.Item) -> int:
        return ranks.get("/".join(item.path.parts[-2:]), len(ranks))

    items.sort(key=rank)


def pytest_collection_finish() -> None:
    """What was collected stays until the end: no collection of garbage has to look through it."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """DuckDB complains of what is left of it at the end."""
    gc.unfreeze()


# Imported when used: most tests need neither Google's library nor a server.


@pytest.fixture
def bigquery_server() -> Iterator[BigQueryServer]:
    """A loopback BigQuery without any dataset."""
    from tests.support.bigquery_server import bigquery

    with bigquery() as server:
        yield server


@pytest.fixture
def bigquery_bench(tmp_path: Path) -> Iterator[Bench]:
    """The loopback BigQuery with our tables, and documents in SQLite beside it."""
    from tests.support.bigquery_bench import bench

    with bench(tmp_path) as made:
        yield made
