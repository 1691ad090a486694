"""Registered repositories: add, list, remove, and ask for a scrape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from pydantic import BaseModel, ConfigDict

from shared import audit, flag_config, global_requests, jobs
from shared.boards import repository_board
from shared.context import Caller, Services
from shared.errors import Conflict, NotFound
from shared.flags import INCREMENTAL
from shared.jobs import Job, JobType, RepositoryStatus, Stage
from shared.messages import CHANGED
from shared.models import RepositoryName, iso
from shared.ports import Document, DocumentPage, Json, Operator, Query, Queue, Transaction, Write
from shared.tables import Dataset

log = structlog.get_logger()


class Repository(BaseModel):
    """A registered repository as it is stored. Times are RFC 3339 texts in UTC.

    ``github_id`` is unknown until the first scrape; ``name`` is then its latest name.
    ``latest_data_at`` is the as-of time of what is stored. ``number`` counts registrations: who
    is registered anew has another.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    name: str
    number: int
    github_id: int | None = None
    status: RepositoryStatus = RepositoryStatus.PENDING
    registered_at: str
    registered_by: str
    last_scraped_at: str | None = None
    latest_data_at: str | None = None
    never_rescrape_before: str | None = None
    active_job: str | None = None
    stars: int | None = None
    error_message: str | None = None

    @property
    def registered_as(self) -> RepositoryName:
        """The name that finds it here, in lower case. Its latest name may be another."""
        return RepositoryName(*self.key.split("~", 1))


_COUNT = "state/registrations"
"""How many repositories were ever registered."""


def unit_name(repo_id: int) -> str:
    """The warehouse unit of a repository's contributions and standings."""
    return f"repository-{repo_id}"


def stored(repository: Repository) -> Write:
    return Write(f"repositories/{repository.key}", repository.model_dump(mode="json"))


def read(document: Document) -> Repository:
    return Repository.model_validate(document.fields)


def get(services: Services, name: RepositoryName) -> Repository:
    """The registered repository. Raises NotFound with the remedy."""
    (document,) = services.documents.get(f"repositories/{name.key}")
    if document is None:
        raise NotFound(
            f"{name.full} is not registered. Register it with POST /api/v1/repositories.",
            details={"repository": name.full},
        )
    return read(document)


@dataclass(frozen=True, slots=True)
class Registered:
    """A repository, the job that fills its board, and whether it is new."""

    repository: Repository
    job: Job | None
    created: bool


def register(services: Services, name: RepositoryName, caller: Caller) -> Registered:
    """Register a repository and ask for its first scrape. A repeat finds it as it is."""
    job = jobs.new(
        services,
        caller,
        JobType.FULL_SCRAPE,
        _first_stage(services),
        "high",
        repository=(name.full, name.key),
    )

    def add(transaction: Transaction) -> Registered:
        found = transaction.get(f"repositories/{name.key}")
        if found is not None:
            return Registered(read(found), None, created=False)
        counted = transaction.get(_COUNT)
        number = 1 + (int(str(counted.fields["registered"])) if counted else 0)
        repository = Repository(
            key=name.key,
            name=name.full,
            number=number,
            registered_at=iso(services.now()),
            registered_by=caller.actor,
            active_job=job.id,
        )
        transaction.write(Write(_COUNT, {"registered": number}))
        transaction.write(stored(repository))
        transaction.write(jobs.stored(job))
        transaction.write(
            audit.record(
                services,
                caller,
                "repository.registered",
                ("repository", name.full),
                f"{name.full} registered",
                new={"job": job.id},
            )
        )
        return Registered(repository, job, created=True)

    registered = services.documents.transact(add)
    if registered.job is not None:
        jobs.dispatch(services, registered.job)
        log.info("scrape_job_created", repository=name.full, job_id=job.id)
    return registered


def request_scrape(
    services: Services,
    name: RepositoryName,
    caller: Caller,
    *,
    full: bool,
    queue: Queue = "high",
) -> tuple[Job, bool]:
    """Ask for a scrape. Returns the job and whether it is new: a running one serves everybody.

    Raises NotFound, Conflict for a disabled repository.
    """

    def ask(transaction: Transaction) -> tuple[Job, bool]:
        asked, writes = noted_scrape(services, transaction, name, caller, full=full, queue=queue)
        for write in (*writes, *((jobs.stored(asked),) if writes else ())):
            transaction.write(write)
        return asked, bool(writes)

    asked, created = services.documents.transact(ask)
    if created:
        begin_scrape(services, asked)
    return asked, created


