"""Cloud Tasks: one step of one scrape: reading the archive, reading GitHub, crediting."""

from __future__ import annotations

import functions_framework
from flask import Request

from functions import edge
from shared import capture, github_sync, job_steps, scraping
from shared.context import Services
from shared.jobs import Stage


@functions_framework.http
def scrape_repository(request: Request) -> tuple[str, int]:
    """Scrape a job's repository and tell those who wait for it."""
    return edge.task(request, step)


_STEPS = {
    Stage.CAPTURE: capture.capture,
    Stage.SYNC: github_sync.sync,
    Stage.SCRAPE: scraping.scrape,
}


def step(services: Services, delivery: edge.Delivery) -> None:
    """One delivery of a job's step."""
    body = delivery.body
    job = job_steps.run(
        services,
        body["job_id"],
        body["dispatch"],
        delivery.name,
        lambda running: _STEPS[running.stage](services, running),
    )
    scraping.announce(services, job)
