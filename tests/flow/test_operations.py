"""What a repository costs in documents: the figures of docs/costs.md, counted."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from shared import audit_seals, staleness
from shared.board_reading import Selection
from shared.boards import repository_board
from shared.pricing import REFRESH_BYTES
from tests.support.bigquery_bench import make_tables
from tests.support.bigquery_server import BigQueryServer
from tests.support.capture_place import LAST, loopback_place, many, publish_days
from tests.support.counted_documents import Operations
from tests.support.lines import ANA, ENGINE, day, push

COSTS = Path(__file__).resolve().parents[2] / "docs" / "costs.md"
READ, WRITE = 0.03 / 100_000, 0.09 / 100_000
"""What Firestore bills for a document, in USD."""

LATELY = [push(1, day(18), ANA, push_id=1, distinct_size=2)]


def told(what: str) -> tuple[int, int]:
    """The reads and writes that the docs state."""
    (line,) = [line for line in COSTS.read_text().splitlines() if line.startswith(f"| {what}")]
    reads, writes = re.findall(r"\| (\d+) \| (\d+) \|", line)[0]
    return int(reads), int(writes)


def test_the_documents_that_a_repository_costs_are_those_of_the_docs(
    tmp_path: Path, bigquery_server: BigQueryServer
) -> None:
    make_tables(bigquery_server)
    place = loopback_place(tmp_path, bigquery_server, LATELY, history_days=3)
    documents = place.documents
    place.register(ENGINE.name)
    place.work()
    audit_seals.seal(place.services)
    first = documents.done
    assert (first.reads, first.writes) == told("first scrape")

    publish_days(tmp_path, bigquery_server, LATELY, LAST + timedelta(days=1))
    place.clock.advance(timedelta(days=1))
    documents.done = Operations()
    staleness.refresh_stale(place.services, 5)
    place.work()
    sealed = audit_seals.seal(place.services)
    refresh = documents.done
    assert f"{sealed} records of the audit trail" in COSTS.read_text()
    assert (refresh.reads, refresh.writes) == told("nightly refresh")
    price = refresh.reads * READ + refresh.writes * WRITE
    assert f"about {price:.5f} USD" in COSTS.read_text()
    assert f"come to {price * 100 * 30.4375:.2f} USD a month" in COSTS.read_text()

    documents.done = Operations()
    place.services.boards.read(repository_board(ENGINE.id), "all", Selection())
    assert (documents.done.reads, documents.done.writes) == told("a page of a board")


def test_a_refresh_is_billed_what_the_estimate_says(
    tmp_path: Path, bigquery_server: BigQueryServer
) -> None:
    make_tables(bigquery_server)
    place = loopback_place(tmp_path, bigquery_server, LATELY, history_days=3)
    place.register(ENGINE.name)
    place.work()
    before = bigquery_server.bytes_billed
    place.clock.advance(timedelta(days=1))
    staleness.refresh_stale(place.services, 5)
    place.work()
    billed = bigquery_server.bytes_billed - before
    assert 0.5 * REFRESH_BYTES < billed < 1.5 * REFRESH_BYTES


@pytest.mark.parametrize("count", [1, 10, 100])
def test_however_many_repositories_bigquery_scans_each_archive_table_once(
    tmp_path: Path, bigquery_server: BigQueryServer, count: int
) -> None:
    make_tables(bigquery_server)
    names, lines = many(count)
    place = loopback_place(tmp_path, bigquery_server, lines, history_days=5)
    place.register(*names)
    place.capture()
    ran = bigquery_server.ran("extract_events")
    assert len(ran) == len({job.text for job in ran}) == 5
    assert all(job.bytes_billed for job in ran)
    assert len(bigquery_server.ran("gather_events")) == 1

    place.register("many/r0-later")  # with everybody's events stored, nothing is scanned again
    place.capture()
    assert bigquery_server.ran("extract_events") == ran
