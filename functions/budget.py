"""Cloud Scheduler: what was spent."""

from __future__ import annotations

import functions_framework
from flask import Request

from functions import edge
from shared import costs


@functions_framework.http
def report_budget(request: Request) -> tuple[str, int]:
    """Reconcile yesterday's costs with the warehouse's books, and log how the budget stands."""
    return edge.task(request, lambda services, _: costs.report(services))
