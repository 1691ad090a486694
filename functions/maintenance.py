"""Cloud Scheduler: settle what got stuck, remove what is no longer kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import functions_framework
import structlog
from flask import Request

from functions import edge
from shared import (
    audit_seals,
    audit_watch,
    costs,
    enrichment_steps,
    job_steps,
    live_log,
    notices,
    pipeline,
    retention,
    system_state,
)
from shared.context import Services
from shared.errors import LeaderboardError
from shared.ports import Task
from shared.retention import Slice

log = structlog.get_logger()


@functions_framework.http
def sweep_jobs(request: Request) -> tuple[str, int]:
    """Dispatch anew what lost its task or its worker, and settle what those reserved."""
    return edge.task(request, lambda services, _: sweep(services))


@functions_framework.http
def apply_retention(request: Request) -> tuple[str, int]:
    """Remove a slice of what is older than the owner wants it kept; the next is a task."""
    return edge.task(request, retain)


def retain(services: Services, delivery: edge.Delivery) -> None:
    """One delivery: of a set time, which begins a round, or of a round's next slice."""
    body = delivery.body
    round_ = body.get("round") or edge.round_of(services, "retention", delivery)
    number = int(body.get("slice", 0))
    slice_ = retention.first() if number == 0 else Slice(body["sweep"], body["after"])
    following = retention.apply_slice(services, slice_, round_).following
    if following is not None:
        services.tasks.add(
            Task(
                name=f"{round_}-slice-{number + 1}",
                function="apply_retention",
                body={
                    "round": round_,
                    "slice": number + 1,
                    "sweep": following.sweep,
                    "after": following.after,
                },
                queue="low",
            )
        )


def sweep(services: Services) -> None:
    """Settle what got stuck, drop old lines of the log, seal the trail, check it, send notices.

    Nobody else comes by so often, so it also measures how the system stands. A part that fails
    keeps none of the others from its work; the first error is raised at the end, so that the
    platform calls again.
    """
    failed: list[Exception] = []
    for name, part in _PARTS.items():
        try:
            part(services)
        except LeaderboardError as error:
            log.warning("sweep_part_failed", part=name, error=error.code, reason=error.message)
            failed.append(error)
        except Exception as error:
            log.exception("sweep_part_failed", part=name)
            failed.append(error)
    if failed:
        raise failed[0]


_PARTS: Mapping[str, Callable[[Services], object]] = {
    "jobs": job_steps.sweep,
    "pipeline": pipeline.sweep,
    "costs": costs.sweep,
    "enrichment": enrichment_steps.sweep,
    "live log": live_log.expire,
    "seals": audit_seals.seal,
    "audit check": audit_watch.check,
    "notices": notices.sweep,
    "gauges": system_state.push,
}
