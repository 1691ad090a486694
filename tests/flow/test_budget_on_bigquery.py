"""The budget before BigQuery: what is billed there is what the books say, whoever dies when."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from infra.gcp.bigquery_client import Patience
from infra.services import new_id
from shared.budget import GRACE, Budget
from shared.budget_books import Charge, day_name, period
from shared.errors import BudgetWaits, RetryLater
from shared.limits import price_of
from shared.metering import Meter, MeteredWarehouse
from shared.ports import Allowance, Query
from shared.settings import Settings
from tests.support.bigquery_bench import QUICK, Bench
from tests.support.manual_clock import ManualClock

STATEMENT = "find_repositories"
PARAMETERS = {"names": ["octo/engine"]}
PRICE = Decimal(1000)


class World:
    """A budget for five runs of a statement, in the same time as the server."""

    def __init__(self, bench: Bench) -> None:
        self.clock = ManualClock(datetime.now(UTC).replace(hour=12))
        self.bench = replace(bench, now=self.clock)
        self.bare = self.bench.warehouse(QUICK)
        self.size = self.bare.estimate(STATEMENT, PARAMETERS)
        one = Decimal(price_of(self.size, int(PRICE * 1_000_000))).scaleb(-6)
        self.settings = Settings(price_per_tib_usd=PRICE, budget_daily_usd=5 * one)

    def metered(self, patience: Patience | None = QUICK) -> MeteredWarehouse:
        """As a process of its own has it."""
        return MeteredWarehouse(self.bench.warehouse(patience), self.budget(), new_id)

    def budget(self) -> Budget:
        return Budget(self.bench.documents, self.settings, self.clock)

    def check_the_books(self) -> None:
        """They are the bills of BigQuery, to the byte, and nothing is set aside any more."""
        billed = [job.bytes_billed for job in self.bench.server.ran(STATEMENT)]
        name = day_name(self.clock())
        day = period(self.bench.documents.get(f"budget_days/{name}")[0], name)
        money = sum(price_of(size, int(PRICE * 1_000_000)) for size in billed)
        assert (day.spent, day.reserved) == (money, 0)
        (summed,) = self.bench.documents.get(f"cost_days/{name}")
        assert summed is not None
        assert summed.fields["bytes_billed"] == sum(billed)


@pytest.fixture
def world(bigquery_bench: Bench) -> World:
    return World(bigquery_bench)


def test_fifty_at_once_are_never_billed_more_than_the_budget(world: World) -> None:
    outcomes: list[object] = []
    start = threading.Barrier(50)

    def work() -> None:
        warehouse = world.metered(None)  # so many at once have to wait for the server
        start.wait()
        try:
            outcomes.append(warehouse.query(STATEMENT, PARAMETERS).num_rows)
        except BudgetWaits as error:
            outcomes.append(error.not_before)

    threads = [threading.Thread(target=work) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    midnight = (world.clock() + timedelta(days=1)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    assert outcomes.count(0) == 5
    assert outcomes.count(midnight) == 45
    assert sum(job.bytes_billed for job in world.bench.server.ran(STATEMENT)) == 5 * world.size
    caps = {
        job.configuration["query"].get("maximumBytesBilled")
        for job in world.bench.server.ran(STATEMENT)
    }
    assert caps == {str(world.size)}
    world.check_the_books()


def test_a_dead_workers_job_goes_on_billing_and_is_settled_by_asking(world: World) -> None:
    server, meter = world.bench.server, Meter(world.budget(), world.bare.usage)
    server.hold(STATEMENT)

    def work(allowance: Allowance) -> int:
        return len(world.bare.query(STATEMENT, PARAMETERS, allowance=allowance))

    with pytest.raises(RetryLater):
        meter.run(Charge("held", world.size, STATEMENT), work)
    world.clock.advance(GRACE)
    assert world.budget().sweep(world.bare.usage).running == 1
    server.release(STATEMENT)
    assert world.budget().sweep(world.bare.usage).settled == 1
    world.check_the_books()
    # A repeat under the same id meets that run, and is not billed again.
    assert meter.run(Charge("held", world.size, STATEMENT), work) == 0
    assert len(server.ran(STATEMENT)) == 1
    world.check_the_books()


@pytest.mark.parametrize("path", ["/jobs", "/queries"])
@pytest.mark.parametrize("times", [1, 3, 50])
def test_lost_answers_leave_the_books_right(world: World, path: str, times: int) -> None:
    warehouse = world.metered()
    world.bench.server.lose_answers(path=path, times=times)
    for _ in range(3):
        try:
            warehouse.query(STATEMENT, PARAMETERS)
        except RetryLater:
            continue
    world.bench.server.recover()
    world.clock.advance(GRACE)
    world.budget().sweep(world.bare.usage)
    if world.bench.server.ran(STATEMENT):
        world.check_the_books()
    open_ = Query("charges", order_by="open_since")
    assert world.bench.documents.query(open_).documents == ()


def test_jobs_that_fail_are_settled_by_what_they_were_billed(world: World) -> None:
    world.bench.server.fail_jobs(STATEMENT, "backendError")
    with pytest.raises(RetryLater):
        world.metered().query(STATEMENT, PARAMETERS)
    world.metered().query(STATEMENT, PARAMETERS)
    world.check_the_books()
