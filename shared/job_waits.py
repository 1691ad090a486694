"""Jobs that wait for the budget: neither failed nor stuck, and on their way when it is renewed."""

from __future__ import annotations

from datetime import timedelta

import structlog

from shared import job_places, live_log
from shared.context import Services
from shared.errors import AllowanceWaits, BudgetWaits
from shared.jobs import SLACK, Job, JobError, State, dispatch, read, stored
from shared.live_log import Level
from shared.models import iso
from shared.ports import Query, Transaction

log = structlog.get_logger()

_LONGEST_DELAY = timedelta(days=29)
"""A task can be postponed by 30 days at most. A job that comes sooner waits once more."""

_SPREAD = timedelta(minutes=2)
"""What waits for one midnight does not all come in its first second."""


def wait(services: Services, job: Job, why: BudgetWaits) -> Job | None:
    """Put a step off until the budget is renewed. None if another delivery has the job now."""
    moment = services.now()
    until = why.not_before or moment + timedelta(hours=1)
    # GitHub's allowance is given out in the order of the queues: their times differ already.
    spread = timedelta(0) if isinstance(why, AllowanceWaits) else _SPREAD * services.jitter()
    due = min(until + spread, moment + _LONGEST_DELAY)
    reason = JobError(code=why.code, message=why.message, severity=why.severity, at=iso(moment))

    def note(transaction: Transaction) -> Job | None:
        now = job_places.mine(transaction, job)
        if now is None:
            job_places.leave(transaction, job)
            return None
        what = "GitHub" if isinstance(why, AllowanceWaits) else "budget"
        message = f"waits for {what} until {until:%Y-%m-%d %H:%M} UTC"
        waiting = now.model_copy(
            update={
                "state": State.QUEUED,
                "dispatches": now.dispatches + 1,
                "holder": None,
                "error": reason,
                "progress": now.progress.model_copy(update={"message": message}),
                "waits_until": iso(until),
                "due_at": iso(due + SLACK),
            }
        )
        said = live_log.line(services, now, Level.INFO, message)
        for write in (*job_places.freed(transaction, now), stored(waiting), said):
            transaction.write(write)
        return waiting

    waiting = services.documents.transact(note)
    log.info("scrape_waits_for_budget", until=iso(until), reason=why.message)
    if waiting is not None:
        dispatch(services, waiting, not_before=due)
    return waiting


def wake(services: Services, limit: int = 500) -> int:
    """Let the next sweep try again what waits for the budget. Returns how many jobs.

    For a budget that has grown before its renewal.
    """
    moment = iso(services.now())
    page = services.documents.query(
        Query(
            "jobs",
            (("state", "==", State.QUEUED.value), ("due_at", ">", moment)),
            "due_at",
            limit=limit,
        )
    )
    waiting = [job for job in map(read, page.documents) if job.waits_for_budget]

    return sum(_hurried(services, job, moment) for job in waiting)


def _hurried(services: Services, job: Job, due_at: str) -> bool:
    def hurry(transaction: Transaction) -> bool:
        document = transaction.get(f"jobs/{job.id}")
        if document is None or read(document) != job:
            return False
        transaction.write(stored(job.model_copy(update={"due_at": due_at})))
        return True

    return services.documents.transact(hurry)
