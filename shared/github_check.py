"""What changed on GitHub: one question for fifty repositories, asked every hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog

from shared import repositories, sync_state
from shared.context import SYSTEM, Services
from shared.errors import Conflict, NotFound, RetryLater
from shared.github import RemoteState
from shared.github_sync import gone, looks, note
from shared.jobs import Job, RepositoryStatus
from shared.models import iso
from shared.ports import Transaction
from shared.repository_records import Repository, everyone, read, stored
from shared.sync_state import Seen

log = structlog.get_logger()

AT_ONCE = 50
"""Repositories in one query."""

TIME = timedelta(seconds=100)
"""No further question is asked after this. The rest is asked about first the next time."""


def check(services: Services) -> list[Job]:
    """Ask for incremental scrapes of the repositories in which something happened.

    What GitHub tells of a repository beside that (name, stars and so on) is noted. One that is
    gone becomes ERROR, with the reason, and is scraped again when it is back. Those that were
    asked about longest ago come first. Returns the jobs. Where GitHub does not answer any more,
    the next run goes on.
    """
    github = services.github
    if github is None or not github.reads_contributions:
        return []
    ends_at = services.now() + TIME
    due = sorted(
        (one for one in everyone(services) if _is_checked(one)),
        key=lambda one: (one.checked_at or "", one.key),
    )
    asked: list[Job] = []
    for start in range(0, len(due), AT_ONCE):
        if services.now() >= ends_at:
            log.info("github_check_cut_short", left=len(due) - start)
            break
        part = due[start : start + AT_ONCE]
        try:
            remotes = github.states([str(one.node_id) for one in part])
        except RetryLater as error:
            log.warning("github_check_postponed", left=len(due) - start, reason=error.message)
            break
        asked += _compared(services, part, remotes)
    return asked


def _is_checked(repository: Repository) -> bool:
    return repository.node_id is not None and not repository.paused


def _compared(
    services: Services, part: Sequence[Repository], remotes: Sequence[RemoteState | None]
) -> list[Job]:
    """Note what was told of some repositories. Returns the scrapes that this asks for."""
    now = iso(services.now())
    states = services.documents.get(*(sync_state.path(one.github_id or 0) for one in part))
    asked: list[Job] = []
    for repository, remote, document in zip(part, remotes, states, strict=True):
        if remote is None:
            _lose(services, repository, now)
            continue
        note(services, repository.key, repository.number, remote, now)
        seen = None if document is None else sync_state.read(document).seen
        if _wants_scrape(repository, seen, looks(remote)):
            asked += _ask(services, repository)
    return asked


def _wants_scrape(repository: Repository, seen: Seen | None, now: Seen) -> bool:
    """True if something happened since it was read to its end, or if it is back."""
    if repository.active_job is not None:
        return False
    if repository.status is RepositoryStatus.ERROR:
        # Any other failure wants a person's look.
        return repository.error_message == gone(repository.name)
    return seen is not None and seen != now


def _ask(services: Services, repository: Repository) -> list[Job]:
    try:
        job, _ = repositories.request_scrape(
            services, repository.registered_as, SYSTEM, full=False, queue="default"
        )
    except (NotFound, Conflict):  # it was removed or disabled meanwhile
        return []
    return [job]


def _lose(services: Services, repository: Repository, now: str) -> None:
    """Mark a repository that GitHub does not show any more. A scrape under way finds out itself."""

    def mark(transaction: Transaction) -> None:
        document = transaction.get(f"repositories/{repository.key}")
        if document is None or document.fields["number"] != repository.number:
            return
        found = read(document)
        update: dict[str, object] = {"checked_at": now}
        if found.active_job is None and not found.paused:
            update |= {"status": RepositoryStatus.ERROR, "error_message": gone(found.name)}
        transaction.write(stored(found.model_copy(update=update)))

    services.documents.transact(mark)
    log.warning("repository_gone", repository=repository.name)
