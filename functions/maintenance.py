"""Cloud Scheduler: settle what got stuck."""

from __future__ import annotations

import functions_framework
from flask import Request

from functions import edge
from shared import job_steps, pipeline
from shared.context import Services


@functions_framework.http
def sweep_jobs(request: Request) -> tuple[str, int]:
    """Dispatch anew the jobs whose task was lost or whose worker died, and the pipeline's runs."""
    return edge.task(request, lambda services, _: sweep(services))


def sweep(services: Services) -> None:
    """Settle what got stuck."""
    job_steps.sweep(services)
    pipeline.sweep(services)
