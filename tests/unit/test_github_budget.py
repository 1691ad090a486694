"""GitHub's allowance: shared by leased blocks, never overspent, and given out by priority."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from infra.local.documents import SqliteDocuments
from shared.allowances import Block, Told
from shared.errors import AllowanceWaits, RetryLater
from shared.jobs import Job, State
from shared.ports import Query, Queue
from shared.request_budget import STAGGER, RequestBudget, working_for
from tests.support.counted_documents import CountedDocuments
from tests.support.fast_folder import fast_folder
from tests.support.job_world import Outcome, World, done, raising
from tests.support.manual_clock import ManualClock

QUEUES: tuple[Queue, ...] = ("high", "default", "low", "bulk")


class Dead(RequestBudget):
    """A worker that ends before it gives anything back."""

    def give_back(self, path: str, block: Block) -> None:
        """Nothing happens any more."""


class Cut(RequestBudget):
    """A worker that does not reach the store at the end."""

    def give_back(self, path: str, block: Block) -> None:
        raise RetryLater("the store is gone")


class Shared:
    """One store, and workers that share an allowance of it."""

    def __init__(self, folder: Path, limit: int = 5000) -> None:
        self.clock = ManualClock()
        self.documents = SqliteDocuments(folder / "documents.sqlite")
        self.limit = limit

    def worker(
        self, credential: str = "one", of: type[RequestBudget] = RequestBudget
    ) -> RequestBudget:
        limits = {"core": self.limit, "graphql": self.limit}
        return of(self.documents, credential, limits, self.clock)

    def stored(self) -> list[dict[str, object]]:
        page = self.documents.query(Query("request_budgets"))
        return [dict(document.fields) for document in page.documents]

    def told(self, remaining: int, limit: int = 0, minutes: int = 60) -> Told:
        return Told(limit or self.limit, remaining, self.clock() + timedelta(minutes=minutes))


@pytest.fixture
def shared() -> Iterator[Shared]:
    with fast_folder() as folder:
        yield Shared(folder)


def ask(worker: RequestBudget, times: int = 1, cost: int = 1, told: Told | None = None) -> None:
    for _ in range(times):
        with worker.request():
            worker.spend("core")
            worker.answered("core", cost, told)


def allowed(worker: RequestBudget, queue: Queue = "high", most: int = 10_000) -> int:
    """How many requests a step may make before it has to wait."""
    with working_for(queue):
        for made in range(most):
            try:
                ask(worker)
            except AllowanceWaits:
                return made
    return most


def refusal(worker: RequestBudget, queue: Queue = "high") -> datetime:
    """When a step that may not ask now is to come back."""
    with working_for(queue), pytest.raises(AllowanceWaits) as caught:
        ask(worker)
    assert caught.value.not_before is not None
    return caught.value.not_before


# --- together ---------------------------------------------------------------------------------


def test_workers_at_once_spend_what_there_is_and_never_more(shared: Shared) -> None:
    shared.limit = 120
    made: list[int] = []

    def work() -> None:
        worker = shared.worker()
        made.extend(allowed(worker, most=7) for _ in range(40))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(made) == 120
    assert refusal(shared.worker()) == shared.clock() + timedelta(hours=1)


def test_a_step_takes_one_block_and_gives_back_what_it_has_not_spent(shared: Shared) -> None:
    with working_for("default"):
        ask(shared.worker(), 3)
        (state,) = shared.stored()
        assert (state["remaining"], state["held"]) == (4950, 50)
    (state,) = shared.stored()
    assert (state["remaining"], state["held"]) == (4997, 0)


def test_a_request_outside_any_step_is_paid_by_itself(shared: Shared) -> None:
    ask(shared.worker(), 2)
    (state,) = shared.stored()
    assert (state["remaining"], state["held"]) == (4998, 0)


def test_what_a_dead_worker_held_is_gone_until_the_renewal(shared: Shared) -> None:
    shared.limit = 100
    assert allowed(shared.worker(of=Dead), most=1) == 1
    assert allowed(shared.worker()) == 95
    shared.clock.advance(timedelta(hours=1))
    assert allowed(shared.worker()) == 100


def test_a_step_is_done_although_its_block_cannot_be_given_back(shared: Shared) -> None:
    with capture_logs() as logged:
        assert allowed(shared.worker(of=Cut), most=1) == 1
    assert [(entry["event"], entry["left"]) for entry in logged] == [("request_block_lost", 49)]


def test_small_allowances_are_leased_in_small_blocks(shared: Shared) -> None:
    shared.limit = 60
    with working_for("high"):
        ask(shared.worker())
        assert shared.stored()[0]["held"] == 3


def test_every_credential_and_resource_has_an_allowance_of_its_own(shared: Shared) -> None:
    shared.limit = 20
    secret = "ghp_" + "s" * 36
    assert allowed(shared.worker(secret)) == 20
    assert allowed(shared.worker("another")) == 20
    worker = shared.worker(secret)
    with worker.request():
        worker.spend("graphql")
    paths = [d.path for d in shared.documents.query(Query("request_budgets")).documents]
    assert len(paths) == 3
    assert secret not in repr(paths) + repr(shared.stored())


def test_a_step_of_forty_requests_costs_forty_two_reads_and_two_writes(shared: Shared) -> None:
    counted = CountedDocuments(shared.documents)
    worker = RequestBudget(counted, "one", {"core": 5000}, shared.clock)
    with working_for("default"):
        ask(worker, 40)
    assert (counted.done.reads, counted.done.writes) == (42, 2)


# --- what GitHub says ---------------------------------------------------------------------------


def test_what_others_spend_with_the_same_token_is_believed(shared: Shared) -> None:
    with working_for("high"):
        ask(shared.worker(), told=shared.told(remaining=100))
    assert allowed(shared.worker()) == 100


def test_what_others_hold_is_not_free_whatever_github_says_is_left(shared: Shared) -> None:
    other = shared.worker()
    with working_for("high"):
        ask(other)  # holds 49 more
        with working_for("high"):
            ask(shared.worker(), told=shared.told(remaining=109))
        assert shared.stored()[0]["remaining"] == 109 - 50


def test_a_larger_allowance_than_expected_is_used(shared: Shared) -> None:
    with working_for("high"):
        ask(shared.worker(), told=shared.told(remaining=14_999, limit=15_000))
    assert shared.stored()[0]["remaining"] == 14_999
    shared.clock.advance(timedelta(hours=1))
    assert allowed(shared.worker(), most=15_001) == 15_000


def test_a_worker_stops_where_github_says_that_nothing_is_left(shared: Shared) -> None:
    worker = shared.worker()
    told = shared.told(remaining=0, minutes=7)
    with working_for("high"):
        ask(worker, told=told)
        with pytest.raises(AllowanceWaits) as caught:
            ask(worker)
    assert caught.value.not_before == told.resets_at
    shared.clock.now = told.resets_at
    assert allowed(worker, most=10) == 10


def test_a_renewal_that_nobody_expected_is_believed_too(shared: Shared) -> None:
    with working_for("high"):
        ask(shared.worker(), told=shared.told(remaining=60, minutes=20))
    shared.clock.advance(timedelta(minutes=5))
    with working_for("high"):
        ask(shared.worker(), told=shared.told(remaining=4999, minutes=60))
    assert shared.stored()[0]["remaining"] == 4999


def test_costs_beyond_one_are_paid_by_the_next_block(shared: Shared) -> None:
    worker = shared.worker()
    with working_for("high"):
        ask(worker, cost=60)
        ask(worker)
    assert shared.stored()[0]["remaining"] == 5000 - 61


def test_what_cost_nothing_is_not_paid(shared: Shared) -> None:
    ask(shared.worker(), 3, cost=0)
    assert shared.stored()[0]["remaining"] == 5000


# --- waiting ------------------------------------------------------------------------------------


def test_a_pause_stops_everybody_at_once_also_who_holds_a_block(shared: Shared) -> None:
    until = shared.clock() + timedelta(minutes=3)
    worker, other = shared.worker(), shared.worker()
    with working_for("high"):
        ask(worker)
        with other.request():
            raised = other.asked_to_slow_down(until)
        assert raised.not_before == until
        for resource in ("core", "graphql"):
            with worker.request(), pytest.raises(AllowanceWaits):
                worker.spend(resource)
        shared.clock.now = until
        ask(worker)


def test_a_pause_without_an_end_is_a_minute_and_twice_that_the_next_time(shared: Shared) -> None:
    worker, waits = shared.worker(), []
    for _ in range(6):
        with worker.request():
            until = worker.asked_to_slow_down(None).not_before
        assert until is not None
        waits.append((until - shared.clock()).total_seconds() / 60)
        shared.clock.now = until
    assert waits == [1, 2, 4, 8, 15, 15]


def test_a_shorter_pause_never_ends_a_longer_one(shared: Shared) -> None:
    long = shared.clock() + timedelta(minutes=9)
    worker = shared.worker()
    with worker.request():
        worker.asked_to_slow_down(long)
        assert worker.asked_to_slow_down(None).not_before == long


def test_a_used_up_resource_leaves_the_other_alone(shared: Shared) -> None:
    worker, until = shared.worker(), shared.clock() + timedelta(minutes=30)
    with worker.request():
        worker.used_up("graphql", until)
        worker.spend("core")
        with pytest.raises(AllowanceWaits):
            worker.spend("graphql")
    shared.clock.now = until
    with worker.request():
        worker.spend("graphql")


def test_the_last_tenth_is_for_what_people_ask_for(shared: Shared) -> None:
    shared.limit = 100
    assert [allowed(shared.worker(), queue) for queue in ("bulk", "default", "low")] == [90, 0, 0]
    assert allowed(shared.worker(), "high") == 10


def test_who_waits_comes_back_in_the_order_of_the_queues(shared: Shared) -> None:
    worker, until = shared.worker(), shared.clock() + timedelta(minutes=1)
    with worker.request():
        worker.asked_to_slow_down(until)
    times = [refusal(worker, queue) for queue in QUEUES]
    assert times == [until + STAGGER[queue] for queue in QUEUES]
    assert sorted(set(times)) == times


def test_a_job_that_waits_for_github_has_not_failed_and_comes_back_on_time(world: World) -> None:
    job = world.job()
    for _ in range(5):
        renewal = world.clock() + timedelta(minutes=30)
        world.run(job, raising(AllowanceWaits("used up", not_before=renewal)))
        now = world.now(job)
        assert (now.state, now.failures) == (State.QUEUED, 0)
        assert world.last_task().not_before == renewal
        world.clock.now = renewal
    world.run(job, done)
    assert world.now(job).state is State.COMPLETED


def test_the_requests_of_a_step_are_made_for_its_jobs_queue(world: World) -> None:
    worker = RequestBudget(world.services.documents, "one", {"core": 100}, world.clock)
    job = world.job()
    seen: list[object] = []

    def step(_: Job) -> Outcome:
        with worker.request():
            worker.spend("core")
        page = world.services.documents.query(Query("request_budgets"))
        seen.append(page.documents[0].fields["held"])
        while True:
            ask(worker)

    world.run(job, step)
    waits = world.now(job)
    assert seen == [5]
    assert (waits.state, waits.queue) == (State.QUEUED, "high")
    page = world.services.documents.query(Query("request_budgets"))
    assert (page.documents[0].fields["remaining"], page.documents[0].fields["held"]) == (0, 0)
