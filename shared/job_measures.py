"""What is measured of jobs and their steps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from shared.context import Services
from shared.jobs import Job, State
from shared.metrics import JOB_SECONDS, JOBS, STEP_SECONDS
from shared.models import parse_time
from shared.telemetry import Span

_OUTCOMES = {
    State.RUNNING: "done",
    State.COMPLETED: "done",
    State.RETRYING: "retrying",
    State.QUEUED: "waiting",
    State.FAILED: "failed",
}
"""What became of a step, by the state that its job is in after it."""


@dataclass(slots=True)
class Measured:
    """A step under way. One of which nothing is told was lost to another delivery."""

    span: Span
    outcome: str = "lost"

    def ended(self, job: Job | None) -> Job | None:
        """Note what became of the step, and give the job back."""
        if job is not None:
            self.outcome = _OUTCOMES.get(job.state, "lost")
            if job.error is not None and self.outcome != "done":
                self.span.fail(job.error.code)
        return job


@contextmanager
def step(services: Services, job: Job) -> Iterator[Measured]:
    """Measure a step of a job around the block, with a span in the trace of its delivery."""
    began = services.now()
    about = {"job.id": job.id, "job.type": job.type.value, "job.stage": job.stage.value}
    with services.telemetry.span(f"step {job.stage.value}", about) as span:
        measured = Measured(span)
        try:
            yield measured
        finally:
            span.note({"outcome": measured.outcome})
            services.telemetry.measure(
                STEP_SECONDS,
                (services.now() - began).total_seconds(),
                stage=job.stage.value,
                outcome=measured.outcome,
            )


def ended(services: Services, job: Job) -> None:
    """Count a job that has just ended."""
    labels = {"type": job.type.value, "outcome": job.state.value.lower()}
    services.telemetry.measure(JOBS, **labels)
    if job.started_at is not None and job.finished_at is not None:
        took = parse_time(job.finished_at) - parse_time(job.started_at)
        services.telemetry.measure(JOB_SECONDS, took.total_seconds(), **labels)
