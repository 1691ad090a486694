"""Pausing a repository while work on it goes on."""

from __future__ import annotations

import pytest

from shared import job_steps, pausing, pipeline_runs
from shared.context import SYSTEM, Services
from shared.jobs import Job, RepositoryStatus, State, stored
from shared.models import RepositoryName
from tests.support.job_world import World, done


def pause(world: World) -> None:
    name = RepositoryName(*world.repository().name.split("/"))
    pausing.disable(world.services, name, SYSTEM)


def test_a_worker_that_is_at_it_changes_nothing_any_more(world: World) -> None:
    job = world.job()

    def paused_meanwhile(running: Job) -> tuple[None, dict[str, object]]:
        pause(world)
        job_steps.report(world.services, running, 1, 2, "goes on")
        return None, {"answer": 42}

    assert world.run(job, paused_meanwhile) is None  # type: ignore[arg-type]
    assert world.now(job).state is State.CANCELLED
    assert world.repository().status is RepositoryStatus.DISABLED
    assert world.repository().active_job is None
    assert world.places() == set()


def test_the_task_of_a_job_that_waits_finds_nothing_to_do(world: World) -> None:
    job = world.job()
    pause(world)
    assert world.run(job, done) is None
    assert world.repository().status is RepositoryStatus.DISABLED


def test_the_runs_that_wait_for_its_job_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = world.job()
    world.services.documents.write([stored(job.model_copy(update={"awaited_by": ("run-1",)}))])
    prompted: list[str] = []

    def prompt(_: Services, run_id: str, __: str) -> None:
        prompted.append(run_id)

    monkeypatch.setattr(pipeline_runs, "prompt", prompt)
    pause(world)
    assert prompted == ["run-1"]
