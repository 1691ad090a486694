"""Jobs that do what a test says, on a clock that stands still."""

from __future__ import annotations

from dataclasses import dataclass

from shared import job_steps, jobs, repositories
from shared.context import SYSTEM, Services
from shared.job_steps import Step
from shared.jobs import Job, Stage, State
from shared.models import RepositoryName
from shared.ports import Json, Task
from tests.support.by_hand import HandQueue
from tests.support.manual_clock import ManualClock
from tests.support.scenario import everything

Outcome = tuple[Stage | None, dict[str, Json]]


class Killed(BaseException):
    """Ends a step as SIGKILL would: nothing of the job's code runs afterwards."""


@dataclass
class World:
    """Services whose tasks are delivered by hand."""

    services: Services
    clock: ManualClock
    queue: HandQueue

    def job(self, name: str = "octo/engine") -> Job:
        """A registered repository's first scrape."""
        found = repositories.register(self.services, RepositoryName.parse(name), SYSTEM)
        assert found.job is not None
        return found.job

    def run(self, job: Job, step: Step, *, retry: int = 0) -> Job | None:
        """The next delivery of the job's current dispatch, ``retry`` times delivered before."""
        now = self.now(job)
        return job_steps.run(
            self.services, job.id, now.dispatches, f"{now.task_name}#{retry}", step
        )

    def cancel(self, job: Job) -> None:
        cancelled = self.now(job).model_copy(update={"state": State.CANCELLED})
        self.services.documents.write([jobs.stored(cancelled)])

    def now(self, job: Job) -> Job:
        return jobs.get(self.services, job.id)

    def last_task(self) -> Task:
        return self.queue.tasks[-1]

    def seconds_until_it(self) -> float:
        """How long the last task waits."""
        waits_for = self.last_task().not_before
        return 0.0 if waits_for is None else (waits_for - self.clock()).total_seconds()

    def repository(self, name: str = "octo/engine") -> repositories.Repository:
        return repositories.get(self.services, RepositoryName.parse(name))

    def places(self) -> set[str]:
        """The jobs that hold one of the few places for steps that run at once."""
        found = self.services.documents.get("state/scrapes", "state/globals")
        return {holder for document in found if document for holder in document.fields}

    def dead_letters(self) -> dict[str, object]:
        """Jobs that failed for good, and why."""
        return {d.id: d.fields["reason"] for d in everything(self.services, "dead_letters")}


def done(_: Job) -> Outcome:
    """A step that is the last."""
    return None, {"answer": 42}


def goes_on(_: Job) -> Outcome:
    """A step that another follows."""
    return Stage.BOARDS, {}


def raising(error: BaseException) -> Step:
    """A step that fails."""

    def step(_: Job) -> Outcome:
        raise error

    return step
