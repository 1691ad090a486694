"""Carrying out a job's steps: deliveries, failures, and what got stuck."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog

from shared import (
    job_measures,
    job_places,
    job_records,
    job_waits,
    live_log,
    notices,
    pipeline_runs,
)
from shared.context import Services
from shared.errors import (
    BudgetWaits,
    Conflict,
    IntegrityError,
    LeaderboardError,
    RetryLater,
    Severity,
)
from shared.jobs import (
    SLACK,
    Job,
    JobError,
    Progress,
    RepositoryStatus,
    Stage,
    State,
    dispatch,
    read,
    stored,
)
from shared.live_log import Level
from shared.models import iso
from shared.ports import Json, Query, Transaction, Write
from shared.request_budget import working_for

log = structlog.get_logger()

Step = Callable[[Job], tuple[Stage | None, dict[str, Json]]]
"""A step's work: takes the job, returns the next stage (None: done) and what to note as result."""


def run(services: Services, job_id: str, number: int, delivery: str, step: Step) -> Job | None:
    """Carry out one delivery of a job's step. Returns the job if this delivery moved it on.

    ``number`` is the dispatch that the task was made for, ``delivery`` names the attempt to
    deliver it. A delivery that is too late, or that repeats one in progress, does nothing. What
    the step raises is handled here: retried later, or the job fails.
    """
    job = _begin(services, job_id, number, delivery)
    if job is None:
        return None
    with (
        structlog.contextvars.bound_contextvars(job_id=job.id, repository=job.repository),
        job_measures.step(services, job) as measured,
    ):
        try:
            with working_for(job.queue):
                next_stage, result = step(job)
        except Exception as error:  # noqa: BLE001 - a job outlives every failure of its steps
            return measured.ended(fail(services, job, error))
        return measured.ended(_told(services, _advance(services, job, next_stage, result)))


def report(services: Services, job: Job, done: int, total: int, message: str) -> None:
    """Make progress visible and renew the lease. Silent if another delivery has the job now."""

    def update(transaction: Transaction) -> None:
        now = job_places.mine(transaction, job)
        if now is not None:
            progress = Progress(done=done, total=total, message=message)
            lease = iso(services.now() + job_places.lease(services))
            reported = now.model_copy(update={"progress": progress, "due_at": lease})
            said = live_log.line(services, now, Level.INFO, message)
            for write in (*job_places.renewed(transaction, now, lease), stored(reported), said):
                transaction.write(write)

    services.documents.transact(update)
    log.info("scrape_progress", done=done, total=total, message=message)


def fail(services: Services, job: Job, error: Exception) -> Job | None:
    """Note a failed attempt: RETRYING with a later dispatch, or FAILED and a dead letter.

    What waits for the budget has not failed: it is QUEUED until the budget's renewal.
    """
    if isinstance(error, BudgetWaits):
        return job_waits.wait(services, job, error)
    known = error if isinstance(error, LeaderboardError) else None
    transient = known is None or isinstance(known, RetryLater | Conflict)
    waits = services.settings.retry_seconds
    moment = services.now()
    noted = JobError(
        code=known.code if known else "unexpected_error",
        message=known.message if known else "An unexpected error; the log has its trace.",
        severity=known.severity if known else Severity.HIGH,
        at=iso(moment),
    )
    retries = transient and job.failures < len(waits)
    wait = waits[job.failures] * (1 + services.jitter() / 10) if retries else 0.0
    not_before = moment + timedelta(seconds=wait)
    if isinstance(known, RetryLater) and known.not_before is not None:
        not_before = max(not_before, known.not_before)

    def note(transaction: Transaction) -> Job | None:
        now = job_places.mine(transaction, job)
        if now is None:
            job_places.leave(transaction, job)
            return None
        if not retries:
            return _fail_for_good(services, transaction, now, noted)
        later = now.model_copy(
            update={
                "state": State.RETRYING,
                "failures": now.failures + 1,
                "dispatches": now.dispatches + 1,
                "holder": None,
                "error": noted,
                "waits_until": iso(not_before),
                "due_at": iso(not_before + SLACK),
            }
        )
        said = live_log.line(services, now, Level.WARNING, f"will be tried again: {noted.message}")
        defect = job_records.defect(services, now, noted)
        for write in (*job_places.freed(transaction, now), stored(later), said, *defect):
            transaction.write(write)
        return later

    noted_job = services.documents.transact(note)
    level = log.exception if known is None or isinstance(known, IntegrityError) else log.warning
    event = "scrape_retrying" if retries else "scrape_failed"
    level(event, error=noted.code, reason=noted.message, severity=noted.severity.value)
    if noted_job is not None and retries:
        dispatch(services, noted_job, not_before=not_before)
    return _told(services, noted_job)


