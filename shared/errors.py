"""The few kinds of failure the system tells apart, by what a caller should do about them.

Only ``functions/edge.py`` turns these into HTTP statuses. Anything else that is raised is a
defect and is reported as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum


class Severity(StrEnum):
    """How far a failure reaches: an item, a step, a job, everything."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class LeaderboardError(Exception):
    """Base of all expected failures: a stable code, a sentence for people, details for programs."""

    code = "error"
    severity = Severity.MEDIUM

    def __init__(self, message: str, *, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})


class Rejected(LeaderboardError):
    """The input is wrong. The caller changes it; repeating it as it is will never help."""

    code = "invalid_request"
    severity = Severity.LOW


class NotFound(LeaderboardError):
    """What was asked for does not exist (any more)."""

    code = "not_found"
    severity = Severity.LOW


class Conflict(LeaderboardError):
    """The state changed or does not allow this now. The caller reads again and decides anew."""

    code = "conflict"


class RunExpired(Conflict):
    """A run under this id ended too long ago to be attached to. Ask again under a new id."""

    code = "run_expired"


class Unauthenticated(LeaderboardError):
    """No key, or one that is unknown, expired or revoked."""

    code = "unauthenticated"


class Forbidden(LeaderboardError):
    """A known caller without the right to do this."""

    code = "forbidden"


class TooManyRequests(LeaderboardError):
    """A caller asks more often than is allowed. ``seconds`` is how long to wait."""

    code = "too_many_requests"
    severity = Severity.LOW

    def __init__(
        self, message: str, *, seconds: int, details: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message, details=details)
        self.seconds = seconds


class RetryLater(LeaderboardError):
    """A passing failure of ours or of a service we use. The same call may succeed later."""

    code = "temporarily_unavailable"
    severity = Severity.MEDIUM

    def __init__(
        self,
        message: str,
        *,
        not_before: datetime | None = None,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, details=details)
        self.not_before = not_before


class BudgetWaits(RetryLater):
    """It does not fit into what is left of the budget. ``not_before`` is when that is renewed."""

    code = "waits_for_budget"
    severity = Severity.LOW


class AllowanceWaits(BudgetWaits):
    """GitHub lets nobody ask before its allowance is renewed. ``not_before`` differs by queue."""


class BudgetRefused(LeaderboardError):
    """Dearer than the whole limit: it can never fit. Raise the limit or narrow the work."""

    code = "budget_exceeded"
    severity = Severity.HIGH


class IntegrityError(LeaderboardError):
    """Data contradicts itself. Nothing is published; somebody has to look."""

    code = "integrity_error"
    severity = Severity.CRITICAL
