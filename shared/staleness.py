"""Which repositories want a scrape, and in which order."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta

from shared import repositories
from shared.context import SYSTEM, Services
from shared.errors import Conflict, NotFound
from shared.jobs import Job, RepositoryStatus
from shared.models import iso
from shared.ports import Transaction
from shared.repositories import Repository

_SCRAPED_BY_ITSELF = frozenset(
    {RepositoryStatus.PENDING, RepositoryStatus.COMPLETED, RepositoryStatus.STALE}
)
"""Not those that failed, which want a person's look, nor those that are under way or paused."""


def stale(everyone: Iterable[Repository], now: datetime, after: timedelta) -> list[Repository]:
    """The repositories whose data is older than ``after``, most urgent first.

    Never scraped ones come first, then the stalest by the day of their last scrape; of those alike
    the one with the most stars (unknown counts as none), then the one that waits longest.
    """
    oldest = iso(now - after)
    found = [
        repository
        for repository in everyone
        if repository.status in _SCRAPED_BY_ITSELF
        and repository.active_job is None
        and (repository.last_scraped_at or "") < oldest
    ]
    return sorted(found, key=_urgency)


def mark(services: Services, limit: int) -> list[Repository]:
    """Mark everything that is stale as STALE. Returns the ``limit`` most urgent ones."""
    after = timedelta(hours=services.settings.stale_after_hours)
    waiting = stale(repositories.everyone(services), services.now(), after)
    for repository in waiting:
        _mark(services, repository)
    return waiting[:limit]


def refresh_stale(services: Services, limit: int) -> list[Job]:
    """Ask for incremental scrapes of the most urgent repositories. Returns the jobs asked for."""
    asked: list[Job] = []
    for repository in mark(services, limit):
        with suppress(NotFound, Conflict):  # it was removed or paused meanwhile
            job, _ = repositories.request_scrape(
                services, repository.registered_as, SYSTEM, full=False, queue="default"
            )
            asked.append(job)
    return asked


def _urgency(repository: Repository) -> tuple[str, int, str, str]:
    scraped = repository.last_scraped_at or ""
    since = scraped or repository.registered_at
    return scraped[: len("2025-03-20")], -(repository.stars or 0), since, repository.key


def _mark(services: Services, repository: Repository) -> None:
    if repository.status is not RepositoryStatus.COMPLETED:
        return

    def mark(transaction: Transaction) -> None:
        document = transaction.get(f"repositories/{repository.key}")
        if document is not None and repositories.read(document) == repository:
            found = repository.model_copy(update={"status": RepositoryStatus.STALE})
            transaction.write(repositories.stored(found))

    services.documents.transact(mark)
