"""Cloud Scheduler: settle what got stuck."""

from __future__ import annotations

import functions_framework
from flask import Request

from functions import edge
from shared import costs, job_steps
from shared.context import Services


@functions_framework.http
def sweep_jobs(request: Request) -> tuple[str, int]:
    """Dispatch anew the jobs whose task or worker was lost, and settle what those reserved."""
    return edge.task(request, lambda services, _: _sweep(services))


def _sweep(services: Services) -> None:
    job_steps.sweep(services)
    costs.sweep(services)
