"""Fixtures that tests of every kind may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.emulators import firestore_emulator, pubsub_emulator

if TYPE_CHECKING:
    from tests.support.bigquery_bench import Bench
    from tests.support.bigquery_server import BigQueryServer

__all__ = ["bigquery_bench", "bigquery_server", "firestore_emulator", "pubsub_emulator"]

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
