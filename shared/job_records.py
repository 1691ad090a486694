"""What the audit trail says of jobs that go by themselves; people's doings are ``job_control``'s.

Each record goes into the transaction that changes the job. A person's job names nobody.
"""

from __future__ import annotations

from shared import audit
from shared.context import SYSTEM, Services
from shared.errors import Severity
from shared.jobs import Job, JobError, Stage
from shared.ports import Json, Write

_BOARDS = (Stage.BOARDS, Stage.GLOBAL)


def started(services: Services, job: Job) -> Write:
    """The first step of a job begins."""
    return _record(services, job, "job.started")


def completed(services: Services, job: Job) -> list[Write]:
    """A job is done, and so are the boards that its last step has made."""
    writes = [_record(services, job, "job.completed")]
    if job.stage in _BOARDS:
        board = job.repository or "global"
        writes.append(
            audit.record(
                services,
                SYSTEM,
                "leaderboard.recalculated",
                ("leaderboard", board),
                f"Boards of {board} recalculated" if job.repository else "Boards recalculated",
                new={"job": job.id, "boards": job.result.get("boards")},
            )
        )
    return writes


def failed(services: Services, job: Job, error: JobError) -> Write:
    """A job failed for good."""
    return _record(services, job, "job.failed", error)


def defect(services: Services, job: Job, error: JobError) -> list[Write]:
    """A step failed as none should, and will be tried again. What may pass is not recorded."""
    if error.severity in (Severity.LOW, Severity.MEDIUM):
        return []
    return [_record(services, job, "error.in_job", error)]


def _record(services: Services, job: Job, action: str, error: JobError | None = None) -> Write:
    what = job.type.value.replace("_", " ")
    of = f" of {job.repository}" if job.repository else ""
    new: dict[str, Json] = {
        "state": job.state.value,
        "type": job.type.value,
        "repository": job.repository,
        "stage": job.stage.value,
    }
    if error is not None:
        new["error"] = error.code
        if job.repository is not None:
            new["message"] = error.message
    verb = action.split(".")[1].replace("_", " ")
    return audit.record(
        services,
        SYSTEM,
        action,
        ("job", job.id),
        f"{what}{of}: {verb}" if error is None else f"{what}{of}: {verb}, {error.code}",
        new=new,
        severity=None if error is None else error.severity,
    )
