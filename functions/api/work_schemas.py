"""Repositories and jobs in answers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from functions.api.links import path_to
from functions.api.parameters import RepositoryText
from functions.api.schemas import CursorLinks, Envelope, Links, ListMeta, Nothing, Shape, Time
from shared import jobs, repositories
from shared.jobs import JobError, JobType, Progress, RepositoryStatus, Stage, State
from shared.ports import DocumentPage


class NewRepository(BaseModel):
    """What to register."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: RepositoryText = Field(
        description="owner/name, or its address on github.com",
        examples=["pallets/flask"],
    )


class Repository(Shape):
    """A registered repository. ``name`` is its latest name, and ``address`` finds it by that.

    Names that it had lead there. ``github_id``, description, stars, forks and language are null as
    long as GitHub has not told of it. ``checked_at`` is when it did last.
    """

    name: str
    address: str
    github_id: int | None
    description: str | None
    stars: int | None
    forks: int | None
    language: str | None
    status: RepositoryStatus
    registered_at: Time
    last_scraped_at: Time | None
    latest_data_at: Time | None
    checked_at: Time | None
    active_job: str | None
    error_message: str | None


class Job(Shape):
    """A piece of work, and how far it is. ``error`` is why the last attempt failed.

    ``waits_until`` is when the next attempt is made. A job that is QUEUED until then waits for the
    budget's renewal, and ``error`` says so.
    """

    id: str
    type: JobType
    state: State
    stage: Stage
    repository: str | None
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    progress: Progress
    failures: int
    waits_until: Time | None
    error: JobError | None
    result: dict[str, JsonValue]


class RegisteredRepository(Shape):
    """A repository, and the job that works on it now, if any."""

    repository: Repository
    job: Job | None


class RegisteredMeta(Shape):
    """``created`` is false if the repository was registered before."""

    created: bool


class JobMeta(Shape):
    """``created`` is false if a job that was under way already serves this request, too."""

    created: bool


class JobLinks(Links):
    """Where to see how far a job is."""

    job: str


class RegisteredAnswer(Envelope[RegisteredRepository, RegisteredMeta, Links]):
    """A registration."""


class RepositoryAnswer(Envelope[RegisteredRepository, Nothing, Links]):
    """A repository."""


class RepositoriesAnswer(Envelope[list[Repository], ListMeta, CursorLinks]):
    """Repositories by name."""


class RemovedAnswer(Envelope[Repository, Nothing, Links]):
    """A repository as it was."""


class AskedAnswer(Envelope[Job, JobMeta, JobLinks]):
    """The job that a request is served by."""


class JobAnswer(Envelope[Job, Nothing, Links]):
    """A job."""


class JobsAnswer(Envelope[list[Job], ListMeta, CursorLinks]):
    """Jobs, newest first."""


def repository(found: repositories.Repository) -> Repository:
    """A repository as it is shown."""
    return Repository(
        name=found.name,
        address=path_to("repositories", found.called.owner, found.called.name),
        github_id=found.github_id,
        description=found.description,
        stars=found.stars,
        forks=found.forks,
        language=found.language,
        status=found.status,
        registered_at=found.registered_at,
        last_scraped_at=found.last_scraped_at,
        latest_data_at=found.latest_data_at,
        checked_at=found.checked_at,
        active_job=found.active_job,
        error_message=found.error_message,
    )


def job(found: jobs.Job) -> Job:
    """A job as it is shown: without what only its workers need."""
    return Job.model_validate(found.model_dump(include=set(Job.model_fields)))


def repositories_of(page: DocumentPage) -> list[Repository]:
    return [repository(repositories.read(document)) for document in page.documents]


def jobs_of(page: DocumentPage) -> list[Job]:
    return [job(jobs.read(document)) for document in page.documents]
