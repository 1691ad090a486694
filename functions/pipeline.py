"""Cloud Scheduler: refresh what is stale."""

from __future__ import annotations

import functions_framework
from flask import Request

from functions import edge
from shared import repositories

REPOSITORIES_A_RUN = 5
"""Scrapes that one run asks for, so that a day's budget is spread over the day."""


@functions_framework.http
def refresh_stale_repositories(request: Request) -> tuple[str, int]:
    """Ask for incremental scrapes of repositories whose data is older than a day."""
    return edge.task(
        request, lambda services, _: repositories.refresh_stale(services, REPOSITORIES_A_RUN)
    )
