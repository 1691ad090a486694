"""What people do about jobs: end one that goes on, begin one again that failed."""

from __future__ import annotations

import structlog

from shared import audit, job_measures, jobs, live_log, pipeline_runs, repositories
from shared.context import Caller, Services
from shared.errors import Conflict, NotFound
from shared.jobs import SLACK, Job, Progress, RepositoryStatus, State
from shared.live_log import Level
from shared.models import iso
from shared.ports import Transaction, Write
from shared.repositories import Repository

log = structlog.get_logger()


def cancel(services: Services, caller: Caller, job_id: str) -> Job:
    """End a job. A worker that is at it finds out at its next report, and its step has no effect.

    A repeat changes nothing. What schedules ask for comes again at its set time. Raises NotFound,
    Conflict for a job that has ended otherwise.
    """

    def stop(transaction: Transaction) -> tuple[Job, bool]:
        job = _get(transaction, job_id)
        if job.state is State.CANCELLED:
            return job, False
        if job.ended:
            raise Conflict(
                f"This job has ended: it is {job.state.value}.", details={"state": job.state.value}
            )
        freed = _freed(transaction, job)
        cancelled, writes = ended_by_hand(services, caller, job)
        for write in (*freed, *writes):
            transaction.write(write)
        return cancelled, True

    job, is_new = services.documents.transact(stop)
    after_cancelling(services, caller, job, is_new=is_new)
    return job


def ended_by_hand(services: Services, caller: Caller, job: Job) -> tuple[Job, list[Write]]:
    """A job that goes on as it is cancelled, and what is written of that beside its repository."""
    # Its place among the few is given back by the worker, or expires with the lease.
    cancelled = job.model_copy(
        update={
            "state": State.CANCELLED,
            "holder": None,
            "waits_until": None,
            "finished_at": iso(services.now()),
        }
    )
    noted = _audited(services, caller, "job.cancelled", cancelled, job.state)
    said = live_log.line(services, cancelled, Level.INFO, "cancelled")
    return cancelled, [jobs.stored(cancelled), noted, said]


def after_cancelling(services: Services, caller: Caller, job: Job, *, is_new: bool) -> None:
    """What follows the transaction that cancelled a job: it is counted, and runs that wait for it
    are prompted.

    Safe to repeat for one that is cancelled already; such a one is not new, and not counted.
    """
    if is_new:
        job_measures.ended(services, job)
        log.info("job_cancelled", job_id=job.id, by=caller.actor)
    for run_id in job.awaited_by:
        pipeline_runs.prompt(services, run_id, f"after-{job.id}")


def retry(services: Services, caller: Caller, job_id: str) -> Job:
    """Begin the stage again at which a job failed or was cancelled; its dead letter is settled.

    One that is under way is returned as it is, so a repeat changes nothing. Raises NotFound,
    Conflict for a job that is completed, or whose repository is gone, disabled or being worked on.
    """
    moment = services.now()

    def begin(transaction: Transaction) -> tuple[Job, bool]:
        job = _get(transaction, job_id)
        if not job.ended:
            return job, False
        if job.state is State.COMPLETED:
            raise Conflict("This job is completed. Ask for a new one.")
        taken = _taken(transaction, job)
        letter = transaction.get(f"dead_letters/{job.id}")
        again = job.model_copy(
            update={
                "state": State.QUEUED,
                "dispatches": job.dispatches + 1,
                "failures": 0,
                "holder": None,
                "error": None,
                "waits_until": None,
                "finished_at": None,
                "progress": Progress(),
                "due_at": iso(moment + SLACK),
                "awaited_by": (),
            }
        )
        for write in (*taken, jobs.stored(again)):
            transaction.write(write)
        if letter is not None:
            settled = {"settled_at": iso(moment), "settled_as": "retried"}
            transaction.write(Write(letter.path, {**letter.fields, **settled}))
        transaction.write(_audited(services, caller, "job.retried", again, job.state))
        transaction.write(live_log.line(services, again, Level.INFO, "begun again"))
        return again, True

    job, is_new = services.documents.transact(begin)
    if job.state is State.QUEUED and job.waits_until is None:
        # Also for one that was found: whoever noted it may have died before this.
        jobs.dispatch(services, job)
    if is_new:
        log.info("job_retried", job_id=job.id, by=caller.actor)
    return job


def _get(transaction: Transaction, job_id: str) -> Job:
    document = transaction.get(f"jobs/{job_id}")
    if document is None:
        raise NotFound(f"There is no job {job_id[:60]}.", details={"job": job_id[:60]})
    return jobs.read(document)


def _freed(transaction: Transaction, job: Job) -> list[Write]:
    """What lets go of the job's repository."""
    repository = _repository(transaction, job)
    if repository is None or repository.active_job != job.id:
        return []
    return [_with_job(repository, None)]


def _taken(transaction: Transaction, job: Job) -> list[Write]:
    """What gives the job its repository back. Raises Conflict."""
    if job.repository_key is None:
        return []
    repository = _repository(transaction, job)
    if repository is None:
        raise Conflict(f"{job.repository} is not registered any more.")
    if repository.paused:
        raise Conflict(f"{repository.name} is disabled. Enable it first.")
    other = repository.active_job
    active = transaction.get(f"jobs/{other}") if other is not None and other != job.id else None
    if active is not None and not jobs.read(active).ended:
        raise Conflict(
            f"Another job works on {repository.name} already: {active.id}.",
            details={"job": active.id},
        )
    return [_with_job(repository, job.id)]


def _repository(transaction: Transaction, job: Job) -> Repository | None:
    if job.repository_key is None:
        return None
    document = transaction.get(f"repositories/{job.repository_key}")
    return None if document is None else repositories.read(document)


def _with_job(repository: Repository, job_id: str | None) -> Write:
    update: dict[str, object] = {"active_job": job_id, "error_message": None}
    if not repository.paused:
        never = repository.last_scraped_at is None
        update["status"] = RepositoryStatus.PENDING if never else RepositoryStatus.COMPLETED
    return repositories.stored(repository.model_copy(update=update))


def _audited(services: Services, caller: Caller, action: str, job: Job, before: State) -> Write:
    what = job.type.value.replace("_", " ")
    of = f" of {job.repository}" if job.repository else ""
    return audit.record(
        services,
        caller,
        action,
        ("job", job.id),
        f"{what}{of} {action.split('.')[1]}",
        old={"state": before.value},
        new={"state": job.state.value},
    )
