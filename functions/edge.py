"""The edge: decode what a trigger brings, bind its context, turn errors into statuses.

Who may call is decided before: by IAM in the cloud, by the internal secret on one machine
(``infra/local/serving.py``).
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from cloudevents.http import CloudEvent
from flask import Request

from infra import logs
from infra.services import services
from shared.context import Services
from shared.errors import (
    BudgetRefused,
    Conflict,
    Forbidden,
    LeaderboardError,
    NotFound,
    Rejected,
    RetryLater,
    Unauthenticated,
)

log = structlog.get_logger()

STATUSES: Mapping[type[LeaderboardError], int] = {
    Rejected: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    BudgetRefused: 402,
    RetryLater: 503,
}
"""The only place that knows which error is which status; others are 500."""


def status_of(error: LeaderboardError) -> int:
    return next((status for type_, status in STATUSES.items() if isinstance(error, type_)), 500)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A decoded task: its body, and a name for this attempt to deliver it."""

    body: Mapping[str, Any]
    name: str


def started() -> Services:
    """The services, with logging set up."""
    found = services()
    if not structlog.is_configured():
        logs.configure(found.settings)
    return found


def task(request: Request, work: Callable[[Services, Delivery], object]) -> tuple[str, int]:
    """Run the work of a task or schedule. 204 when it is done or can never be done.

    A status of 500 and more makes the platform deliver it again.
    """
    retry = request.headers.get("X-CloudTasks-TaskRetryCount", "0")
    name = request.headers.get("X-CloudTasks-TaskName") or request.headers.get(
        "X-CloudScheduler-ScheduleTime", "direct"
    )
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        log.error("validation_error", function=request.path, reason="the body is no JSON object")
        return "", 204
    return _guarded(name, lambda s: work(s, Delivery(body, f"{name}#{retry}")))


def event(received: CloudEvent, work: Callable[[Services, Mapping[str, Any]], object]) -> None:
    """Run the work of a Pub/Sub message on its JSON data. Raises to have it delivered again."""
    message = received.data["message"]
    data = json.loads(base64.b64decode(message["data"]))
    _, status = _guarded(f"message {message['messageId']}", lambda s: work(s, data))
    if status >= 500:
        raise RuntimeError(f"message {message['messageId']} is to be delivered again")


def _guarded(name: str, work: Callable[[Services], object]) -> tuple[str, int]:
    clock = time.monotonic()
    found = started()
    with structlog.contextvars.bound_contextvars(delivery=name):
        try:
            work(found)
        except RetryLater as error:
            log.warning("delivery_postponed", reason=error.message)
            return "", 503
        except LeaderboardError as error:
            log.warning("delivery_refused", error=error.code, reason=error.message)
            return "", 204
        log.debug("delivery_done", duration_ms=int((time.monotonic() - clock) * 1000))
        return "", 204
