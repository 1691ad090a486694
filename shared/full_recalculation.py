"""Every repository's boards counted anew from its contributions, in slices that name the next.

What drifted, or was counted by statements of an older version, is put right by this. The global
boards follow once for all, by their schedule.
"""

from __future__ import annotations

import structlog

from shared import audit, jobs, repositories
from shared.context import SYSTEM, Services
from shared.jobs import Job, JobType, Stage, State
from shared.ports import Transaction, Write
from shared.repositories import Repository

REPOSITORIES_A_SLICE = 50

log = structlog.get_logger()


def begin(services: Services, round_: str) -> None:
    """Put a round on the audit trail, once."""

    def note(transaction: Transaction) -> None:
        before = transaction.get("state/full_recalculation")
        if before is not None and before.fields["round"] == round_:
            return
        transaction.write(Write("state/full_recalculation", {"round": round_}))
        transaction.write(
            audit.record(
                services,
                SYSTEM,
                "recalculation.requested",
                ("recalculation", round_),
                "Recalculation of all boards requested",
            )
        )

    services.documents.transact(note)


def ask_slice(services: Services, round_: str, after: str | None) -> tuple[int, str | None]:
    """Ask for the boards of some repositories. Returns how many, and the cursor of the next slice.

    A round asks once for each, however often a slice is repeated.
    """
    page = repositories.listed(services, after=after, limit=REPOSITORIES_A_SLICE)
    found = [repositories.read(document) for document in page.documents]
    scraped = [repository for repository in found if repository.github_id is not None]
    for repository in scraped:
        _ask(services, round_, repository)
    log.info("full_recalculation_slice", repositories=len(scraped), more=page.cursor is not None)
    return len(scraped), page.cursor


def _ask(services: Services, round_: str, repository: Repository) -> None:
    fresh = jobs.new(
        services,
        SYSTEM,
        JobType.RECALCULATE_REPOSITORY,
        Stage.BOARDS,
        "bulk",
        repository=(repository.name, repository.key),
    )
    job = fresh.model_copy(update={"id": f"{round_}-{repository.github_id}", "anew": True})

    def ask(transaction: Transaction) -> Job:
        before = transaction.get(f"jobs/{job.id}")
        if before is not None:
            return jobs.read(before)
        transaction.write(jobs.stored(job))
        return job

    asked = services.documents.transact(ask)
    if asked.state is State.QUEUED:
        # Also for a job that was found: whoever stored it may have died before this.
        jobs.dispatch(services, asked)
