"""Boards: Pub/Sub says what changed, Cloud Tasks carries out the recalculation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import functions_framework
from cloudevents.http import CloudEvent
from flask import Request

from functions import edge
from shared import global_requests, job_steps, jobs, recalculation
from shared.context import Services


@functions_framework.cloud_event
def recalculate_leaderboards(event: CloudEvent) -> None:
    """Turn a scraped repository, or a changed board, into a named task."""
    edge.event(event, enqueue)


@functions_framework.http
def recalculate_board(request: Request) -> tuple[str, int]:
    """Publish the boards that a job asks for."""
    return edge.task(request, step)


@functions_framework.http
def recalculate_global_leaderboard(request: Request) -> tuple[str, int]:
    """Cloud Scheduler: bring the global boards up to date if anything changed since they were."""
    return edge.task(
        request, lambda services, _: global_requests.request_global_if_changed(services)
    )


def enqueue(services: Services, data: Mapping[str, Any]) -> None:
    """What a message asks for: the next stage of its job, else the global boards."""
    if "job_id" in data:
        jobs.dispatch(services, jobs.get(services, data["job_id"]))
    else:
        global_requests.request_global(services)


def step(services: Services, delivery: edge.Delivery) -> None:
    """One delivery of a job's step."""
    body = delivery.body
    job_steps.run(
        services,
        body["job_id"],
        body["dispatch"],
        delivery.name,
        lambda running: recalculation.recalculate(services, running),
    )
