"""Boards: Pub/Sub says what changed, Cloud Tasks carries out the recalculation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import functions_framework
from cloudevents.http import CloudEvent
from flask import Request

from functions import edge
from shared import (
    full_recalculation,
    global_requests,
    job_steps,
    jobs,
    people_work,
    recalculation,
)
from shared.context import Services
from shared.jobs import JobType, State
from shared.ports import Task


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


@functions_framework.http
def recalculate_everything(request: Request) -> tuple[str, int]:
    """Cloud Scheduler: count a slice of all repositories anew; the next is a task."""
    return edge.task(request, everything)


def everything(services: Services, delivery: edge.Delivery) -> None:
    """One delivery: of a set time, which begins a round, or of a round's next slice."""
    body = delivery.body
    round_ = body.get("round") or edge.round_of(services, "anew", delivery)
    number = int(body.get("slice", 0))
    if number == 0:
        full_recalculation.begin(services, round_)
    _, cursor = full_recalculation.ask_slice(services, round_, body.get("after"))
    if cursor is not None:
        services.tasks.add(
            Task(
                name=f"{round_}-slice-{number + 1}",
                function="recalculate_everything",
                body={"round": round_, "slice": number + 1, "after": cursor},
                queue="bulk",
            )
        )


def enqueue(services: Services, data: Mapping[str, Any]) -> None:
    """What a message asks for: the next stage of its job, else the global boards."""
    if "job_id" in data:
        jobs.dispatch(services, jobs.get(services, data["job_id"]))
    else:
        global_requests.request_global(services)


_STEPS = {
    JobType.FORGET_PERSON: people_work.apply,
    JobType.APPLY_PEOPLE: people_work.apply,
}


def step(services: Services, delivery: edge.Delivery) -> None:
    """One delivery of a job's step."""
    body = delivery.body
    job = job_steps.run(
        services,
        body["job_id"],
        body["dispatch"],
        delivery.name,
        lambda running: _STEPS.get(running.type, recalculation.recalculate)(services, running),
    )
    if job is not None and job.state is State.RUNNING:
        jobs.dispatch(services, job)
