"""Cloud Tasks: one step of one scrape."""

from __future__ import annotations

import functions_framework
from flask import Request

from functions import edge
from shared import job_steps, scraping
from shared.context import Services


@functions_framework.http
def scrape_repository(request: Request) -> tuple[str, int]:
    """Scrape a job's repository and tell those who wait for it."""
    return edge.task(request, step)


def step(services: Services, delivery: edge.Delivery) -> None:
    """One delivery of a job's step."""
    body = delivery.body
    job = job_steps.run(
        services,
        body["job_id"],
        body["dispatch"],
        delivery.name,
        lambda running: scraping.scrape(services, running),
    )
    scraping.announce(services, job)
