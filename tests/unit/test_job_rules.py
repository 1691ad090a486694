"""How jobs fail, are tried again and end, without waiting."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from shared import job_steps, job_waits, jobs, repositories
from shared.context import SYSTEM
from shared.errors import (
    BudgetRefused,
    BudgetWaits,
    Conflict,
    Forbidden,
    IntegrityError,
    LeaderboardError,
    NotFound,
    Rejected,
    RetryLater,
)
from shared.jobs import Job, JobType, RepositoryStatus, Stage, State
from shared.models import RepositoryName, iso
from tests.support.job_world import Killed, Outcome, World, done, goes_on, raising

# --- failures ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jitter", "waits"),
    [(0.0, [60, 120, 240]), (0.5, [63, 126, 252]), (0.99, [65.94, 131.88, 263.76])],
)
def test_what_may_pass_is_tried_again_after_60_120_and_240_seconds_and_a_little(
    world: World, jitter: float, waits: list[float]
) -> None:
    world.services = replace(world.services, jitter=lambda: jitter)
    job = world.job()
    found = []
    for _ in waits:
        world.run(job, raising(RetryLater("busy")))
        assert world.now(job).state is State.RETRYING
        assert world.last_task().name == world.now(job).task_name
        found.append(world.seconds_until_it())
        world.clock.advance(timedelta(seconds=found[-1]))
    assert found == pytest.approx(waits)

    world.run(job, raising(RetryLater("busy")))
    assert world.now(job).state is State.FAILED
    assert world.now(job).failures == 4
    assert world.dead_letters() == {job.id: "temporarily_unavailable"}


def test_a_retry_comes_no_sooner_than_the_failure_says(world: World) -> None:
    job = world.job()
    renewal = world.clock() + timedelta(hours=5)
    world.run(job, raising(RetryLater("the day's budget is spent", not_before=renewal)))
    assert world.last_task().not_before == renewal
    world.clock.advance(timedelta(hours=4))
    assert job_steps.sweep(world.services) == 0


@pytest.mark.parametrize(
    "error",
    [
        Rejected("no"),
        NotFound("no"),
        Forbidden("no"),
        BudgetRefused("dearer than the limit"),
        IntegrityError("contradiction"),
    ],
)
def test_what_cannot_pass_fails_at_once(world: World, error: LeaderboardError) -> None:
    job = world.job()
    before = len(world.queue.tasks)
    world.run(job, raising(error))
    failed = world.now(job)
    assert failed.state is State.FAILED
    assert failed.error is not None
    assert (failed.error.code, failed.error.message) == (error.code, error.message)
    assert failed.error.severity == error.severity
    assert failed.finished_at == iso(world.clock())
    assert world.dead_letters() == {job.id: error.code}
    assert len(world.queue.tasks) == before


def test_a_lost_race_is_tried_again(world: World) -> None:
    job = world.job()
    world.run(job, raising(Conflict("changed meanwhile")))
    assert world.now(job).state is State.RETRYING


def test_an_unknown_error_is_tried_again_and_its_trace_is_logged_not_shown(world: World) -> None:
    job = world.job()
    with capture_logs() as logged:
        world.run(job, raising(ZeroDivisionError("secret detail")))
    retrying = world.now(job)
    assert retrying.state is State.RETRYING
    assert retrying.error is not None
    assert retrying.error.code == "unexpected_error"
    assert "secret" not in retrying.model_dump_json()
    (line,) = [line for line in logged if line["event"] == "scrape_retrying"]
    assert line["log_level"] == "error"
    assert line["exc_info"]


def test_a_job_that_comes_through_after_failures_forgets_its_error(world: World) -> None:
    job = world.job()
    world.run(job, raising(RetryLater("busy")))
    world.run(job, done)
    completed = world.now(job)
    assert completed.state is State.COMPLETED
    assert completed.error is None
    assert completed.result == {"answer": 42}


def test_each_stage_has_attempts_of_its_own(world: World) -> None:
    job = world.job()
    for _ in range(3):
        world.run(job, raising(RetryLater("busy")))
    world.run(job, goes_on)
    for _ in range(3):
        world.run(job, raising(RetryLater("busy")))
        assert world.now(job).state is State.RETRYING


# --- endings ------------------------------------------------------------------------------------


def test_a_cancelled_job_is_left_alone(world: World) -> None:
    job = world.job()
    world.cancel(job)
    before = world.now(job)
    assert world.run(job, raising(Killed())) is None
    world.clock.advance(timedelta(days=2))
    assert job_steps.sweep(world.services) == 0
    assert world.now(job) == before


def test_a_job_cancelled_while_it_runs_stays_cancelled(world: World) -> None:
    job = world.job()

    def step(running: Job) -> Outcome:
        world.cancel(job)
        return done(running)

    world.run(job, step)
    assert world.now(job).state is State.CANCELLED
    assert world.now(job).result == {}


def test_a_failed_scrape_sets_error_and_a_new_one_that_works_heals_it(world: World) -> None:
    world.run(world.job(), raising(NotFound("no such repository")))
    broken = world.repository()
    assert broken.status is RepositoryStatus.ERROR
    assert broken.error_message == "no such repository"
    assert broken.active_job is None

    again, new = repositories.request_scrape(
        world.services, RepositoryName.parse("octo/engine"), SYSTEM, full=False
    )
    assert new
    world.run(again, done)
    healed = world.repository()
    assert healed.status is RepositoryStatus.COMPLETED
    assert healed.error_message is None


def test_a_job_without_a_repository_leaves_repositories_alone(world: World) -> None:
    job = world.job()
    other = jobs.new(world.services, SYSTEM, JobType.RECALCULATE_GLOBAL, Stage.GLOBAL, "default")
    world.services.documents.write([jobs.stored(other)])
    world.run(other, raising(NotFound("no")))
    assert world.repository().status is RepositoryStatus.PENDING
    assert world.repository().active_job == job.id


def test_at_the_start_of_a_system_what_was_under_way_is_dispatched_at_once(world: World) -> None:
    job = world.job()
    with pytest.raises(Killed):
        world.run(job, raising(Killed()))
    assert job_steps.settle_lost(world.services) == 1
    world.run(job, done)
    assert world.now(job).state is State.COMPLETED


# --- waiting for the budget -----------------------------------------------------------------------


def test_what_waits_for_the_budget_has_not_failed_however_often(world: World) -> None:
    job = world.job()
    for _ in range(5):
        renewal = world.clock() + timedelta(hours=12)
        waits = BudgetWaits("the day's budget is spent", not_before=renewal)
        world.run(job, raising(waits))
        now = world.now(job)
        assert (now.state, now.failures) == (State.QUEUED, 0)
        assert now.waits_for_budget
        assert now.waits_until == iso(renewal)
        assert now.progress.message == f"waits for budget until {renewal:%Y-%m-%d %H:%M} UTC"
        assert (world.last_task().name, world.last_task().not_before) == (now.task_name, renewal)
        assert world.places() == set()
        assert job_steps.sweep(world.services) == 0
        world.clock.advance(timedelta(hours=12))
        assert job_steps.sweep(world.services) == 0
    assert world.dead_letters() == {}
    world.run(job, done)
    completed = world.now(job)
    assert (completed.state, completed.error) == (State.COMPLETED, None)
    assert completed.waits_until is None


def test_what_waits_for_next_month_has_a_task_that_can_be_postponed_so_far(world: World) -> None:
    job = world.job()
    renewal = world.clock() + timedelta(days=31)
    world.run(job, raising(BudgetWaits("the month's budget is spent", not_before=renewal)))
    assert world.seconds_until_it() == timedelta(days=29).total_seconds()
    assert world.now(job).waits_until == iso(renewal)


def test_a_lost_task_of_a_job_that_waited_is_made_up_by_the_sweep(world: World) -> None:
    job = world.job()
    renewal = world.clock() + timedelta(hours=1)
    world.run(job, raising(BudgetWaits("spent", not_before=renewal)))
    world.clock.now = renewal + timedelta(seconds=61)
    assert job_steps.sweep(world.services) == 1
    assert world.now(job).failures == 0
    assert world.last_task().name == world.now(job).task_name


def test_jobs_that_wait_for_the_budget_go_on_when_it_grows(world: World) -> None:
    job = world.job()
    renewal = world.clock() + timedelta(hours=12)
    world.run(job, raising(BudgetWaits("spent", not_before=renewal)))
    other = world.job("octo/wheels")
    assert job_waits.wake(world.services) == 1
    world.clock.advance(timedelta(seconds=1))
    assert job_steps.sweep(world.services) == 1
    assert world.now(other).dispatches == 0
    world.run(job, done)
    assert world.now(job).state is State.COMPLETED


def test_a_job_cancelled_while_it_waits_for_the_budget_gives_its_place_back(world: World) -> None:
    job = world.job()

    def step(running: Job) -> Outcome:
        world.cancel(job)
        raise BudgetWaits("spent", not_before=world.clock() + timedelta(hours=1))

    assert world.run(job, step) is None
    assert world.now(job).state is State.CANCELLED
    assert world.places() == set()
