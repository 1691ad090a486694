"""Repositories and jobs in answers."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, RootModel, model_validator

from functions.api.cost_schemas import Cost, cost
from functions.api.links import here, path_to
from functions.api.parameters import RepositoryText
from functions.api.schemas import CursorLinks, Envelope, Links, ListMeta, Nothing, Shape, Time
from shared import jobs, repositories
from shared.bulk_registration import Several
from shared.cost_summaries import Sums
from shared.dead_letters import DeadLetter
from shared.jobs import JobError, JobType, Progress, RepositoryStatus, Stage, State
from shared.ports import DocumentPage

Named = Annotated[
    RepositoryText,
    Field(
        description="owner/name, or its address on github.com",
        examples=["pallets/flask"],
    ),
]


class NewRepository(BaseModel):
    """What to register: one repository, several, or all public ones of an organization."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: Named | None = None
    repositories: list[Annotated[str, Field(max_length=200)]] | None = Field(
        None, min_length=1, max_length=100, description="Each is answered by itself"
    )
    organization: str | None = Field(
        None, max_length=39, description="Its name on GitHub", examples=["pallets"]
    )
    include_forks: bool = Field(False, strict=True, description="With an organization")
    include_archived: bool = Field(False, strict=True, description="With an organization")

    @model_validator(mode="after")
    def _one_wish(self) -> Self:
        wishes = (self.repository, self.repositories, self.organization)
        if sum(wish is not None for wish in wishes) != 1:
            raise ValueError("Send one of repository, repositories and organization")
        if self.organization is None and (self.include_forks or self.include_archived):
            raise ValueError("include_forks and include_archived belong to an organization")
        return self


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


class JobDetail(Job):
    """``cost`` is what its runs were billed until now; null for who may not see what is spent."""

    cost: Cost | None


class Letter(Shape):
    """A job that failed for good (``job``), or a message that nobody could take (``type`` null).

    ``settled_as`` is retried or discarded, and null while it is open.
    """

    id: str
    failed_at: Time
    reason: str
    job: str | None
    type: JobType | None
    settled_at: Time | None
    settled_as: str | None


class RegisteredRepository(Shape):
    """A repository, and the job that works on it now, if any."""

    repository: Repository
    job: Job | None


class RegisteredMeta(Shape):
    """``created`` is false if the repository was registered before."""

    created: bool


class RefusedRepository(Shape):
    """A repository that was not registered. ``error`` and ``message`` are as in an error's body."""

    repository: str
    error: str
    message: str


class SeveralRepositories(Shape):
    """What became of each. ``existing`` were registered before."""

    registered: list[Repository]
    existing: list[str]
    refused: list[RefusedRepository]


class SeveralMeta(Shape):
    """How many. ``forks`` and ``archived`` were not wanted; ``left_out`` were not come to in time.

    The same request again goes on with what was left out. ``complete`` is false if the
    organization's list was not read to its end: then there may be more of each.
    """

    registered: int
    existing: int
    refused: int
    forks: int
    archived: int
    left_out: int
    complete: bool


class JobMeta(Shape):
    """``created`` is false if a job that was under way already serves this request, too."""

    created: bool


class JobLinks(Links):
    """Where to see how far a job is."""

    job: str


class RegisteredAnswer(Envelope[RegisteredRepository, RegisteredMeta, Links]):
    """A registration."""


class SeveralAnswer(Envelope[SeveralRepositories, SeveralMeta, Links]):
    """A registration of several."""


class RegistrationAnswer(RootModel[RegisteredAnswer | SeveralAnswer]):
    """A registration: of one, or of a list or an organization."""


class RepositoryAnswer(Envelope[RegisteredRepository, Nothing, Links]):
    """A repository."""


class RepositoriesAnswer(Envelope[list[Repository], ListMeta, CursorLinks]):
    """Repositories, in the order that was asked for."""


class RemovedAnswer(Envelope[Repository, Nothing, Links]):
    """A repository as it was."""


class AskedAnswer(Envelope[Job, JobMeta, JobLinks]):
    """The job that a request is served by."""


class JobAnswer(Envelope[JobDetail, Nothing, Links]):
    """A job."""


class JobsAnswer(Envelope[list[Job], ListMeta, CursorLinks]):
    """Jobs, newest first."""


class LetterAnswer(Envelope[Letter, Nothing, Links]):
    """A dead letter."""


class LettersAnswer(Envelope[list[Letter], ListMeta, CursorLinks]):
    """Open dead letters, newest first."""


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


def several(found: Several) -> SeveralAnswer:
    """What became of many repositories, as it is shown."""
    refused = [
        RefusedRepository(repository=each.name, error=each.error.code, message=each.error.message)
        for each in found.refused
    ]
    data = SeveralRepositories(
        registered=[repository(each) for each in found.registered],
        existing=list(found.existing),
        refused=refused,
    )
    meta = SeveralMeta(
        registered=len(found.registered),
        existing=len(found.existing),
        refused=len(found.refused),
        forks=found.forks,
        archived=found.archived,
        left_out=found.left_out,
        complete=found.complete,
    )
    return SeveralAnswer(data=data, meta=meta, links=here())


def job(found: jobs.Job) -> Job:
    """A job as it is shown: without what only its workers need."""
    return Job.model_validate(found.model_dump(include=set(Job.model_fields)))


def job_detail(found: jobs.Job, spent: Sums | None) -> JobDetail:
    """A job with what it cost, None where that is not to be seen."""
    shown = None if spent is None else Cost.model_validate(cost(spent))
    return JobDetail(**job(found).model_dump(), cost=shown)


def letter(found: DeadLetter) -> Letter:
    """A dead letter as it is shown: without what a message said."""
    fields = found.model_dump(include=set(Letter.model_fields))
    return Letter.model_validate({**fields, "job": found.job_id})


def jobs_of(page: DocumentPage) -> list[Job]:
    return [job(jobs.read(document)) for document in page.documents]
