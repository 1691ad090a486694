"""What the loopback BigQuery shows beyond the port: failures, bytes, attached runs, pages."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.gcp.manifest import GRACE
from infra.gcp.warehouse import BigQueryWarehouse
from infra.ingest import ingest_file
from infra.local.warehouse import LocalWarehouse
from shared.breaker import FAILURES, PAUSE
from shared.errors import BudgetRefused, Conflict, LeaderboardError, Rejected, RetryLater
from shared.ports import Allowance, Warehouse
from shared.tables import EVENTS, Dataset
from tests.support.bigquery_bench import PLACE, QUICK, Bench
from tests.support.manual_clock import ManualClock
from tests.support.warehouse_rows import ALONE, EVERY_STATEMENT, push, table

ENOUGH = 1 << 40
SAMPLE = Path(__file__).resolve().parents[2] / "infra" / "sample" / "sample-2025-03.json.gz"
CREDIT: Any = ("credit_contributions", {"repo_ids": [1], **ALONE}, Dataset.CONTRIBUTIONS, "1", {})


def put(warehouse: Warehouse, unit: str, *repo_ids: int) -> None:
    rows = table(EVENTS, [push(repo_id) for repo_id in repo_ids])
    warehouse.replace(Dataset.EVENTS, unit, rows.to_batches(), {})


def latest(warehouse: Warehouse, id_: str | None = None) -> int:
    allowance = Allowance(id_, ENOUGH) if id_ else None
    found = warehouse.query("latest_repository_names", {"repo_ids": [1, 2]}, allowance=allowance)
    return int(found.num_rows)


# --- the same rows ----------------------------------------------------------------------------


def test_every_statement_gives_the_very_tables_of_the_embedded_warehouse(
    bigquery_bench: Bench, tmp_path: Path
) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    ours = bigquery_bench.warehouse()
    local = LocalWarehouse(tmp_path / "warehouse", now=lambda: now)
    bigquery_bench.server.page_rows = 7
    for warehouse in (ours, local):
        ingest_file(warehouse, SAMPLE, now=now)
    ids = local.query("most_active_repositories", {"top": 3})["repo_id"].to_pylist()
    for name, parameters in EVERY_STATEMENT.items():
        wanted = {**parameters}
        if "repo_ids" in wanted:
            wanted["repo_ids"] = ids
        if "repo_id" in wanted:
            wanted["repo_id"] = ids[0]
        found, expected = (each.query(name, wanted) for each in (ours, local))
        assert found.schema.names == expected.schema.names
        assert found.schema.types == expected.schema.types, name
        assert found.to_pylist() == expected.to_pylist()
        target = {"credit_contributions": Dataset.CONTRIBUTIONS,
                  "count_standings": Dataset.STANDINGS}.get(name)  # fmt: skip
        if target:
            units = [each.derive(name, wanted, target, "u", {}) for each in (ours, local)]
            assert units[0].rows == units[1].rows
    local.close()


def test_results_come_in_pages_and_whole(bigquery_bench: Bench) -> None:
    bigquery_bench.server.page_rows = 10
    warehouse = bigquery_bench.warehouse()
    put(warehouse, "a", *range(1, 96))
    found = warehouse.query("most_active_repositories", {"top": 1000})
    assert sorted(found["repo_id"].to_pylist()) == list(range(1, 96))
    pages = [path for method, path in bigquery_bench.server.calls if "/queries/" in path]
    assert len(pages) == 10


def test_a_large_unit_goes_by_an_upload_that_can_be_resumed(bigquery_bench: Bench) -> None:
    warehouse = bigquery_bench.warehouse()
    noise = [
        {
            **push(n),
            "ref": "".join(chr(0x4E00 + (n * 7919 + k * 104729) % 20000) for k in range(400)),
        }
        for n in range(12_000)
    ]
    unit = warehouse.replace(Dataset.EVENTS, "a", table(EVENTS, noise).to_batches(1000), {})
    assert unit.rows == 12_000
    uploads = [method for method, path in bigquery_bench.server.calls if path.startswith("/upload")]
    assert uploads == ["POST", "PUT"]
    assert warehouse.query("most_active_repositories", {"top": 12_000}).num_rows == 12_000


# --- failures ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (403, "quotaExceeded"), (403, "rateLimitExceeded"), (429, ""),
        (401, "authError"), (401, ""),
        (403, "accessDenied"), (503, "backendError"), (500, "internalError"), (502, ""), (504, ""),
    ],
)  # fmt: skip
def test_what_may_pass_is_to_be_tried_later(
    bigquery_bench: Bench, status: int, reason: str
) -> None:
    warehouse = bigquery_bench.warehouse(QUICK)
    put(warehouse, "a", 1)
    bigquery_bench.server.fail(status, reason, path="/jobs", times=1000)
    actions: list[Callable[[], object]] = [
        lambda: latest(warehouse),
        lambda: warehouse.derive(*CREDIT),
        lambda: warehouse.estimate("latest_repository_names", {"repo_ids": [1]}),
        lambda: warehouse.usage("x"),
        lambda: warehouse.ledger(datetime(2025, 1, 1, tzinfo=UTC), 1),
    ]
    for act in actions:
        with pytest.raises(RetryLater, match="BigQuery") as raised:
            act()
        assert raised.value.details["service"] == "BigQuery"
    bigquery_bench.server.recover()
    bigquery_bench.now = lambda: datetime.now(UTC) + PAUSE
    assert latest(warehouse) == 1
    assert warehouse.units(Dataset.CONTRIBUTIONS) == ()


@pytest.mark.parametrize("status", [403, 503])
def test_an_upload_that_fails_changes_nothing(bigquery_bench: Bench, status: int) -> None:
    warehouse = bigquery_bench.warehouse(QUICK)
    put(warehouse, "a", 1)
    bigquery_bench.server.fail(status, "quotaExceeded", path="/upload", times=1000)
    with pytest.raises(RetryLater):
        put(warehouse, "a", 1, 2)
    assert latest(warehouse) == 1


@pytest.mark.parametrize(
    ("reason", "error"),
    [
        ("quotaExceeded", RetryLater), ("backendError", RetryLater), ("internalError", RetryLater),
        ("rateLimitExceeded", RetryLater), ("stopped", RetryLater), ("timeout", RetryLater),
        ("bytesBilledLimitExceeded", BudgetRefused), ("invalidQuery", Rejected),
        ("resourcesExceeded", Rejected), ("responseTooLarge", Rejected), ("notFound", Rejected),
        ("billingNotEnabled", Rejected), ("unheardOf", Rejected),
    ],
)  # fmt: skip
def test_a_job_that_fails_says_why_and_that_its_id_is_spent(
    bigquery_bench: Bench, reason: str, error: type[LeaderboardError]
) -> None:
    warehouse = bigquery_bench.warehouse(QUICK)
    put(warehouse, "a", 1)
    bigquery_bench.server.fail_jobs("credit_contributions", reason)
    for _ in range(2):
        with pytest.raises(error) as raised:
            warehouse.derive(*CREDIT, allowance=Allowance("r", ENOUGH))
        assert type(raised.value) is error
        assert raised.value.details["reason"] == reason
        assert raised.value.details["over"] is True
    usage = warehouse.usage("r")
    assert usage is not None
    assert (usage.done, usage.bytes_billed) == (True, 0)
    assert warehouse.derive(*CREDIT, allowance=Allowance("r2", ENOUGH)).rows == 1


def test_a_table_that_is_missing_has_a_remedy(bigquery_bench: Bench) -> None:
    warehouse = bigquery_bench.warehouse(QUICK)
    bigquery_bench.server.store.delete((PLACE.project, PLACE.dataset, "events"))
    for act in (lambda: latest(warehouse), lambda: put(warehouse, "a", 1)):
        with pytest.raises(Rejected, match="terraform apply"):
            act()


def test_nobody_answers(bigquery_bench: Bench) -> None:
    warehouse = bigquery_bench.warehouse(QUICK)
    put(warehouse, "a", 1)
    bigquery_bench.server.lose_answers(times=1000)
    with pytest.raises(RetryLater, match="did not answer"):
        latest(warehouse)


@pytest.mark.parametrize("path", ["/jobs", "/queries/"])
def test_an_answer_that_was_lost_is_asked_for_again_and_the_work_done_once(
    bigquery_bench: Bench, path: str
) -> None:
    warehouse = bigquery_bench.warehouse()
    put(warehouse, "a", 1, 2)
    bigquery_bench.server.lose_answers(path=path, times=1)
    assert latest(warehouse) == 2
    assert len(bigquery_bench.server.ran("latest_repository_names")) == 1


def test_an_upload_whose_answer_was_lost_loads_once(bigquery_bench: Bench) -> None:
    warehouse = bigquery_bench.warehouse()
    bigquery_bench.server.lose_answers(path="/upload", times=1)
    put(warehouse, "a", 1, 2)
    assert len(bigquery_bench.server.ran("load_events")) == 1
    assert latest(warehouse) == 2


def test_passing_failures_are_repeated_quietly(bigquery_bench: Bench) -> None:
    warehouse = bigquery_bench.warehouse()
    put(warehouse, "a", 1)
    bigquery_bench.server.fail(503, "backendError", path="/jobs", times=2)
    assert latest(warehouse) == 1


# --- runs that have an id ---------------------------------------------------------------------


def test_a_second_run_under_an_id_attaches_to_the_first(bigquery_bench: Bench) -> None:
    warehouse = bigquery_bench.warehouse()
    put(warehouse, "a", 1)
    assert latest(warehouse, "q") == 1
    put(warehouse, "b", 2)
    assert latest(warehouse, "q") == 1
    assert latest(warehouse, "r") == 2
    runs = bigquery_bench.server.ran("latest_repository_names")
    assert [job.id for job in runs] == ["q", "r"]
    assert sum(job.bytes_billed for job in runs) == 20 << 20


def test_an_id_that_names_another_run_is_refused(bigquery_bench: Bench) -> None:
    warehouse = bigquery_bench.warehouse()
    latest(warehouse, "q")
    with pytest.raises(Rejected, match="names another run"):
        warehouse.derive(*CREDIT, allowance=Allowance("q", ENOUGH))
    with pytest.raises(Rejected, match="id of a run"):
        latest(warehouse, "no id; at all")


def test_a_run_that_takes_too_long_goes_on_and_is_found_under_its_id(
    bigquery_bench: Bench,
) -> None:
    server, impatient = bigquery_bench.server, bigquery_bench.warehouse(QUICK)
    put(impatient, "a", 1)
    server.hold("credit_contributions")
    with pytest.raises(RetryLater, match="still running") as raised:
        impatient.derive(*CREDIT, allowance=Allowance("d", ENOUGH, "job"))
    assert raised.value.details == {"id": "d", "over": False}
    running = impatient.usage("d")
    assert running is not None
    assert (running.done, running.bytes_billed, running.job) == (False, 0, "job")
    assert impatient.units(Dataset.CONTRIBUTIONS) == ()
    server.release("credit_contributions")
    unit = bigquery_bench.warehouse().derive(*CREDIT, allowance=Allowance("d", ENOUGH, "job"))
    assert unit.rows == 1
    ended = impatient.usage("d")
    assert ended is not None
    assert (ended.done, ended.bytes_billed) == (True, 20 << 20)
    assert len(server.ran("credit_contributions")) == 1


def _derive_and_die(host: str, folder: Path) -> None:
    from infra.local.documents import SqliteDocuments

    documents = SqliteDocuments(folder / "documents.sqlite", poll_interval=0.01)
    warehouse = BigQueryWarehouse(
        PLACE, documents, now=lambda: datetime.now(UTC), emulator_host=host
    )
    warehouse.derive(*CREDIT, allowance=Allowance("d", ENOUGH))


def test_a_run_outlives_the_process_that_asked_for_it(
    bigquery_bench: Bench, tmp_path: Path
) -> None:
    server, warehouse = bigquery_bench.server, bigquery_bench.warehouse()
    put(warehouse, "a", 1)
    server.hold("credit_contributions")
    worker = multiprocessing.get_context("spawn").Process(
        target=_derive_and_die, args=(server.host, tmp_path)
    )
    worker.start()
    deadline = datetime.now(UTC) + timedelta(seconds=60)
    while not server.ran("credit_contributions") and datetime.now(UTC) < deadline:
        worker.join(0.05)
    worker.kill()
    worker.join()
    server.release("credit_contributions")
    usage = warehouse.usage("d")
    assert usage is not None
    assert (usage.done, usage.bytes_billed) == (True, 20 << 20)
    assert warehouse.derive(*CREDIT, allowance=Allowance("d", ENOUGH)).rows == 1
    assert len(server.ran("credit_contributions")) == 1


def test_a_run_whose_rows_may_have_been_swept_is_not_let_count(bigquery_bench: Bench) -> None:
    warehouse = bigquery_bench.warehouse(QUICK)
    put(warehouse, "a", 1)
    bigquery_bench.server.hold("credit_contributions")
    with pytest.raises(RetryLater):
        warehouse.derive(*CREDIT, allowance=Allowance("d", ENOUGH))
    bigquery_bench.server.release("credit_contributions")
    bigquery_bench.now = lambda: datetime.now(UTC) + GRACE + timedelta(minutes=1)
    with pytest.raises(Conflict, match="new id"):
        warehouse.derive(*CREDIT, allowance=Allowance("d", ENOUGH))
    assert warehouse.units(Dataset.CONTRIBUTIONS) == ()


# --- bytes ------------------------------------------------------------------------------------


def test_a_refused_run_is_not_billed(bigquery_bench: Bench) -> None:
    warehouse = bigquery_bench.warehouse()
    put(warehouse, "a", 1)
    with pytest.raises(BudgetRefused, match="20971520 or higher"):
        warehouse.derive(*CREDIT, allowance=Allowance("d", (20 << 20) - 1))
    assert bigquery_bench.server.bytes_billed == 0
    assert warehouse.usage("d") is None


def test_what_no_allowance_was_made_for_is_capped_too(bigquery_bench: Bench) -> None:
    warehouse = bigquery_bench.warehouse(unreserved_max_bytes=1 << 20)
    put(warehouse, "a", 1)
    with pytest.raises(BudgetRefused):
        latest(warehouse)


def test_a_statement_is_billed_for_the_columns_it_names_and_the_repositories_it_wants(
    bigquery_bench: Bench,
) -> None:
    warehouse = bigquery_bench.warehouse()
    put(warehouse, "a", *range(1, 1001))
    latest(warehouse)
    warehouse.derive(*CREDIT)
    names, credit = (
        bigquery_bench.server.ran(name)[0]
        for name in ("latest_repository_names", "credit_contributions")
    )
    assert set(names.scans[0].columns) == {
        "repo_id", "repo_name", "created_at", "event_id", "unit_revision",
    }  # fmt: skip
    assert names.scans[0].estimated < credit.scans[0].estimated
    assert names.bytes_processed * 100 < names.scans[0].estimated


def test_every_run_is_labelled_and_free_work_is_free(bigquery_bench: Bench) -> None:
    warehouse = bigquery_bench.warehouse()
    put(warehouse, "a", 1)
    warehouse.estimate("latest_repository_names", {"repo_ids": [1]})
    assert bigquery_bench.server.bytes_billed == 0
    warehouse.derive(*CREDIT, allowance=Allowance("d", ENOUGH, "Job É/1"))
    (job,) = bigquery_bench.server.ran("credit_contributions")
    assert job.configuration["labels"] == {
        "leaderboard": "leaderboard",
        "statement": "credit_contributions",
        "job": "job___1",
    }
    assert job.settings["maximumBytesBilled"] == str(ENOUGH)
    assert job.settings["useLegacySql"] is False


def test_the_ledger_leaves_out_what_others_run_in_the_project(bigquery_bench: Bench) -> None:
    warehouse = bigquery_bench.warehouse()
    latest(warehouse)
    bigquery_bench.server.start_job(
        PLACE.project, {"configuration": {"query": {"query": "SELECT 1"}}}
    )
    booked = warehouse.ledger(datetime.now(UTC) - timedelta(hours=1), 10)
    assert [usage.statement for usage in booked] == ["latest_repository_names"]
    assert sum(usage.bytes_billed for usage in booked) == 10 << 20


# --- sweeping ---------------------------------------------------------------------------------


def rows_in(bench: Bench, dataset: Dataset) -> int:
    store = bench.server.store
    return store.count(store.table((PLACE.project, PLACE.dataset, dataset.value)))


def test_rows_that_count_no_more_are_swept_after_an_hour(bigquery_bench: Bench) -> None:
    warehouse = bigquery_bench.warehouse()
    put(warehouse, "a", 1, 2)
    put(warehouse, "b", 1)
    put(warehouse, "a", 2)
    warehouse.remove(Dataset.EVENTS, "b")
    assert warehouse.sweep(Dataset.EVENTS) == 0
    assert rows_in(bigquery_bench, Dataset.EVENTS) == 4
    later = datetime.now(UTC) + GRACE + timedelta(minutes=1)
    bigquery_bench.now = lambda: later
    allowed = Allowance("s", warehouse.sweeping_bytes(Dataset.EVENTS))
    assert warehouse.sweep(Dataset.EVENTS, allowance=allowed) == 3
    assert rows_in(bigquery_bench, Dataset.EVENTS) == 1
    assert latest(warehouse) == 1
    assert warehouse.sweep(Dataset.EVENTS) == 0


def test_what_was_replaced_a_moment_ago_is_not_swept_however_old_it_is(
    bigquery_bench: Bench,
) -> None:
    warehouse = bigquery_bench.warehouse()
    put(warehouse, "a", 1)
    later = datetime.now(UTC) + GRACE * 5
    bigquery_bench.now = lambda: later
    put(warehouse, "a", 1, 2)
    assert warehouse.sweep(Dataset.EVENTS) == 0
    assert rows_in(bigquery_bench, Dataset.EVENTS) == 3


def test_an_empty_manifest_is_one_read_and_a_statement_too(bigquery_bench: Bench) -> None:
    warehouse, reads = bigquery_bench.warehouse(), []
    for number in range(30):
        put(warehouse, f"u{number}", number)
    get = bigquery_bench.documents.get

    def counting(*paths: str) -> Any:
        reads.append(paths)
        return get(*paths)

    bigquery_bench.documents.get = counting  # type: ignore[method-assign]
    assert len(warehouse.units(Dataset.EVENTS)) == 30
    latest(warehouse)
    assert [len(paths) for paths in reads] == [1, 1]


# --- left alone -------------------------------------------------------------------------------


def fails(call: Callable[[], object], times: int, error: type[Exception]) -> None:
    for _ in range(times):
        with pytest.raises(error):
            call()


def test_a_bigquery_that_fails_five_times_is_left_alone_and_probed_after_five_minutes(
    bigquery_bench: Bench,
) -> None:
    clock = ManualClock()
    bigquery_bench.now = clock
    warehouse = bigquery_bench.warehouse(QUICK)
    server = bigquery_bench.server
    server.fail(503, "backendError", times=10_000)
    fails(lambda: latest(warehouse), FAILURES, RetryLater)
    before = len(server.calls)
    # Another instance knows of it, and whatever it wants.
    other = bigquery_bench.warehouse(QUICK)
    with pytest.raises(RetryLater, match="left alone") as raised:
        other.estimate("latest_repository_names", {"repo_ids": [1]})
    assert raised.value.not_before == clock() + PAUSE
    fails(lambda: latest(warehouse), 1, RetryLater)
    assert len(server.calls) == before
    assert warehouse.units(Dataset.EVENTS) == ()
    clock.advance(PAUSE)
    fails(lambda: latest(warehouse), 1, RetryLater)
    assert len(server.calls) > before
    server.recover()
    clock.advance(PAUSE)
    assert latest(warehouse) == 0
    clock.advance(timedelta(seconds=6))
    assert latest(other) == 0


def test_refusals_are_no_reason_to_leave_bigquery_alone(bigquery_bench: Bench) -> None:
    """A budget, a spent quota, a missing table, a bad statement, a missing role: it works."""
    warehouse = bigquery_bench.warehouse(QUICK, unreserved_max_bytes=1 << 20)
    server = bigquery_bench.server
    put(warehouse, "a", 1)
    fails(lambda: latest(warehouse), FAILURES, BudgetRefused)
    for status, reason, error in (
        (403, "quotaExceeded", RetryLater),
        (403, "accessDenied", RetryLater),
        (403, "billingNotEnabled", Rejected),
        (404, "notFound", Rejected),
        (400, "invalidQuery", Rejected),
    ):
        server.fail(status, reason, times=FAILURES)
        fails(lambda: latest(warehouse), FAILURES, error)
    server.hold("latest_repository_names")
    allowed = Allowance("long", ENOUGH)
    for _ in range(FAILURES):
        with pytest.raises(RetryLater, match="still running"):
            warehouse.query("latest_repository_names", {"repo_ids": [1]}, allowance=allowed)
    server.release("latest_repository_names")
    found = warehouse.query("latest_repository_names", {"repo_ids": [1]}, allowance=allowed)
    assert found.num_rows == 1
