"""Asking for the global boards to be brought up to date."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from shared import jobs
from shared.context import SYSTEM, Caller, Services
from shared.jobs import Job, JobType, Stage
from shared.ports import Transaction, Write

_STATE = "state/global"


def new(services: Services, caller: Caller) -> Job:
    """A job for the global boards, not stored yet."""
    return jobs.new(services, caller, JobType.RECALCULATE_GLOBAL, Stage.GLOBAL, "default")


def noted(transaction: Transaction, job: Job) -> tuple[Job, Sequence[Write]]:
    """The job that answers a request made in this transaction, and what is to be written for it.

    That is the one that waits already, else ``job``. Reads, so it comes before any write.
    """
    state = transaction.get(_STATE)
    waiting = transaction.get(f"jobs/{state.fields['job']}") if state else None
    if waiting is not None and jobs.read(waiting).state is jobs.State.QUEUED:
        return jobs.read(waiting), ()
    return job, (Write(_STATE, {"job": job.id}), jobs.stored(job))


def request_global(services: Services, caller: Caller = SYSTEM) -> Job:
    """Ask for the global boards to be brought up to date. Requests before it starts share one job.

    Each request is noted before the job's end is looked at, so none falls between two jobs.
    """
    job = new(services, caller)

    def ask(transaction: Transaction) -> Job:
        asked, writes = noted(transaction, job)
        for write in writes:
            transaction.write(write)
        return asked

    asked = services.documents.transact(ask)
    # Also for a job that was found: whoever noted it may have died before this.
    settle = timedelta(seconds=services.settings.settle_seconds)
    jobs.dispatch(services, asked, not_before=services.now() + settle)
    return asked
