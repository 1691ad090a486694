"""Services that read the public archive: over rows in memory, or over the loopback BigQuery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from infra.gcp.archive import BigQueryArchive
from infra.gcp.warehouse import BigQueryWarehouse
from shared import jobs, repositories
from shared.board_reading import BoardReader
from shared.breaker import Breaker
from shared.budget import Budget
from shared.context import SYSTEM, Services
from shared.jobs import Job, RepositoryStatus
from shared.metering import MeteredWarehouse, unmetered
from shared.models import RepositoryName
from shared.planning import days_between
from shared.ports import Query
from shared.publishing import Publisher
from tests.support.archive_bench import DAY_BYTES, ArchiveBench, BenchWarehouse, rows_of
from tests.support.bigquery_archive import ARCHIVE_PROJECT, archive_rows, publish
from tests.support.bigquery_bench import PLACE
from tests.support.bigquery_server import BigQueryServer
from tests.support.by_hand import HandQueue, by_hand, deliver, deliver_all
from tests.support.counted_documents import CountedDocuments
from tests.support.lines import ANA, Line, Repo, day, push, write_gz
from tests.support.manual_clock import ManualClock
from tests.support.scenario import LINES, open_services

FIRST, LAST = date(2025, 3, 1), date(2025, 3, 19)
DAYS = (LAST - FIRST).days + 1
EVERY_DAY = [f"day.{each:%Y%m%d}" for each in days_between(FIRST, LAST)]
PRICE = "6.25"


@dataclass
class Place:
    """Services with an archive, whose tasks are delivered by hand, and the clock they follow."""

    services: Services
    queue: HandQueue
    clock: ManualClock

    def register(self, *names: str) -> None:
        for name in names:
            repositories.register(self.services, RepositoryName.parse(name), SYSTEM)

    def work(self) -> None:
        """Deliver what is due, then what gets due by waiting a little, several times."""
        for _ in range(40):
            deliver_all(self.services, self.queue)
            self.clock.advance(timedelta(seconds=10))
            if not self.queue.postponed:
                break

    def capture(self) -> None:
        """Deliver what reads the archive, and leave the rest."""
        while due := [h for h in self.queue.take() if h.data.get("stage") == "capture"]:
            for handed in due:
                assert deliver(self.services, handed)
            self.clock.advance(timedelta(seconds=10))

    def jobs(self) -> list[Job]:
        page = self.services.documents.query(Query("jobs", limit=1000))
        return [jobs.read(document) for document in page.documents]

    def status(self, name: str) -> RepositoryStatus:
        return repositories.get(self.services, RepositoryName.parse(name)).status


@dataclass
class BenchPlace(Place):
    """A place whose archive is a bench."""

    bench: ArchiveBench


LONG: Mapping[str, Any] = {
    "history_days": 500,
    "budget_daily_usd": "1000",
    "budget_monthly_usd": "1000",
}
"""Settings under which everything is read."""


def place_of(
    folder: Path, lines: Sequence[Line] = LINES, first: date = FIRST, **settings: object
) -> BenchPlace:
    clock = ManualClock()
    chosen = {"price_per_tib_usd": PRICE, "history_days": DAYS, **settings}
    services, queue = by_hand(open_services(folder / "data", clock, **chosen))
    inner = unmetered(services.warehouse)
    bench = ArchiveBench(rows_of(lines, folder, clock()), first, LAST, inner)
    warehouse = BenchWarehouse(inner, services.budget, bench)
    return BenchPlace(replace(services, archive=bench, warehouse=warehouse), queue, clock, bench)


@dataclass
class LoopbackPlace(Place):
    """A place on the loopback BigQuery. Its documents are counted."""

    server: BigQueryServer
    documents: CountedDocuments


def loopback_place(
    folder: Path, server: BigQueryServer, lines: Sequence[Line] = LINES, **settings: object
) -> LoopbackPlace:
    """Every day from ``FIRST`` to ``LAST`` has a table there, as large as they really are."""
    clock = ManualClock()
    chosen = {"price_per_tib_usd": PRICE, "history_days": DAYS, **settings}
    services, queue = by_hand(open_services(folder / "data", clock, **chosen))
    documents = CountedDocuments(services.documents)
    warehouse = BigQueryWarehouse(PLACE, documents, now=clock, emulator_host=server.host)
    publish_days(folder, server, lines)
    budget = Budget(documents, services.settings, clock)
    keep = services.settings.keep_generations
    services = replace(
        services,
        documents=documents,
        warehouse=MeteredWarehouse(warehouse, budget, services.new_id),
        archive=BigQueryArchive(warehouse, documents, now=clock),
        budget=budget,
        boards=BoardReader(documents, now=clock),
        publisher=Publisher(documents, now=clock, keep=keep),
        breaker=Breaker(documents, now=clock),
    )
    return LoopbackPlace(services, queue, clock, server, documents)


def publish_days(
    folder: Path, server: BigQueryServer, lines: Sequence[Line], last: date = LAST
) -> None:
    """Make archive tables of rows, one for each day."""
    write_gz(folder / "lines.json.gz", lines)
    rows = list(archive_rows(folder / "lines.json.gz"))
    for each in days_between(FIRST, last):
        if f"day.{each:%Y%m%d}" not in published(server):
            of_day = [row for row in rows if row["created_at"].date() == each]
            publish(server, f"day.{each:%Y%m%d}", of_day, stated_bytes=DAY_BYTES)
    if "month.201401" not in published(server):
        publish(server, "month.201401", [])


def published(server: BigQueryServer) -> set[str]:
    """The archive's tables."""
    return {f"{name[1]}.{name[2]}" for name in server.store.tables if name[0] == ARCHIVE_PROJECT}


def many(count: int) -> tuple[list[str], list[Line]]:
    """Repositories, and a push to each."""
    repos = [Repo(5000 + n, f"many/r{n}") for n in range(count)]
    lines = [
        push(9000 + n, day(15 + n % 5), ANA, push_id=70_000 + n, distinct_size=1, repo=repo)
        for n, repo in enumerate(repos)
    ]
    return [repo.name for repo in repos], lines
