"""Cloud Scheduler and Cloud Tasks: the nightly pipeline, and the refresh of what is stale."""

from __future__ import annotations

import functions_framework
from flask import Request

from functions import edge
from shared import github_check, pipeline, pipeline_runs, staleness
from shared.context import SYSTEM, Services

REPOSITORIES_A_RUN = 5
"""Scrapes that one refresh asks for, so that a day's budget is spread over the day."""

NIGHTLY = "nightly"


@functions_framework.http
def run_pipeline(request: Request) -> tuple[str, int]:
    """Start the nightly run (Cloud Scheduler), or carry one on (Cloud Tasks, with its run_id)."""
    return edge.task(request, step)


@functions_framework.http
def refresh_stale_repositories(request: Request) -> tuple[str, int]:
    """Ask for incremental scrapes where something happened, or where data is older than a day."""
    return edge.task(request, lambda services, _: refresh(services))


def refresh(services: Services) -> None:
    """What GitHub says has changed; then what is stale."""
    github_check.check(services)
    staleness.refresh_stale(services, REPOSITORIES_A_RUN)


def step(services: Services, delivery: edge.Delivery) -> None:
    """One delivery: of a set time, which starts a run, or of a prompt."""
    run_id = delivery.body.get("run_id")
    if run_id is not None:
        pipeline.advance(services, run_id)
        return
    once = None if delivery.occasion is None else f"{NIGHTLY} {delivery.occasion}"
    pipeline_runs.start(services, SYSTEM, NIGHTLY, once=once)
