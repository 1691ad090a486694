"""Google's errors as ours: whether the same call may succeed later."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from google.api_core import exceptions, retry
from google.auth import exceptions as auth_exceptions

from shared.errors import Conflict, LeaderboardError, Rejected, RetryLater

_PASSING = (
    exceptions.Aborted,
    exceptions.TooManyRequests,  # quota, or a limit of an emulator
    exceptions.Cancelled,
    # A role that was just granted takes minutes to reach everywhere.
    exceptions.Forbidden,
    exceptions.Unauthenticated,
    auth_exceptions.TransportError,
    auth_exceptions.RefreshError,
)
_CHANGED = (exceptions.AlreadyExists, exceptions.FailedPrecondition)
_BRIEFLY = retry.if_exception_type(
    exceptions.ServiceUnavailable, exceptions.InternalServerError, exceptions.Aborted
)

CALL_SECONDS = 30.0
"""How long one call may take. The longest are commits of 10 MiB."""

PATIENCE_SECONDS = 10.0
"""How long a call that failed on the way is repeated: people and functions wait for it."""


def repeated(seconds: float) -> retry.Retry:
    """Repeats of what failed on the way or found a lock, with growing pauses."""
    return retry.Retry(_BRIEFLY, initial=0.1, maximum=2.0, multiplier=2.0, timeout=seconds)


@contextmanager
def as_our_errors(service: str) -> Iterator[None]:
    """Raise ours in place of Google's. ``service`` is the name people know."""
    try:
        yield
    except (exceptions.GoogleAPIError, auth_exceptions.GoogleAuthError) as error:
        raise ours(error, service) from error


def ours(error: Exception, service: str) -> LeaderboardError:
    """What an error of Google's means to a caller."""
    if isinstance(error, exceptions.RetryError) and isinstance(error.cause, Exception):
        return ours(error.cause, service)
    details = {"service": service, "reason": type(error).__name__}
    if isinstance(error, auth_exceptions.DefaultCredentialsError):
        return Rejected(
            f"{service} cannot be used without credentials. Run `gcloud auth application-default "
            "login`, or run where a service account is attached.",
            details=details,
        )
    if isinstance(error, _CHANGED):
        return Conflict(f"{service}: {_said(error)}", details=details)
    lasting = (exceptions.ClientError, exceptions.MethodNotImplemented)
    if isinstance(error, _PASSING) or not isinstance(error, lasting):
        return RetryLater(f"{service} cannot do this now: {_said(error)}", details=details)
    return Rejected(f"{service} refuses this: {_said(error)}", details=details)


def _said(error: Exception) -> str:
    text = str(getattr(error, "message", "") or error) or type(error).__name__
    return text[:500]
