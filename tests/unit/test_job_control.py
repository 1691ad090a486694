"""Cancelling and retrying jobs, and settling dead letters."""

from __future__ import annotations

import pytest

from shared import dead_letters, global_requests, job_control, job_steps, jobs, repositories
from shared.context import SYSTEM, Caller
from shared.dead_letters import DeadLetter
from shared.errors import Conflict, NotFound, Rejected
from shared.jobs import Job, RepositoryStatus, State
from shared.messages import CHANGED
from shared.models import RepositoryName
from shared.ports import Write
from tests.support.job_world import World, done, raising
from tests.support.scenario import everything

OWNER = Caller(actor="key:owner", actor_type="admin")


def failed(world: World) -> Job:
    """A job that failed for good."""
    job = world.job()
    world.run(job, raising(Rejected("no")))
    return job


def open_letters(world: World) -> list[DeadLetter]:
    return list(map(dead_letters.read, dead_letters.open_letters(world.services).documents))


def audited(world: World) -> list[object]:
    return [d.fields["action"] for d in everything(world.services, "audit")]


def test_a_cancelled_job_is_ended_and_lets_its_repository_go(world: World) -> None:
    job = world.job()
    cancelled = job_control.cancel(world.services, OWNER, job.id)
    assert cancelled.state is State.CANCELLED
    assert cancelled.finished_at is not None
    assert world.repository().active_job is None
    assert world.repository().status is RepositoryStatus.PENDING
    assert world.run(job, done) is None
    assert world.now(job).state is State.CANCELLED
    assert "job.cancelled" in audited(world)


def test_a_worker_that_is_at_a_cancelled_job_has_no_effect(world: World) -> None:
    job = world.job()

    def cancelled_meanwhile(running: Job) -> tuple[None, dict[str, object]]:
        job_control.cancel(world.services, OWNER, running.id)
        job_steps.report(world.services, running, 1, 2, "goes on")
        return None, {"answer": 42}

    assert world.run(job, cancelled_meanwhile) is None  # type: ignore[arg-type]
    assert world.now(job).state is State.CANCELLED
    assert world.now(job).result == {}
    assert world.places() == set()


def test_cancelling_again_changes_nothing_and_what_has_ended_stays(world: World) -> None:
    job = world.job()
    first = job_control.cancel(world.services, OWNER, job.id)
    assert job_control.cancel(world.services, OWNER, job.id) == first
    assert audited(world).count("job.cancelled") == 1
    other = world.job("octo/wheels")
    world.run(other, done)
    with pytest.raises(Conflict, match="COMPLETED"):
        job_control.cancel(world.services, OWNER, other.id)
    with pytest.raises(NotFound):
        job_control.cancel(world.services, OWNER, "nobody")


def test_a_cancelled_global_job_is_asked_for_again(world: World) -> None:
    job = global_requests.request_global(world.services)
    job_control.cancel(world.services, OWNER, job.id)
    assert global_requests.outdated(world.services)
    assert global_requests.request_global(world.services).id != job.id


def test_a_failed_job_begins_again_where_it_failed_and_its_letter_is_settled(world: World) -> None:
    job = failed(world)
    assert [letter.job_id for letter in open_letters(world)] == [job.id]
    again = job_control.retry(world.services, OWNER, job.id)
    assert (again.state, again.failures, again.error) == (State.QUEUED, 0, None)
    assert again.stage is job.stage
    assert world.last_task().name == again.task_name
    assert open_letters(world) == []
    assert world.repository().active_job == job.id
    ended = world.run(again, done)
    assert ended is not None
    assert ended.state is State.COMPLETED
    assert world.repository().status is RepositoryStatus.COMPLETED
    assert "job.retried" in audited(world)


def test_a_job_that_fails_again_has_an_open_letter_again(world: World) -> None:
    job = failed(world)
    job_control.retry(world.services, OWNER, job.id)
    world.run(job, raising(Rejected("no again")))
    assert [letter.job_id for letter in open_letters(world)] == [job.id]


def test_retrying_twice_is_once(world: World) -> None:
    job = failed(world)
    first = job_control.retry(world.services, OWNER, job.id)
    assert job_control.retry(world.services, OWNER, job.id) == first
    names = [task.name for task in world.queue.tasks]
    assert names.count(first.task_name) == 1


def test_a_retry_whose_task_was_lost_is_found_by_the_sweep(world: World) -> None:
    job = failed(world)
    job_control.retry(world.services, OWNER, job.id)
    world.clock.advance(2 * jobs.SLACK)
    assert job_steps.sweep(world.services) == 1


def test_a_retry_does_not_disturb_another_job_of_the_repository(world: World) -> None:
    job = failed(world)
    name = RepositoryName.parse("octo/engine")
    other, _ = repositories.request_scrape(world.services, name, SYSTEM, full=True)
    with pytest.raises(Conflict, match=other.id):
        job_control.retry(world.services, OWNER, job.id)
    assert open_letters(world) != []


def test_nothing_is_retried_for_a_repository_that_is_gone_or_disabled(world: World) -> None:
    job = failed(world)
    disabled = world.repository().model_copy(update={"status": RepositoryStatus.DISABLED})
    world.services.documents.write([repositories.stored(disabled)])
    with pytest.raises(Conflict, match="disabled"):
        job_control.retry(world.services, OWNER, job.id)
    repositories.remove(world.services, RepositoryName.parse("octo/engine"), SYSTEM)
    with pytest.raises(Conflict, match="not registered"):
        job_control.retry(world.services, OWNER, job.id)


def test_a_completed_job_is_not_retried(world: World) -> None:
    job = world.job()
    world.run(job, done)
    with pytest.raises(Conflict, match="completed"):
        job_control.retry(world.services, OWNER, job.id)


def test_a_letter_is_discarded_once_and_goes_from_the_list(world: World) -> None:
    job = failed(world)
    dead_letters.discard(world.services, OWNER, job.id)
    dead_letters.discard(world.services, OWNER, job.id)
    assert open_letters(world) == []
    assert world.now(job).state is State.FAILED
    assert audited(world).count("dead_letter.discarded") == 1
    with pytest.raises(NotFound):
        dead_letters.discard(world.services, OWNER, "nothing")


def test_a_message_is_handed_over_again(world: World) -> None:
    letter = {
        "message_id": "7",
        "failed_at": "2025-03-20T12:00:00.000000Z",
        "reason": "undeliverable_event",
        "data": {"board": "octo/engine"},
        "attributes": {},
        "settled_at": None,
    }
    world.services.documents.write([Write("dead_letters/message-7", letter)])  # type: ignore[arg-type]
    before = len(world.queue.given)
    dead_letters.retry(world.services, OWNER, "message-7")
    dead_letters.retry(world.services, OWNER, "message-7")
    assert [h.data for h in world.queue.given[before:]] == [
        {"topic": CHANGED, "board": "octo/engine"}
    ]
    assert open_letters(world) == []


def test_a_letter_of_a_job_retries_the_job(world: World) -> None:
    job = failed(world)
    dead_letters.retry(world.services, OWNER, job.id)
    dead_letters.retry(world.services, OWNER, job.id)
    assert world.now(job).state is State.QUEUED
    assert audited(world).count("job.retried") == 1
