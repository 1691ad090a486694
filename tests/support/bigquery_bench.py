"""A BigQuery with our tables in it, and the warehouse on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from infra.gcp.bigquery_client import Patience
from infra.gcp.bigquery_names import Place
from infra.gcp.table_definitions import TABLES
from infra.gcp.warehouse import BigQueryWarehouse
from infra.local.documents import SqliteDocuments
from shared.ports import Documents
from tests.support.bigquery_server import BigQueryServer, bigquery

PLACE = Place("test-project", "leaderboard", "US")
QUICK = Patience(calls=0.5, job=0.3, sleep=lambda seconds: None)
"""For tests that wait in vain."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def make_tables(server: BigQueryServer, place: Place = PLACE) -> None:
    """What Terraform makes."""
    server.store.create_dataset(place.project, place.dataset, {"location": place.location})
    for table in TABLES.values():
        name = (place.project, place.dataset, table.name)
        server.store.create(name, table.resource(place.project, place.dataset))


@dataclass
class Bench:
    """A server, documents beside it, and warehouses on both."""

    server: BigQueryServer
    documents: Documents
    now: Callable[[], datetime] = utc_now

    def warehouse(self, patience: Patience | None = None, **options: int) -> BigQueryWarehouse:
        return BigQueryWarehouse(
            PLACE,
            self.documents,
            now=lambda: self.now(),
            emulator_host=self.server.host,
            patience=patience,
            **options,
        )


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """The loopback BigQuery with our tables, and documents in SQLite in a folder."""
    documents = SqliteDocuments(folder / "documents.sqlite", poll_interval=0.01)
    with bigquery() as server:
        make_tables(server)
        yield Bench(server, documents)
    documents.close()
