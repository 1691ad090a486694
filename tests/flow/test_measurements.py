"""Every metric is moved by what it counts, and every step is found in the trace of its request."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from functions import maintenance
from shared import costs, github_sync, global_requests, job_control, pausing
from shared.context import SYSTEM
from shared.metrics import (
    BILLED_BYTES,
    BILLED_DOLLARS,
    BOARD_AGE,
    BUDGET_LIMIT,
    BUDGET_SPENT,
    BUDGET_USED,
    CACHE_READS,
    CIRCUIT_OPEN,
    CONTRIBUTIONS,
    DEAD_LETTERS,
    DELIVERY_SECONDS,
    EVENTS,
    JOB_SECONDS,
    JOBS,
    JOBS_NOW,
    QUEUE_DEPTH,
    RECALCULATIONS,
    REPOSITORIES_NOW,
    REQUEST_SECONDS,
    REQUESTS,
    STEP_SECONDS,
)
from shared.models import WINDOW_DAYS, RepositoryName
from shared.tables import Dataset
from tests.support.apps import app_over
from tests.support.capture_place import LONG, BenchPlace, place_of
from tests.support.collector import TRACES, Collector, collector, pushing_to, without_exit
from tests.support.github_world import github_world
from tests.support.lines import ENGINE
from tests.support.live_server import live_server
from tests.support.manual_clock import ManualClock
from tests.support.scenario import LINES, ingest, open_services

BOARD = "/api/v1/leaderboard/octo/engine"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def told() -> Iterator[Collector]:
    with collector() as running:
        yield running


@pytest.fixture(scope="module")
def place(told: Collector, tmp_path_factory: pytest.TempPathFactory) -> BenchPlace:
    """A repository whose history is bought from the archive, and its boards."""
    folder = tmp_path_factory.mktemp("place")
    made = place_of(folder, first=date(2023, 1, 1), **LONG, **pushing_to(told))
    without_exit(made.services)
    made.register(ENGINE.name)
    made.work()
    made.services.telemetry.flush()
    return made


@pytest.fixture(scope="module")
def client(place: BenchPlace) -> FlaskClient:
    return app_over(lambda: place.services).test_client()


def test_a_scrape_counts_events_contributions_boards_bytes_and_dollars(
    place: BenchPlace, told: Collector
) -> None:
    assert told.value(EVENTS, source="archive") == len(LINES)
    (unit,) = place.services.warehouse.units(Dataset.CONTRIBUTIONS)
    assert told.value(CONTRIBUTIONS) == unit.rows
    windows = len(WINDOW_DAYS)
    assert told.value(RECALCULATIONS, scope="repository", outcome="published") == windows
    assert told.value(RECALCULATIONS, scope="global", outcome="published") == windows
    bills, _ = costs.ledger(place.services, after=None, limit=200)
    scans = [bill for bill in bills if bill.statement == "extract_events"]
    assert len(scans) == len(place.bench.scanned)
    billed = told.value(BILLED_BYTES, statement="extract_events")
    assert billed == sum(bill.bytes_billed for bill in scans) > 0
    cost = sum(bill.micro_usd for bill in scans) / 1e6
    assert told.value(BILLED_DOLLARS, statement="extract_events") == pytest.approx(cost)


def test_jobs_and_their_steps_are_counted_and_timed(place: BenchPlace, told: Collector) -> None:
    done = {"type": "full_scrape", "outcome": "completed"}
    assert told.value(JOBS, **done) == 1
    assert (told.recorded(JOB_SECONDS, **done) or (0,))[0] == 1
    for stage in ("capture", "scrape", "boards", "global"):
        assert (told.recorded(STEP_SECONDS, stage=stage, outcome="done") or (0,))[0] >= 1, stage


def test_requests_are_counted_and_timed_by_route_and_class_of_status(
    client: FlaskClient, told: Collector
) -> None:
    for address in (BOARD, BOARD, "/api/v1/leaderboard/octo/none", "/api/v1/contributors/ana"):
        client.get(address)
    client.open("/nowhere/ana", method="BREW")
    route = "/api/v1/leaderboard/<owner>/<name>"
    assert told.value(REQUESTS, method="GET", route=route, status="2xx") == 2
    assert told.value(REQUESTS, method="GET", route=route, status="4xx") == 1
    assert told.value(REQUESTS, method="other", route="other", status="4xx") == 1
    count, seconds = told.recorded(REQUEST_SECONDS, route=route, status="2xx") or (0, 0)
    assert count == 2
    assert 0 < seconds < 60
    assert not {label for label in told.labels() if "ana" in label or "octo" in label}


def test_reads_of_caches_are_hits_and_misses(client: FlaskClient, told: Collector) -> None:
    client.get(BOARD)
    hits = told.value(CACHE_READS, cache="board_parts", outcome="hit") or 0
    assert told.value(CACHE_READS, cache="board_heads", outcome="miss")
    client.get(f"{BOARD}?page_size=7")
    assert told.value(CACHE_READS, cache="board_parts", outcome="hit") == hits + 1
    for _ in range(2):
        client.get("/repositories/octo/engine?page_size=5")
    assert told.value(CACHE_READS, cache="pages", outcome="hit") == 1
    assert told.value(CACHE_READS, cache="pages", outcome="miss") == 1
    assert told.value(CACHE_READS, cache="repositories", outcome="hit")


def test_a_request_has_a_span_in_the_trace_of_its_caller(
    client: FlaskClient, told: Collector
) -> None:
    client.get(f"{BOARD}?search=ana", headers={"traceparent": PARENT, "X-Request-ID": "r-77"})
    (span,) = [each for each in told.spans() if each.about.get("request.id") == "r-77"]
    assert span.name == "GET /api/v1/leaderboard/<owner>/<name>"
    assert (span.trace, span.parent) == tuple(PARENT.split("-")[1:3])
    assert span.about["http.response.status_code"] == 200
    assert not any(b"octo" in call.body or b"ana" in call.body for call in told.under.calls(TRACES))


def test_the_sweep_measures_how_the_system_stands(place: BenchPlace, told: Collector) -> None:
    place.register("octo/none")
    place.work()
    maintenance.sweep(place.services)
    place.services.telemetry.flush()
    assert told.value(JOBS, type="full_scrape", outcome="failed") == 1
    assert told.value(JOBS_NOW, state="failed") == 1
    assert told.value(DEAD_LETTERS) == 1
    assert told.value(REPOSITORIES_NOW, status="completed") == 1
    assert told.value(REPOSITORIES_NOW, status="error") == 1
    assert told.value(QUEUE_DEPTH, queue="all") == 0
    assert told.value(CIRCUIT_OPEN, service="github") == 0
    spent = told.value(BUDGET_SPENT, period="month")
    assert spent
    assert told.value(BUDGET_LIMIT, period="month") == 1000
    assert told.value(BUDGET_USED, period="month") == pytest.approx(spent / 1000, abs=1e-4)
    assert all(told.value(BOARD_AGE, window=window) for window in WINDOW_DAYS)


def test_a_board_that_is_made_again_is_told_from_a_new_one(
    place: BenchPlace, told: Collector
) -> None:
    before = told.value(RECALCULATIONS, scope="global", outcome="published")
    global_requests.request_global(place.services)
    place.work()
    place.services.telemetry.flush()
    assert told.value(RECALCULATIONS, scope="global", outcome="unchanged")
    assert told.value(RECALCULATIONS, scope="global", outcome="published") == before


def test_a_job_that_is_ended_by_hand_is_counted_once(place: BenchPlace, told: Collector) -> None:
    before = told.value(JOBS, type="full_scrape", outcome="cancelled") or 0
    place.register("octo/other")
    (job,) = [each for each in place.jobs() if not each.ended]
    for _ in range(2):
        job_control.cancel(place.services, SYSTEM, job.id)
    place.services.telemetry.flush()
    assert told.value(JOBS, type="full_scrape", outcome="cancelled") == before + 1


def test_a_job_that_ends_as_its_repository_is_paused_is_counted_once(
    place: BenchPlace, told: Collector
) -> None:
    before = told.value(JOBS, type="full_scrape", outcome="cancelled") or 0
    place.register("octo/paused")
    for _ in range(2):
        pausing.disable(place.services, RepositoryName("octo", "paused"), SYSTEM)
    place.services.telemetry.flush()
    assert told.value(JOBS, type="full_scrape", outcome="cancelled") == before + 1


def test_what_github_tells_is_counted(told: Collector, tmp_path: Path) -> None:
    world = github_world(tmp_path, **pushing_to(told))
    without_exit(world.services)
    world.register()
    github_sync.sync(world.services, world.job())
    world.services.telemetry.flush()
    assert (told.value(EVENTS, source="github") or 0) > 10


def test_a_collector_that_hangs_fails_no_request_and_delays_it_by_the_bound(
    tmp_path: Path,
) -> None:
    with collector() as own:
        chosen = pushing_to(own) | {"telemetry_timeout_seconds": 0.2}
        services = without_exit(open_services(tmp_path, ManualClock(), **chosen))
        client = app_over(lambda: services).test_client()
        with own.under.holding():
            began = time.monotonic()
            statuses = [client.get("/api/v1/repositories").status_code for _ in range(10)]
            took = time.monotonic() - began
        assert statuses == [200] * 10
        assert 0.2 <= took < 5


def test_a_request_its_tasks_and_their_steps_are_one_trace_across_processes(
    tmp_path: Path,
) -> None:
    with collector() as own:
        services = open_services(tmp_path)
        ingest(services, tmp_path / "files", {"events.json.gz": LINES})
        with live_server(tmp_path, **pushing_to(own)) as server:
            without_exit(server.services)
            server.client.headers["traceparent"] = PARENT
            server.register("octo/engine")
            del server.client.headers["traceparent"]
            server.settle()
        trace = PARENT.split("-")[1]
        spans = {each.id: each for each in own.spans() if each.trace == trace}
        names = [each.name for each in spans.values()]
        for name in (
            "POST /api/v1/repositories", "scrape_repository", "step scrape",
            "recalculate_leaderboards", "recalculate_board", "step boards", "step global",
        ):  # fmt: skip
            assert name in names
        (step,) = [each for each in spans.values() if each.name == "step scrape"]
        chain = [step]
        while chain[-1].parent in spans:
            chain.append(spans[chain[-1].parent])
        assert [each.name for each in chain] == [
            "step scrape", "scrape_repository", "POST /api/v1/repositories",
        ]  # fmt: skip
        done = own.recorded(DELIVERY_SECONDS, function="scrape_repository", outcome="done")
        assert done is not None
        assert done[0] == 1
