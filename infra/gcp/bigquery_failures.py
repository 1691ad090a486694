"""BigQuery's errors as ours, by the reason that it gives."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator
from contextlib import contextmanager

import requests
from google.api_core import exceptions, retry
from google.auth import exceptions as auth_exceptions

from infra.gcp.failures import ours
from shared.errors import BudgetRefused, LeaderboardError, Rejected, RetryLater

SERVICE = "BigQuery"

_PASSING = frozenset(
    {
        "quotaExceeded",
        "rateLimitExceeded",
        "jobRateLimitExceeded",
        "backendError",
        "jobBackendError",
        "internalError",
        "jobInternalError",
        "tableUnavailable",
        "resourceInUse",
        "stopped",
        "timeout",
        "authError",
        # A role that was just granted takes minutes to reach everywhere.
        "accessDenied",
    }
)
_OUTAGES = frozenset(
    {
        "unreachable",
        "",  # a 5xx or 429 that says no more
        "backendError",
        "jobBackendError",
        "internalError",
        "jobInternalError",
        "badGateway",
        "rateLimitExceeded",
        "jobRateLimitExceeded",
        "tableUnavailable",
        "timeout",
    }
)
"""Reasons for which BigQuery is better left alone. A spent quota, a role that is missing, a job
that somebody stopped or that goes on for long are none."""

_ON_THE_WAY = frozenset({"backendError", "internalError", "badGateway"})
_REMEDIES = {
    "notFound": "Run `terraform apply`, which makes the dataset and its tables.",
    "billingNotEnabled": "Enable billing for the project.",
    "resourcesExceeded": "Narrow the time or the repositories.",
    "responseTooLarge": "Narrow the time or the repositories.",
    "invalidQuery": "This is a defect of this program; please report it.",
}


def repeated(seconds: float) -> retry.Retry:
    """Repeats of calls that failed on the way, with growing pauses; Google's would take minutes."""
    return retry.Retry(_failed_on_the_way, initial=0.1, maximum=2.0, multiplier=2, timeout=seconds)


def _failed_on_the_way(error: Exception) -> bool:
    if isinstance(error, exceptions.GoogleAPICallError):
        reason = reason_of(error)
        return reason in _ON_THE_WAY or (not reason and isinstance(error, exceptions.ServerError))
    passing = (requests.ConnectionError, requests.Timeout, auth_exceptions.TransportError)
    return isinstance(error, passing)


def reason_of(error: BaseException) -> str:
    """BigQuery's word for what went wrong, empty where it gave none."""
    errors = getattr(error, "errors", None) or [{}]
    first = errors[0]
    return str(first.get("reason", "")) if isinstance(first, dict) else ""


def is_outage(error: RetryLater) -> bool:
    """Whether BigQuery itself fails, and not what it was asked for."""
    return error.details.get("reason") in _OUTAGES


@contextmanager
def as_our_errors(doing: str) -> Iterator[None]:
    """Raise ours in place of BigQuery's. ``doing`` is the statement or what else was asked for."""
    try:
        yield
    except (
        exceptions.GoogleAPIError,
        auth_exceptions.GoogleAuthError,
        requests.RequestException,
        concurrent.futures.TimeoutError,
    ) as error:
        raise translated(error, doing) from error


def translated(error: BaseException, doing: str) -> LeaderboardError:
    """What an error of BigQuery's, or on the way to it, means to a caller."""
    if isinstance(error, exceptions.RetryError) and error.cause is not None:
        return translated(error.cause, doing)
    if isinstance(error, exceptions.GoogleAPICallError):
        return by_reason(reason_of(error), str(error.message), doing, error)
    if isinstance(error, requests.RequestException | concurrent.futures.TimeoutError):
        return _later(f"{SERVICE} did not answer: {type(error).__name__}", doing, "unreachable")
    if isinstance(error, auth_exceptions.InvalidOperation):  # a stand-in refused "no identity"
        return _later(f"{SERVICE} refuses the caller: {error}", doing, "authError")
    return ours(error if isinstance(error, Exception) else RuntimeError(repr(error)), SERVICE)


def by_reason(
    reason: str, message: str, doing: str, error: BaseException | None = None
) -> LeaderboardError:
    """Ours for a reason that BigQuery gave, for a call or for a job that failed."""
    details = {"service": SERVICE, "reason": reason, "statement": doing}
    if reason == "bytesBilledLimitExceeded":
        return BudgetRefused(
            f"{doing} would be billed more than it is allowed: {message[:500]}", details=details
        )
    unexplained = isinstance(
        error, exceptions.ServerError | exceptions.Unauthorized | exceptions.TooManyRequests
    )
    lasting = isinstance(error, exceptions.MethodNotImplemented)
    if not reason and isinstance(error, exceptions.Unauthorized):
        reason = "authError"
    if reason in _PASSING or (unexplained and not lasting):
        return _later(f"{SERVICE} cannot do this now: {message[:500]}", doing, reason)
    remedy = _REMEDIES.get(reason, "")
    return Rejected(
        f"{SERVICE} refuses {doing} ({reason or 'no reason given'}): "
        f"{message[:500]} {remedy}".strip(),
        details=details,
    )


def _later(message: str, doing: str, reason: str) -> RetryLater:
    return RetryLater(message, details={"service": SERVICE, "reason": reason, "statement": doing})
