"""Paused repositories: their boards stay, and nothing is scraped until somebody resumes them."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from shared import audit, job_control, jobs, repository_names
from shared.context import Caller, Services
from shared.jobs import Job, RepositoryStatus
from shared.models import RepositoryName
from shared.ports import Transaction, Write
from shared.repository_records import Repository, read, stored, unknown

log = structlog.get_logger()


def disable(services: Services, name: RepositoryName, caller: Caller) -> Repository:
    """Pause a repository. A job that works on it is cancelled in the same transaction.

    A repeat changes nothing. Raises NotFound.
    """

    def pause(transaction: Transaction) -> tuple[Repository, Job | None, bool]:
        repository = _found(transaction, name)
        if repository.paused:
            return repository, None, False
        job = _active(transaction, repository)
        writes: Sequence[Write] = ()
        if job is not None:
            job, writes = job_control.ended_by_hand(services, caller, job)
        paused = repository.model_copy(
            update={"status": RepositoryStatus.DISABLED, "active_job": None}
        )
        noted = _audited(services, caller, "disabled", repository, paused)
        for write in (stored(paused), noted, *writes):
            transaction.write(write)
        return paused, job, True

    paused, job, is_new = services.documents.transact(pause)
    if job is not None:
        # A prompt that a kill loses here is made up for by the sweep of the pipeline's runs.
        job_control.after_cancelling(services, caller, job, is_new=True)
    if is_new:
        log.info("repository_disabled", repository=paused.name, by=caller.actor)
    return paused


def enable(services: Services, name: RepositoryName, caller: Caller) -> Repository:
    """Resume a repository: schedules and requests scrape it again. Raises NotFound.

    A repeat, and one that was not paused, change nothing. Nothing is scraped by this itself.
    """

    def resume(transaction: Transaction) -> tuple[Repository, bool]:
        repository = _found(transaction, name)
        if not repository.paused:
            return repository, False
        never = repository.last_scraped_at is None
        status = RepositoryStatus.PENDING if never else RepositoryStatus.COMPLETED
        # What made an earlier scrape fail is tried anew.
        update = {"status": status, "error_message": None}
        resumed = repository.model_copy(update=update)
        transaction.write(stored(resumed))
        transaction.write(_audited(services, caller, "enabled", repository, resumed))
        return resumed, True

    resumed, is_new = services.documents.transact(resume)
    if is_new:
        log.info("repository_enabled", repository=resumed.name, by=caller.actor)
    return resumed


def _found(transaction: Transaction, name: RepositoryName) -> Repository:
    document = repository_names.find_in(transaction, name)
    if document is None:
        raise unknown(name)
    return read(document)


def _active(transaction: Transaction, repository: Repository) -> Job | None:
    document = transaction.get(f"jobs/{repository.active_job}") if repository.active_job else None
    found = None if document is None else jobs.read(document)
    return None if found is None or found.ended else found


def _audited(
    services: Services, caller: Caller, verb: str, before: Repository, after: Repository
) -> Write:
    return audit.record(
        services,
        caller,
        f"repository.{verb}",
        ("repository", after.name),
        f"{after.name} {verb}",
        old={"status": before.status.value, "job": before.active_job},
        new={"status": after.status.value, "job": after.active_job},
    )
