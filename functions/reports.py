"""Cloud Scheduler: the weekly report."""

from __future__ import annotations

import functions_framework
import structlog
from flask import Request

from functions import edge
from functions.outside import letters
from shared import weekly_report
from shared.context import Services
from shared.errors import NotFound

log = structlog.get_logger()


@functions_framework.http
def send_weekly_report(request: Request) -> tuple[str, int]:
    """Make the week's report and have it told to whoever wants it."""
    return edge.task(request, lambda services, _: send(services))


def send(services: Services) -> None:
    """Send the report, once a week. Nothing happens before there is a board."""
    try:
        report = weekly_report.this_week(services)
    except NotFound:
        log.info("weekly_report_skipped", reason="no board is published yet")
        return
    weekly_report.send(services, report, letters.weekly(report, services.settings.public_url))
    log.info("weekly_report_sent", week=report.week, movers=len(report.movers))
