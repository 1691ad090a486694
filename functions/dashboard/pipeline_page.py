"""What the pipeline's page shows: jobs, queues, runs, dead letters, schedules.

At most ten jobs, three runs and five letters are read, and what tells how long the queues are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from functions.dashboard.widgets import Widget, attempt
from infra.set_times import set_times
from shared import dead_letters, jobs, pipeline_runs
from shared.context import Services
from shared.dead_letters import DeadLetter
from shared.errors import Rejected
from shared.jobs import Job, State
from shared.models import iso
from shared.pipeline_runs import PipelineRun

JOBS = 10
RUNS = 3
LETTERS = 5


@dataclass(frozen=True, slots=True)
class Jobs:
    """A page of jobs, newest first. ``cursor`` leads to the next, None at the end."""

    jobs: tuple[Job, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Letters:
    """The newest open dead letters. ``more`` is True where there are others."""

    letters: tuple[DeadLetter, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A schedule and when it comes next, as a stored time."""

    name: str
    what: str
    cron: str
    next_at: str


@dataclass(frozen=True, slots=True)
class PipelinePage:
    """The page. ``state`` is the jobs' filter, empty for all; ``after`` the place in their list."""

    state: str
    after: str
    jobs: Widget[Jobs]
    depths: Widget[Mapping[str, int]]
    runs: Widget[tuple[PipelineRun, ...]]
    letters: Widget[Letters]
    schedules: tuple[Scheduled, ...]

    @property
    def busy(self) -> bool:
        """True while anything shown goes on."""
        found = self.jobs.value
        runs = self.runs.value or ()
        return (found is not None and any(not job.ended for job in found.jobs)) or any(
            run.open for run in runs
        )


def read(services: Services, state: str, after: str) -> PipelinePage:
    """The page as it is now. Raises Rejected for an unknown state."""
    if state and state not in set(State):
        allowed = ", ".join(State)
        raise Rejected(
            f"state {state[:60]!r} is not known. Use one of: {allowed}.", details={"field": "state"}
        )
    return PipelinePage(
        state=state,
        after=after,
        jobs=attempt(lambda: _jobs(services, state, after)),
        depths=attempt(services.tasks.depths),
        runs=attempt(
            lambda: tuple(
                pipeline_runs.read(document)
                for document in pipeline_runs.listed(services, limit=RUNS).documents
            )
        ),
        letters=attempt(lambda: letters(services)),
        schedules=_schedules(services),
    )


def letters(services: Services, limit: int = LETTERS) -> Letters:
    """The newest open letters."""
    page = dead_letters.open_letters(services, limit=limit)
    return Letters(tuple(map(dead_letters.read, page.documents)), page.cursor is not None)


def _jobs(services: Services, state: str, after: str) -> Jobs:
    where = {"state": state} if state else {}
    page = jobs.listed(services, where, after=after or None, limit=JOBS)
    return Jobs(tuple(map(jobs.read, page.documents)), page.cursor)


def _schedules(services: Services) -> tuple[Scheduled, ...]:
    now = services.now()
    found = [
        Scheduled(each.name, each.what, each.cron, iso(each.next_after(now)))
        for each in set_times(services.settings.backend)
    ]
    return tuple(sorted(found, key=lambda each: (each.next_at, each.name)))
