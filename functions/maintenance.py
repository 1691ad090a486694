"""Cloud Scheduler: settle what got stuck."""

from __future__ import annotations

import functions_framework
from flask import Request

from functions import edge
from shared import job_steps


@functions_framework.http
def sweep_jobs(request: Request) -> tuple[str, int]:
    """Dispatch anew the jobs whose task was lost or whose worker died."""
    return edge.task(request, lambda services, _: job_steps.sweep(services))
