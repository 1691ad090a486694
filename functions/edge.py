"""The edge: decode what a trigger brings, bind its context, turn errors into statuses.

Who may call a trigger is decided before, by IAM in the cloud, by the internal secret on one machine
(``infra/local/serving.py``), and once more here, by the token that the call carries.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

import structlog
from cloudevents.http import CloudEvent
from flask import Request
from flask import request as current_call
from werkzeug.exceptions import Forbidden as NotForStrangers
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from functions import measuring
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
    TooManyRequests,
    Unauthenticated,
)
from shared.telemetry import TRACEPARENT

log = structlog.get_logger()


class BodyTooLarge(Rejected):
    """More than the API reads."""

    code = "body_too_large"


class NotJson(Rejected):
    """A body of another media type."""

    code = "unsupported_media_type"


STATUSES: Mapping[type[LeaderboardError], int] = {
    BodyTooLarge: 413,
    NotJson: 415,
    Rejected: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    BudgetRefused: 402,
    TooManyRequests: 429,
    RetryLater: 503,
}
"""The only place that knows which error is which status; others are 500."""

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]")

INTERNAL_ERROR = "internal_error"

_ADDRESS_ERRORS: Mapping[int, tuple[str, str]] = {
    400: ("invalid_request", "The request could not be read. Check its form."),
    404: ("not_found", "There is nothing at this address. /docs lists the addresses there are."),
    405: ("method_not_allowed", "This address does not take that method. Allow says which."),
    413: (BodyTooLarge.code, "The body is too large."),
}
"""What is said of errors that have no type here, because no code of ours was reached."""


def status_of(error: LeaderboardError | type[LeaderboardError]) -> int:
    """The status of an error or of a type of errors."""
    type_ = error if isinstance(error, type) else type(error)
    return next((status for known, status in STATUSES.items() if issubclass(type_, known)), 500)


@dataclass(frozen=True, slots=True)
class Failure:
    """What a caller is told of an error. ``headers`` belong to the answer."""

    status: int
    code: str
    message: str
    details: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        """True if the caller could do nothing about it."""
        return self.status >= 500

    def body(self, request_id: str) -> dict[str, object]:
        return {
            "error": self.code,
            "message": self.message,
            "details": dict(self.details),
            "request_id": request_id,
        }


def failure_of(error: Exception, now: datetime | None = None) -> Failure:
    """The failure to show for any exception. What is unexpected says nothing of its inside.

    ``now`` makes the seconds of Retry-After from the time that an error names.
    """
    if isinstance(error, LeaderboardError):
        status = status_of(error)
        headers: dict[str, str] = {}
        if isinstance(error, Unauthenticated):
            headers["WWW-Authenticate"] = 'ApiKey header="X-API-Key"'
        if isinstance(error, TooManyRequests):
            headers["Retry-After"] = str(error.seconds)
        if isinstance(error, RetryLater):
            wait = (error.not_before - now).total_seconds() if error.not_before and now else 5
            headers["Retry-After"] = str(max(int(wait), 1))
        return Failure(status, error.code, error.message, error.details, headers)
    if isinstance(error, HTTPException) and error.code is not None and error.code < 500:
        allowed = error.valid_methods if isinstance(error, MethodNotAllowed) else None
        status = error.code
        name = HTTPStatus(status).phrase
        code, message = _ADDRESS_ERRORS.get(status, (name.lower().replace(" ", "_"), f"{name}."))
        return Failure(
            status, code, message, headers={"Allow": ", ".join(sorted(allowed))} if allowed else {}
        )
    return Failure(
        500, INTERNAL_ERROR, "Something went wrong here. The log has the details by request_id."
    )


@dataclass(frozen=True, slots=True)
class Delivery:
    """A decoded task: its body, and a name for this attempt to deliver it."""

    body: Mapping[str, Any]
    name: str
    occasion: str | None = None
    """The task or set time that is delivered, the same for every attempt. None by hand."""


def round_of(services: Services, kind: str, delivery: Delivery) -> str:
    """A name for the round of slices that a delivery begins: every attempt gives it the same."""
    if delivery.occasion is None:
        return f"{kind}-{services.new_id()}"
    return f"{kind}-{_NOT_IN_NAMES.sub('', delivery.occasion).lower()}"


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
    found = started()
    try:
        found.callers.check(request.headers.get("Authorization"))
    except Forbidden as error:
        return _stranger(request.path, error), 403
    except RetryLater as error:
        log.warning("delivery_postponed", reason=error.message)
        return "", 503
    retry = request.headers.get("X-CloudTasks-TaskRetryCount", "0")
    occasion = request.headers.get("X-CloudTasks-TaskName") or request.headers.get(
        "X-CloudScheduler-ScheduleTime"
    )
    name = occasion or "direct"
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        log.error("validation_error", function=request.path, reason="the body is no JSON object")
        return "", 204
    parent = body.pop(TRACEPARENT, None)
    delivery = Delivery(body, f"{name}#{retry}", occasion)
    asked = _Asked(measuring.function_of(request), name, parent)
    return _guarded(found, asked, lambda s: work(s, delivery))


def event(received: CloudEvent, work: Callable[[Services, Mapping[str, Any]], object]) -> None:
    """Run the work of a Pub/Sub message on its JSON data. Raises to have it delivered again."""
    found = started()
    try:
        # A CloudEvent has no headers of the call that brought it.
        found.callers.check(current_call.headers.get("Authorization") if current_call else None)
    except Forbidden as error:
        _stranger("event", error)
        raise NotForStrangers from error
    message = received.data["message"]
    data = json.loads(base64.b64decode(message["data"]))
    function = measuring.function_of(current_call) if current_call else "event"
    parent = (message.get("attributes") or {}).get(TRACEPARENT)
    asked = _Asked(function, f"message {message['messageId']}", parent)
    _, status = _guarded(found, asked, lambda s: work(s, data))
    if status >= 500:
        raise RuntimeError(f"message {message['messageId']} is to be delivered again")


def _stranger(function: str, error: Forbidden) -> str:
    log.warning("caller_refused", function=function, reason=error.message)
    return error.message


@dataclass(frozen=True, slots=True)
class _Asked:
    """A delivery to a function: its name, and the trace in which it was asked for, if any."""

    function: str
    name: str
    parent: object

    @property
    def traceparent(self) -> str | None:
        return self.parent if isinstance(self.parent, str) else None


def _guarded(found: Services, asked: _Asked, work: Callable[[Services], object]) -> tuple[str, int]:
    clock = time.monotonic()
    with (
        structlog.contextvars.bound_contextvars(delivery=asked.name),
        measuring.delivery(found.telemetry, asked.function, asked.traceparent) as outcome,
    ):
        try:
            work(found)
        except RetryLater as error:
            outcome.is_("postponed", error.code)
            log.warning("delivery_postponed", reason=error.message)
            return "", 503
        except LeaderboardError as error:
            outcome.is_("refused", error.code)
            log.warning("delivery_refused", error=error.code, reason=error.message)
            return "", 204
        except Exception:
            log.exception("delivery_failed")
            raise
        outcome.is_("done")
        log.debug("delivery_done", duration_ms=int((time.monotonic() - clock) * 1000))
        return "", 204
