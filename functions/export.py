"""Cloud Tasks: a file that is too large to be made while somebody waits."""

from __future__ import annotations

import functions_framework
from flask import Request

from functions import edge
from shared import export_work, job_steps, jobs
from shared.context import Services
from shared.jobs import State


@functions_framework.http
def export_data(request: Request) -> tuple[str, int]:
    """Write an export's file, and tell that it is ready."""
    return edge.task(request, step)


def step(services: Services, delivery: edge.Delivery) -> None:
    """One delivery of a job's step."""
    body = delivery.body
    job = job_steps.run(
        services,
        body["job_id"],
        body["dispatch"],
        delivery.name,
        lambda running: export_work.make(services, running),
    )
    if job is not None and job.state is State.RUNNING:
        jobs.dispatch(services, job)
