"""Registering a repository: which one a name means, and that there is such a one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from shared import audit, jobs, repository_names
from shared.context import Caller, Services
from shared.errors import Conflict, NotFound, Rejected, RetryLater
from shared.github import RemoteRepository
from shared.jobs import Job, JobType
from shared.models import RepositoryName, iso
from shared.ports import Document, Queue, Transaction, Write
from shared.repository_records import Repository, get, read, renamed, stored, told, with_id

log = structlog.get_logger()

_COUNT = "state/registrations"
"""How many repositories were ever registered."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A repository, the job that fills its board, and whether it is new."""

    repository: Repository
    job: Job | None
    created: bool


def register(
    services: Services,
    name: RepositoryName,
    caller: Caller,
    *,
    remote: RemoteRepository | None = None,
    queue: Queue = "high",
) -> Registered:
    """Register a repository and ask for its first scrape. A repeat finds it as it is.

    GitHub says whether it exists, and what it is called now: by that name it is registered, and
    found by the other as well. Raises NotFound for one that is missing, private or blocked, and
    Conflict while the name's former bearer is being scraped. Where GitHub does not answer, the
    first scrape asks. A ``remote`` is what GitHub has just told, so that it is not asked again.
    """
    if remote is None:
        remote = _asked(services, name)
    if remote is not None:
        known = with_id(services, remote.id)
        if known:
            return Registered(_noted(services, known[0], remote, name), None, created=False)
    now = iso(services.now())

    def add(transaction: Transaction) -> Registered:
        current = name if remote is None else _name_of(remote)
        found = repository_names.find_in(transaction, current)
        if found is not None and _is_same(found, remote):
            return Registered(read(found), None, created=False)
        # The key may be that of a repository which has another name now.
        former = transaction.get(f"repositories/{current.key}")
        counted = transaction.get(_COUNT)
        leaving = [] if former is None else _moved(transaction, read(former), current)
        number = 1 + (int(str(counted.fields["registered"])) if counted else 0)
        repository = Repository(
            key=current.key,
            name=current.full,
            number=number,
            registered_at=now,
            registered_by=caller.actor,
        )
        naming: Sequence[Write] = ()
        if remote is not None:
            repository, naming = _known_by(*told(repository, remote, now), name)
        job = jobs.new(
            services,
            caller,
            JobType.FULL_SCRAPE,
            jobs.first_stage(services),
            queue,
            repository=(repository.name, repository.key),
        )
        repository = repository.model_copy(update={"active_job": job.id})
        recorded = audit.record(
            services,
            caller,
            "repository.registered",
            ("repository", repository.name),
            f"{repository.name} registered",
            new={"job": job.id},
        )
        writes = {
            write.path: write
            for write in (
                *leaving,
                *naming,
                # Whoever had this name before is found by its other names.
                Write(repository_names.alias_path(current.key), None),
                Write(_COUNT, {"registered": number}),
                stored(repository),
                jobs.stored(job),
                recorded,
            )
        }
        for write in writes.values():
            transaction.write(write)
        return Registered(repository, job, created=True)

    registered = services.documents.transact(add)
    if registered.job is not None:
        jobs.dispatch(services, registered.job)
        log.info(
            "scrape_job_created",
            repository=registered.repository.name,
            job_id=registered.job.id,
        )
    return registered


def confirmed(services: Services, repository: Repository) -> Repository:
    """The repository with its id and its latest name, which GitHub is asked for once.

    Raises NotFound and its kinds, RetryLater, and Rejected where the name means another
    repository than the one whose events are here, or one that is registered under another name.
    """
    github = services.github
    if github is None or repository.node_id is not None:
        return repository
    remote = github.repository(repository.name)
    if repository.github_id not in {None, remote.id}:
        raise Rejected(
            f"{repository.name} is another repository on GitHub now than the one that was "
            "registered. Remove it, and register what you mean by its name.",
            details={"registered": repository.github_id, "now": remote.id},
        )
    others = [one for one in with_id(services, remote.id) if one.number < repository.number]
    if others:
        raise Rejected(
            f"{repository.name} is {remote.name}, which is registered as "
            f"{others[0].registered_as.full}. Remove one of them.",
            details={"registered_as": others[0].registered_as.full},
        )
    return _noted(services, repository, remote, repository.registered_as)


def _asked(services: Services, name: RepositoryName) -> RemoteRepository | None:
    """What GitHub says, None where it is not asked or does not answer."""
    if services.github is None:
        return None
    try:
        known = get(services, name)
        if known.node_id is not None and known.called.key == name.key:
            return None
    except NotFound:
        pass
    try:
        return services.github.repository(name.full)
    except RetryLater as error:
        log.warning("registration_unchecked", repository=name.full, reason=error.message)
        return None


def _is_same(found: Document, remote: RemoteRepository | None) -> bool:
    """True if what a name leads to is, or may be, what GitHub has under it."""
    return remote is None or found.fields["github_id"] in {None, remote.id}


def _moved(transaction: Transaction, former: Repository, current: RepositoryName) -> list[Write]:
    """What stores a repository under its latest name, so that its first one is free. Reads."""
    to = former.called
    # Known by what the registration was told: whoever has this name now is another repository.
    if to.key == current.key or transaction.get(f"repositories/{to.key}") is not None:
        raise Conflict(
            f"{current.full} was the name of another repository that is registered here, and its "
            "present name is not known yet. Refresh or remove that one first.",
            details={"registered": former.github_id},
        )
    if former.active_job is not None:
        raise Conflict(
            f"{current.full} was the name of {former.name}, which is being scraped. "
            "Try again when that has ended.",
            details={"job": former.active_job},
        )
    others = [alias for alias in former.aliases if alias != to.key]
    kept = repository_names.forgetting(transaction, former.key, others)
    there = former.model_copy(update={"key": to.key, "aliases": tuple(others)})
    return [
        *(Write(write.path, {"key": to.key}) for write in kept),
        Write(repository_names.alias_path(to.key), None),
        stored(there),
    ]


def _noted(
    services: Services, repository: Repository, remote: RemoteRepository, typed: RepositoryName
) -> Repository:
    """Store what GitHub told of a registered repository, and that the typed name means it."""
    now = iso(services.now())

    def note(transaction: Transaction) -> Repository:
        document = transaction.get(f"repositories/{repository.key}")
        if document is None:
            raise NotFound(f"{repository.name} was removed meanwhile.")
        noted, writes = _known_by(*told(read(document), remote, now), typed)
        for write in (*writes, stored(noted)):
            transaction.write(write)
        return noted

    return services.documents.transact(note)


def _known_by(
    repository: Repository, writes: Sequence[Write], typed: RepositoryName
) -> tuple[Repository, Sequence[Write]]:
    """With the name that was typed as one more name of it."""
    if typed.key in {repository.key, repository.called.key}:
        return repository, writes
    also, more = renamed(repository, typed.full)
    return repository.model_copy(update={"aliases": also.aliases}), [*writes, *more]


def _name_of(remote: RemoteRepository) -> RepositoryName:
    return RepositoryName(*remote.name.split("/", 1))
