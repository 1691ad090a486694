"""Lost workers, repeated deliveries and places for few, without waiting."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from shared import global_requests, job_steps, jobs
from shared.errors import (
    NotFound,
    RetryLater,
)
from shared.job_steps import Step
from shared.jobs import Job, RepositoryStatus, State
from shared.models import parse_time
from tests.support.job_world import Killed, Outcome, World, done, goes_on, raising

LEASE = timedelta(seconds=330)

# --- lost workers and lost tasks ----------------------------------------------------------------


def test_a_lost_worker_is_noticed_after_its_lease_and_not_before(world: World) -> None:
    job = world.job()
    with pytest.raises(Killed):
        world.run(job, raising(Killed()))
    assert world.now(job).state is State.RUNNING
    world.clock.advance(LEASE)
    assert job_steps.sweep(world.services) == 0
    world.clock.advance(timedelta(seconds=1))
    assert job_steps.sweep(world.services) == 1
    assert job_steps.sweep(world.services) == 0
    assert world.last_task().name == world.now(job).task_name
    world.run(job, done)
    assert world.now(job).state is State.COMPLETED


def test_a_step_that_kills_its_worker_every_time_fails_after_the_last_attempt(
    world: World,
) -> None:
    job = world.job()
    for attempt in range(4):
        with pytest.raises(Killed):
            world.run(job, raising(Killed()))
        assert world.now(job).failures == attempt
        world.clock.advance(2 * LEASE)
        assert job_steps.sweep(world.services) == 1
    failed = world.now(job)
    assert failed.state is State.FAILED
    assert failed.error is not None
    assert failed.error.code == "worker_lost"
    assert world.dead_letters() == {job.id: "worker_lost"}
    assert world.repository().status is RepositoryStatus.ERROR
    assert world.places() == set()


def test_progress_renews_the_lease(world: World) -> None:
    job = world.job()

    def slow(running: Job) -> Outcome:
        for part in range(4):
            world.clock.advance(timedelta(seconds=300))
            job_steps.report(world.services, running, part, 4, "under way")
            assert job_steps.sweep(world.services) == 0
            assert world.places() == {job.id}
        return done(running)

    world.run(job, slow)
    assert world.now(job).state is State.COMPLETED


def _queued(world: World, job: Job) -> None:
    assert world.now(job).state is State.QUEUED


def _retrying(world: World, job: Job) -> None:
    world.run(job, raising(RetryLater("busy")))


def _between_stages(world: World, job: Job) -> None:
    world.run(job, goes_on)


def _waiting_for_a_place(world: World, job: Job) -> None:
    for number in range(3):
        with pytest.raises(Killed):
            world.run(world.job(f"octo/other-{number}"), raising(Killed()))
    world.run(job, done)


@pytest.mark.parametrize("reach", [_queued, _retrying, _between_stages, _waiting_for_a_place])
def test_a_job_whose_task_was_lost_is_dispatched_anew_and_no_attempt_is_held_against_it(
    world: World, reach: Callable[[World, Job], None]
) -> None:
    job = world.job()
    reach(world, job)
    before = world.now(job)
    lost = {task.name for task in world.queue.tasks}
    assert job_steps.sweep(world.services) == 0
    world.clock.advance(parse_time(before.due_at) - world.clock() + timedelta(seconds=1))
    job_steps.sweep(world.services)
    swept = world.now(job)
    assert swept.failures == before.failures
    assert swept.task_name not in lost
    assert swept.task_name in {task.name for task in world.queue.tasks}


# --- deliveries that have nothing to do ---------------------------------------------------------


def test_a_repeat_of_a_delivery_in_progress_does_nothing(world: World) -> None:
    job = world.job()
    calls = []

    def step(running: Job) -> Outcome:
        calls.append(running)
        assert job_steps.run(world.services, job.id, 0, f"{job.task_name}#0", step) is None
        return done(running)

    assert world.run(job, step) is not None
    assert len(calls) == 1
    assert world.now(job).state is State.COMPLETED


def test_a_second_attempt_takes_over_and_the_first_finds_itself_too_late(world: World) -> None:
    job = world.job()

    def slow(_: Job) -> Outcome:
        assert job_steps.run(world.services, job.id, 0, f"{job.task_name}#1", done) is not None
        return None, {"answer": "stale"}

    assert world.run(job, slow) is None
    assert world.now(job).result == {"answer": 42}


def test_a_late_failure_changes_nothing(world: World) -> None:
    job = world.job()

    def slow(_: Job) -> Outcome:
        job_steps.run(world.services, job.id, 0, f"{job.task_name}#1", done)
        raise NotFound("too late")

    assert world.run(job, slow) is None
    assert world.now(job).state is State.COMPLETED
    assert world.dead_letters() == {}


def test_a_late_delivery_of_an_old_dispatch_does_nothing(world: World) -> None:
    job = world.job()
    world.run(job, raising(RetryLater("busy")))
    before = world.now(job)
    assert job_steps.run(world.services, job.id, 0, "late#0", raising(Killed())) is None
    assert world.now(job) == before


def test_a_delivery_of_an_ended_or_unknown_job_does_nothing(world: World) -> None:
    job = world.job()
    world.run(job, done)
    assert world.run(job, raising(Killed()), retry=1) is None
    assert job_steps.run(world.services, "nobody", 0, "x#0", raising(Killed())) is None


# --- places -------------------------------------------------------------------------------------


def test_three_scrapes_run_at_once_and_the_fourth_waits_its_turn(world: World) -> None:
    four = [world.job(f"octo/repo-{number}") for number in range(4)]

    def nested(number: int) -> Step:
        def step(running: Job) -> Outcome:
            if number < 3:
                ran = world.run(four[number + 1], nested(number + 1))
                assert (ran is None) == (number == 2)
            return done(running)

        return step

    world.run(four[0], nested(0))
    assert [world.now(job).state for job in four] == [State.COMPLETED] * 3 + [State.QUEUED]
    assert world.last_task().name == world.now(four[3]).task_name
    assert world.seconds_until_it() == 5
    assert world.now(four[3]).failures == 0
    world.run(four[3], done)
    assert world.now(four[3]).state is State.COMPLETED


def test_the_global_boards_are_made_by_one_job_at_a_time(world: World) -> None:
    first = global_requests.request_global(world.services)

    def slow(running: Job) -> Outcome:
        second = global_requests.request_global(world.services)
        assert second.id != first.id
        assert world.run(second, raising(Killed())) is None
        assert global_requests.request_global(world.services).id == second.id
        return done(running)

    world.run(first, slow)
    second = jobs.get(world.services, str(world.last_task().body["job_id"]))
    assert second.id != first.id
    world.run(second, done)
    assert world.now(second).state is State.COMPLETED
    assert world.places() == set()


def test_requests_for_the_global_boards_share_the_job_that_waits(world: World) -> None:
    first = global_requests.request_global(world.services)
    assert global_requests.request_global(world.services).id == first.id
    assert len(world.queue.tasks) == 1


def _completes(world: World, job: Job) -> None:
    world.run(job, done)


def _goes_on(world: World, job: Job) -> None:
    world.run(job, goes_on)


def _is_retried(world: World, job: Job) -> None:
    world.run(job, raising(RetryLater("busy")))


def _fails(world: World, job: Job) -> None:
    world.run(job, raising(NotFound("gone")))


def _dies(world: World, job: Job) -> None:
    with pytest.raises(Killed):
        world.run(job, raising(Killed()))
    assert world.places() == {job.id}
    world.clock.advance(2 * LEASE)
    job_steps.sweep(world.services)


def _is_cancelled(world: World, job: Job) -> None:
    def step(running: Job) -> Outcome:
        world.cancel(job)
        return done(running)

    world.run(job, step)


def _is_cancelled_and_fails(world: World, job: Job) -> None:
    def step(_: Job) -> Outcome:
        world.cancel(job)
        raise RetryLater("busy")

    world.run(job, step)


@pytest.mark.parametrize(
    "end",
    [
        _completes,
        _goes_on,
        _is_retried,
        _fails,
        _dies,
        _is_cancelled,
        _is_cancelled_and_fails,
    ],
)
def test_the_place_is_given_back_however_a_step_ends(
    world: World, end: Callable[[World, Job], None]
) -> None:
    end(world, world.job())
    assert world.places() == set()