def sweep(services: Services, limit: int = 100) -> int:
    """Dispatch anew what is stuck: its task was lost, or its worker died. Returns how many.

    A lost attempt counts as a failure, so a step that kills its worker every time ends as FAILED.
    """
    moved = 0
    for state in (State.QUEUED, State.RUNNING, State.RETRYING):
        page = services.documents.query(
            Query(
                "jobs",
                (("state", "==", state.value), ("due_at", "<", iso(services.now()))),
                "due_at",
                limit=limit,
            )
        )
        for document in page.documents:
            moved += _settle(services, read(document))
    return moved


def settle_lost(services: Services, limit: int = 100) -> int:
    """Dispatch anew what is under way, without waiting for leases. Returns how many jobs moved.

    Only for the start of a system whose workers have all ended.
    """
    page = services.documents.query(
        Query("jobs", (("state", "==", State.RUNNING.value),), "due_at", limit=limit)
    )
    running = [read(document) for document in page.documents]
    return sum(_settle(services, job) for job in running if job.holder is not None)


# --- how ------------------------------------------------------------------------------------


def _begin(services: Services, job_id: str, number: int, delivery: str) -> Job | None:
    """Take the lease, or None if this delivery has nothing to do."""
    moment = services.now()

    def take(transaction: Transaction) -> tuple[Job | None, Job | None]:
        document = transaction.get(f"jobs/{job_id}")
        if document is None:
            return None, None
        job = read(document)
        if job.ended or job.dispatches != number or job.holder == delivery:
            return None, None
        if job.stage in job_places.PLACES and not job_places.take(services, transaction, job):
            # The same dispatch cannot come again under its name: the next one waits a little.
            waiting = job.model_copy(
                update={"dispatches": job.dispatches + 1, "due_at": iso(moment + SLACK)}
            )
            transaction.write(stored(waiting))
            return None, waiting
        running = job.model_copy(
            update={
                "state": State.RUNNING,
                "holder": delivery,
                "started_at": job.started_at or iso(moment),
                "waits_until": None,
                "due_at": iso(moment + job_places.lease(services)),
            }
        )
        transaction.write(stored(running))
        if job.started_at is None:
            transaction.write(live_log.line(services, job, Level.INFO, "started"))
            transaction.write(job_records.started(services, running))
        return running, None

    running, waiting = services.documents.transact(take)
    if waiting is not None:
        dispatch(services, waiting, not_before=moment + timedelta(seconds=5))
    return running


def _advance(
    services: Services, job: Job, next_stage: Stage | None, result: dict[str, Json]
) -> Job | None:
    """Move the job to its next stage, or complete it."""
    moment = services.now()

    def move(transaction: Transaction) -> Job | None:
        now = job_places.mine(transaction, job)
        if now is None:
            job_places.leave(transaction, job)
            return None
        update: dict[str, object] = {
            "holder": None,
            "error": None,
            "result": {**now.result, **result},
        }
        writes = job_places.freed(transaction, now)
        if next_stage is None:
            writes += _ended(transaction, now, RepositoryStatus.COMPLETED, None)
            done = Progress(done=now.progress.total, total=now.progress.total, message="done")
            update |= {"state": State.COMPLETED, "finished_at": iso(moment), "progress": done}
        else:
            update |= {
                "stage": next_stage,
                "dispatches": now.dispatches + 1,
                "failures": 0,
                "due_at": iso(moment + SLACK),
            }
        moved = now.model_copy(update=update)
        if moved.ended:
            writes.append(live_log.line(services, now, Level.INFO, "completed"))
            writes += job_records.completed(services, moved)
        for write in (*writes, stored(moved)):
            transaction.write(write)
        return moved

    return services.documents.transact(move)


