"""Registered repositories: list, remove, and ask for a scrape."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from shared import audit, flag_config, github_pages, global_requests, jobs, repository_names
from shared.boards import repository_board
from shared.context import Caller, Services
from shared.errors import Conflict, NotFound
from shared.flags import INCREMENTAL
from shared.jobs import Job, JobType, RepositoryStatus
from shared.messages import CHANGED
from shared.models import RepositoryName, iso
from shared.ports import DocumentPage, Json, Operator, Query, Queue, Transaction, Write
from shared.registration import Registered as Registered
from shared.registration import register as register
from shared.repository_records import Repository as Repository
from shared.repository_records import everyone as everyone
from shared.repository_records import get as get
from shared.repository_records import read as read
from shared.repository_records import stored as stored
from shared.repository_records import unit_name as unit_name
from shared.repository_records import unknown
from shared.tables import Dataset

log = structlog.get_logger()


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
    document = repository_names.find_in(transaction, name)
    if document is None:
        raise unknown(name)
    repository = read(document)
    if repository.paused:
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
        jobs.first_stage(services),
        queue,
        repository=(repository.name, repository.key),
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
        document = repository_names.find_in(transaction, name)
        if document is None:
            raise NotFound(f"{name.full} is not registered.", details={"repository": name.full})
        repository = read(document)
        forgotten = repository_names.forgetting(transaction, repository.key, repository.aliases)
        # Asked for at once, so that a kill after this leaves nothing that is not on its way.
        for write in (*global_requests.noted(transaction, job)[1], *forgotten):
            transaction.write(write)
        transaction.write(Write(document.path, None))
        for write in _noted_removal(services, repository):
            transaction.write(write)
        transaction.write(
            audit.record(
                services,
                caller,
                "repository.removed",
                ("repository", repository.name),
                f"{repository.name} removed",
                old=repository.model_dump(mode="json"),
            )
        )
        return repository

    repository = services.documents.transact(take)
    if repository.github_id is not None and not is_known(services, repository.github_id):
        tidy(services, repository.github_id)
    services.events.publish(CHANGED, {"board": repository.name}, {})
    return repository


def _noted_removal(services: Services, repository: Repository) -> Sequence[Write]:
    """For ``shared/forgotten.py``, where events are gathered for registered repositories."""
    if services.archive is None:
        return ()
    fields = {
        "github_id": repository.github_id,
        "name": repository.registered_as.full.lower(),
        "removed_at": iso(services.now()),
    }
    return (Write(f"removed_repositories/{repository.number}", fields),)


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
    github_pages.remove(services, repo_id)
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
