"""Fifty jobs and a budget for five: from the first task to the last, over days, with kills."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import functions_framework
import pytest
from structlog.testing import capture_logs

from functions import edge
from shared import costs, job_steps, jobs
from shared.budget import GRACE, Budget
from shared.budget_books import day_name
from shared.context import Services
from shared.jobs import Job, State
from shared.limits import TIB
from shared.metering import MeteredWarehouse
from shared.tables import Dataset
from tests.support.billed_warehouse import BilledWarehouse
from tests.support.by_hand import HandQueue, by_hand
from tests.support.job_world import Killed, Outcome
from tests.support.job_world import World as JobWorld
from tests.support.manual_clock import ManualClock
from tests.support.scenario import everything, open_services, unfinished

MAIN = Path(__file__).parents[2] / "main.py"
JOBS = 50


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def bare(clock: ManualClock) -> BilledWarehouse:
    return BilledWarehouse(clock, TIB)


@pytest.fixture
def world(tmp_path: Path, clock: ManualClock, bare: BilledWarehouse) -> JobWorld:
    """Jobs whose one statement costs 1 USD, and 5 USD a day."""
    settings = {"price_per_tib_usd": Decimal(1), "max_concurrent_scrapes": JOBS}
    services, queue = by_hand(open_services(tmp_path, clock, **settings))
    metered = MeteredWarehouse(bare, services.budget, services.new_id)
    return JobWorld(replace(services, warehouse=metered), clock, queue)


def step_of(services: Services) -> Callable[[Job], Outcome]:
    def step(_: Job) -> Outcome:
        return None, {"rows": services.warehouse.query("scan", {}).num_rows}

    return step


def states(world: JobWorld) -> dict[State, int]:
    found: dict[State, int] = {}
    for document in everything(world.services, "jobs"):
        job = jobs.read(document)
        found[job.state] = found.get(job.state, 0) + 1
    return found


def deliver_due(world: JobWorld) -> None:
    """All tasks that are due at once, each on a thread of its own."""
    due = [
        handed
        for handed in world.queue.take()
        if handed.task is not None and is_due(world.queue, handed, world.clock)
    ]

    def deliver(handed: Any) -> None:
        body = handed.task.body
        job_steps.run(
            world.services, body["job_id"], body["dispatch"], handed.task.name,
            step_of(world.services),
        )  # fmt: skip

    threads = [threading.Thread(target=deliver, args=(handed,)) for handed in due]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)


def is_due(queue: HandQueue, handed: Any, clock: ManualClock) -> bool:
    if handed.task.not_before is None or handed.task.not_before <= clock():
        return True
    queue.postponed.append(handed)
    return False


def test_fifty_at_once_go_through_five_a_day_and_never_one_more(
    world: JobWorld, bare: BilledWarehouse
) -> None:
    for number in range(JOBS):
        world.job(f"octo/r{number:02}")
    for day in range(1, 11):
        deliver_due(world)
        assert bare.billed == 5 * day * TIB
        expected = {State.COMPLETED: 5 * day, State.QUEUED: JOBS - 5 * day}
        assert states(world) == {state: count for state, count in expected.items() if count}
        for document in everything(world.services, "jobs"):
            job = jobs.read(document)
            if not job.ended:
                midnight = f"{day_name(world.clock() + timedelta(days=1))}T00:00:00.000000Z"
                assert (job.waits_until, job.failures) == (midnight, 0)
        assert job_steps.sweep(world.services) == 0
        world.clock.now = world.clock().replace(hour=0, minute=0) + timedelta(days=1)
    assert world.dead_letters() == {}
    assert unfinished(world.services) == []
    total = costs.since(world.services, "2025-03-01")
    assert total.total.micro_usd == 50_000_000
    assert set(total.by_repository) == {f"octo/r{number:02}" for number in range(JOBS)}
    assert {sums.micro_usd for sums in total.by_repository.values()} == {1_000_000}


@pytest.mark.parametrize("moment", ["reserved", "billed", "settled"])
def test_workers_killed_at_their_worst_moment_cost_no_more_than_was_billed(
    world: JobWorld, bare: BilledWarehouse, moment: str
) -> None:
    """Their jobs are repeated; what the dead had reserved is settled by asking the warehouse."""

    class Doomed(BilledWarehouse):
        def query(self, *arguments: Any, **named: Any) -> Any:
            if moment == "reserved":
                raise Killed
            found = bare.query(*arguments, **named)
            if moment == "billed":
                raise Killed
            return found

    doomed = Doomed(world.clock, TIB)
    doomed.runs = bare.runs
    services = world.services
    dying = replace(services, warehouse=MeteredWarehouse(doomed, services.budget, services.new_id))
    job = world.job()

    def step(running: Job) -> Outcome:
        step_of(dying)(running)
        raise Killed

    with pytest.raises(Killed):
        world.run(job, step)
    spent_by_the_dead = bare.billed
    world.clock.advance(max(GRACE, timedelta(seconds=331)) + timedelta(seconds=1))
    assert job_steps.sweep(services) == 1
    swept = costs.sweep(services)
    assert swept.settled + swept.released == (0 if moment == "settled" else 1)
    world.run(job, step_of(services))
    assert world.now(job).state is State.COMPLETED
    assert bare.billed == spent_by_the_dead + TIB
    status = services.budget.status()
    assert (status.day.spent, status.day.reserved) == (bare.billed // TIB * 1_000_000, 0)


def test_the_deployed_functions_sweep_and_report(
    world: JobWorld, bare: BilledWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = world.services
    monkeypatch.setattr(edge, "services", lambda: services)
    create: Callable[..., Any] = functions_framework.create_app
    step_of(services)(world.job())
    world.clock.advance(timedelta(days=1))
    with capture_logs() as logged:
        for name in ("sweep_jobs", "report_budget"):
            app = create(name, str(MAIN), "http")
            assert app.test_client().post("/", json={}).status_code == 204
    (line,) = [each for each in logged if each["event"] == "budget_report"]
    assert line["yesterday_usd"] == "1.000000"
    assert bare.loaded[Dataset.COSTS, line["yesterday"]].num_rows == 1
    assert isinstance(services.budget, Budget)