def _first_stage(services: Services) -> Stage:
    """A scrape begins with the archive where there is one to read from."""
    return Stage.SCRAPE if services.archive is None else Stage.CAPTURE


def noted_scrape(
    services: Services,
    transaction: Transaction,
    name: RepositoryName,
    caller: Caller,
    *,
    full: bool,
    queue: Queue,
) -> tuple[Job, Sequence[Write]]:
    """The job that answers a request made in this transaction, and what is to be written besides.

    Nothing is to be written if the job is one that is under way. Reads, so it comes before any
    write. Raises as ``request_scrape``.
    """
    document = transaction.get(f"repositories/{name.key}")
    if document is None:
        raise NotFound(
            f"{name.full} is not registered. Register it with POST /api/v1/repositories.",
            details={"repository": name.full},
        )
    repository = read(document)
    if repository.status is RepositoryStatus.DISABLED:
        raise Conflict(f"{name.full} is disabled. Enable it first.")
    active = transaction.get(f"jobs/{repository.active_job}") if repository.active_job else None
    if active is not None and not jobs.read(active).ended:
        return jobs.read(active), ()
    is_incremental = not full and flag_config.is_on(
        services, INCREMENTAL, caller=caller, subject=name.key
    )
    type_ = JobType.FULL_SCRAPE if not is_incremental else JobType.INCREMENTAL_SCRAPE
    job = jobs.new(
        services,
        caller,
        type_,
        _first_stage(services),
        queue,
        repository=(repository.name, name.key),
    )
    asked = audit.record(
        services,
        caller,
        "repository.scrape_requested",
        ("repository", repository.name),
        f"{type_.value.replace('_', ' ')} of {repository.name} requested",
        new={"job": job.id},
    )
    return job, (stored(repository.model_copy(update={"active_job": job.id})), asked)


def begin_scrape(services: Services, job: Job) -> None:
    """See that a scrape that was noted has its task. Safe to repeat."""
    jobs.dispatch(services, job)
    log.info("scrape_job_created", repository=job.repository, job_id=job.id)


def remove(services: Services, name: RepositoryName, caller: Caller) -> Repository:
    """Unregister a repository: its contributions, standings and boards go, the global ones follow.

    Raises NotFound.
    """
    job = global_requests.new(services, caller)

    def take(transaction: Transaction) -> Repository:
        document = transaction.get(f"repositories/{name.key}")
        if document is None:
            raise NotFound(f"{name.full} is not registered.", details={"repository": name.full})
        repository = read(document)
        # Asked for at once, so that a kill after this leaves nothing that is not on its way.
        for write in global_requests.noted(transaction, job)[1]:
            transaction.write(write)
        transaction.write(Write(document.path, None))
        transaction.write(
            audit.record(
                services,
                caller,
                "repository.removed",
                ("repository", name.full),
                f"{name.full} removed",
                old=repository.model_dump(mode="json"),
            )
        )
        return repository

    repository = services.documents.transact(take)
    if repository.github_id is not None and not is_known(services, repository.github_id):
        tidy(services, repository.github_id)
    services.events.publish(CHANGED, {"board": repository.name}, {})
    return repository


def is_known(services: Services, repo_id: int) -> bool:
    """True if a repository is registered under this id, perhaps by an older name as well."""
    same = Query("repositories", (("github_id", "==", repo_id),), limit=1)
    return bool(services.documents.query(same).documents)


def tidy(services: Services, repo_id: int) -> None:
    """Remove what an unregistered repository leaves behind. Safe to repeat.

    A kill before or within this is healed by the next recalculation of the global boards, which
    knows such a repository by its units: they go last.
    """
    services.publisher.withdraw(repository_board(repo_id))
    for dataset in (Dataset.CONTRIBUTIONS, Dataset.STANDINGS):
        services.warehouse.remove(dataset, unit_name(repo_id))


def listed(
    services: Services,
    *,
    status: RepositoryStatus | None = None,
    after: str | None = None,
    limit: int = 100,
) -> DocumentPage:
    """Registered repositories by key."""
    where: tuple[tuple[str, Operator, Json], ...] = (
        (("status", "==", status.value),) if status else ()
    )
    return services.documents.query(Query("repositories", where, after=after, limit=limit))


def everyone(services: Services) -> tuple[Repository, ...]:
    """All registered repositories."""
    found: list[Repository] = []
    cursor: str | None = None
    while True:
        page = listed(services, after=cursor, limit=500)
        found += [read(document) for document in page.documents]
        cursor = page.cursor
        if cursor is None:
            return tuple(found)