def _is_of_pipeline(job: Job) -> bool:
    """True where a run tells of all its parts when it ends."""
    return job.requested_by.startswith("pipeline:")


def _fail_for_good(services: Services, transaction: Transaction, job: Job, error: JobError) -> Job:
    writes = job_places.freed(transaction, job)
    writes += _ended(transaction, job, RepositoryStatus.ERROR, error.message)
    failed = job.model_copy(
        update={
            "state": State.FAILED,
            "failures": job.failures + 1,
            "holder": None,
            "error": error,
            "finished_at": error.at,
        }
    )
    letter: dict[str, Json] = {
        "job_id": job.id,
        "type": job.type.value,
        "failed_at": error.at,
        "reason": error.code,
        "settled_at": None,
    }
    said = live_log.line(services, job, Level.ERROR, f"failed: {error.message}")
    told = (
        []
        if _is_of_pipeline(job)
        else notices.writes(
            services,
            f"job-{job.id}-{job.dispatches}",
            "job_failed",
            f"A job failed: {job.type.value.replace('_', ' ')}"
            + (f" of {job.repository}" if job.repository else ""),
            text=error.message,
            page=f"/jobs/{job.id}",
            details={**letter, "repository": job.repository, "message": error.message},
        )
    )
    writes.append(job_records.failed(services, failed, error))
    for write in (*writes, *told, stored(failed), Write(f"dead_letters/{job.id}", letter), said):
        transaction.write(write)
    return failed


def _ended(
    transaction: Transaction,
    job: Job,
    status: RepositoryStatus,
    message: str | None,
) -> list[Write]:
    """What the end of a job means for its repository."""
    if job.repository_key is None:
        return []
    document = transaction.get(f"repositories/{job.repository_key}")
    if document is None or document.fields["active_job"] != job.id:
        return []
    fields = {**document.fields, "active_job": None, "error_message": message}
    if document.fields["status"] != RepositoryStatus.DISABLED:
        fields["status"] = status.value
    return [Write(document.path, fields)]


def _settle(services: Services, job: Job) -> bool:
    """Dispatch one stuck job anew. A delivery that is alive after all finds itself too late."""
    lost = job.state is State.RUNNING and job.holder is not None
    moment = services.now()

    def settle(transaction: Transaction) -> Job | None:
        document = transaction.get(f"jobs/{job.id}")
        now = read(document) if document else None
        if now is None or now != job:
            return None
        if lost and now.failures >= len(services.settings.retry_seconds):
            error = JobError(
                code="worker_lost",
                message="Its worker died or ran out of time again and again.",
                severity=Severity.HIGH,
                at=iso(moment),
            )
            return _fail_for_good(services, transaction, now, error)
        again = now.model_copy(
            update={
                "dispatches": now.dispatches + 1,
                "failures": now.failures + lost,
                "holder": None,
                "waits_until": None,
                "due_at": iso(moment + SLACK),
            }
        )
        said = "lost its worker and is begun anew" if lost else "is begun anew: its task was lost"
        writes = (stored(again), live_log.line(services, now, Level.WARNING, said))
        for write in (*job_places.freed(transaction, now), *writes):
            transaction.write(write)
        return again

    settled = services.documents.transact(settle)
    if settled is None:
        return False
    log.warning("job_settled", job_id=job.id, state=settled.state.value, lost=lost)
    if not settled.ended:
        dispatch(services, settled)
    _told(services, settled)
    return True


def _told(services: Services, job: Job | None) -> Job | None:
    """Prompt the pipeline runs that wait for a job's end. What is lost here, their sweep finds."""
    if job is not None and job.ended:
        job_measures.ended(services, job)
        for run_id in job.awaited_by:
            pipeline_runs.prompt(services, run_id, f"after-{job.id}")
    return job
