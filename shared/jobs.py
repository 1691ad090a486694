"""A job: what was asked for, how far it is, and what happens when a step fails or vanishes.

A job is a chain of *stages*; each is run by a named task. The platform may deliver a task twice,
late or not at all, and may lose the last attempt, so the truth is here: the number of dispatches
(which names the next task), the failures, a lease while a step runs, and ``due_at``, the moment
after which the sweep takes the job for stuck and dispatches it anew.

    QUEUED -> RUNNING -> COMPLETED
                 |  ^
                 v  |
              RETRYING -> FAILED (dead letter)          CANCELLED from anywhere before the end

What does not fit into the budget goes back to QUEUED until that is renewed, and has not failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import structlog
from pydantic import BaseModel, ConfigDict, Field

from shared.context import Caller, Services
from shared.errors import (
    BudgetWaits,
    NotFound,
    Severity,
)
from shared.models import iso
from shared.ports import (
    Document,
    DocumentPage,
    Json,
    Operator,
    Query,
    Queue,
    Task,
    Write,
)

log = structlog.get_logger()

SLACK = timedelta(seconds=60)
"""How late a task may be before its job counts as stuck."""


class RepositoryStatus(StrEnum):
    """The life of a registered repository. COMPLETED becomes STALE with time."""

    PENDING = "PENDING"
    SCRAPING = "SCRAPING"
    COMPLETED = "COMPLETED"
    STALE = "STALE"
    ERROR = "ERROR"
    DISABLED = "DISABLED"


class State(StrEnum):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    RETRYING = "RETRYING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


ENDED = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})


class JobType(StrEnum):
    FULL_SCRAPE = "full_scrape"
    INCREMENTAL_SCRAPE = "incremental_scrape"
    RECALCULATE_REPOSITORY = "recalculate_repository"
    RECALCULATE_GLOBAL = "recalculate_global"
    FORGET_PERSON = "forget_person"
    """Somebody opted out, or takes that back."""
    APPLY_PEOPLE = "apply_people"
    """Accounts were merged, or parted again."""
    EXPORT = "export"
    """A file that is too large to be made while somebody waits."""


class Stage(StrEnum):
    """The steps of jobs, and the functions that carry them out (see ``FUNCTIONS``)."""

    CAPTURE = "capture"
    SYNC = "sync"
    SCRAPE = "scrape"
    BOARDS = "boards"
    GLOBAL = "global"
    FORGET = "forget"
    REDACT = "redact"
    BOARDS_OF_PEOPLE = "boards_of_people"
    EXPORT = "export"


FUNCTIONS: Mapping[Stage, str] = {
    Stage.CAPTURE: "scrape_repository",
    Stage.SYNC: "scrape_repository",
    Stage.SCRAPE: "scrape_repository",
    Stage.BOARDS: "recalculate_board",
    Stage.GLOBAL: "recalculate_board",
    Stage.FORGET: "recalculate_board",
    Stage.REDACT: "recalculate_board",
    Stage.BOARDS_OF_PEOPLE: "recalculate_board",
    Stage.EXPORT: "export_data",
}


class Progress(BaseModel):
    """How far a job is: ``done`` of ``total`` steps, and what it does now."""

    model_config = ConfigDict(frozen=True)

    done: int = 0
    total: int = 1
    message: str = "waiting"


class JobError(BaseModel):
    """Why the last attempt failed."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    severity: Severity
    at: str


class Job(BaseModel):
    """A job as it is stored and shown. Times are RFC 3339 texts in UTC.

    ``waits_until`` says when the next attempt is made, where one is postponed.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    type: JobType
    state: State = State.QUEUED
    stage: Stage
    queue: Queue = "default"
    repository: str | None = None
    repository_key: str | None = None
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None
    requested_by: str
    request_id: str | None = None
    progress: Progress = Progress()
    dispatches: int = 0
    failures: int = 0
    holder: str | None = None
    due_at: str
    waits_until: str | None = None
    error: JobError | None = None
    result: dict[str, Json] = Field(default_factory=dict)
    awaited_by: tuple[str, ...] = ()
    """The pipeline runs that go on when this job has ended."""
    anew: bool = False
    """Count again what nothing seems to have changed of."""

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def waits_for_budget(self) -> bool:
        """True while it has no attempt before the budget's renewal."""
        code = self.error.code if self.error else None
        return self.state is State.QUEUED and code == BudgetWaits.code

    @property
    def task_name(self) -> str:
        """The name of the current dispatch: repeats of it collapse, the next has another."""
        return f"{self.id}-{self.stage}-{self.dispatches}"


def new(
    services: Services,
    caller: Caller,
    type_: JobType,
    stage: Stage,
    queue: Queue,
    *,
    repository: tuple[str, str] | None = None,
) -> Job:
    """A queued job, not stored yet. ``repository`` is (name to show, key)."""
    now = services.now()
    return Job(
        id=services.new_id(),
        type=type_,
        stage=stage,
        queue=queue,
        repository=repository[0] if repository else None,
        repository_key=repository[1] if repository else None,
        created_at=iso(now),
        requested_by=caller.actor,
        request_id=caller.request_id,
        due_at=iso(now + SLACK),
    )


def first_stage(services: Services) -> Stage:
    """A scrape begins with the archive where there is one to read from."""
    return stage_after_capture(services) if services.archive is None else Stage.CAPTURE


def stage_after_capture(services: Services) -> Stage:
    """Then GitHub is asked, where it is asked at all."""
    return Stage.SCRAPE if services.github is None else Stage.SYNC


def stored(job: Job) -> Write:
    """The write that stores a job as it is."""
    return Write(f"jobs/{job.id}", job.model_dump(mode="json"))


def read(document: Document) -> Job:
    return Job.model_validate(document.fields)


def get(services: Services, job_id: str) -> Job:
    """The job. Raises NotFound."""
    (document,) = services.documents.get(f"jobs/{job_id}")
    if document is None:
        raise NotFound(f"There is no job {job_id[:60]}.")
    return read(document)


def listed(
    services: Services,
    where: Mapping[str, str],
    *,
    after: str | None = None,
    limit: int = 50,
) -> DocumentPage:
    """Jobs, newest first, whose fields equal ``where``."""
    conditions: list[tuple[str, Operator, Json]] = [(k, "==", v) for k, v in where.items()]
    return services.documents.query(
        Query("jobs", tuple(conditions), "created_at", descending=True, after=after, limit=limit)
    )


def dispatch(services: Services, job: Job, *, not_before: datetime | None = None) -> None:
    """Add the task of the job's current dispatch. Safe to repeat: the name collapses repeats."""
    services.tasks.add(
        Task(
            name=job.task_name,
            function=FUNCTIONS[job.stage],
            body={"job_id": job.id, "stage": job.stage.value, "dispatch": job.dispatches},
            queue=job.queue,
            not_before=not_before,
        )
    )
