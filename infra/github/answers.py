"""GitHub's answers over HTTP, and what each means to the caller."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from shared.allowances import Told
from shared.errors import LeaderboardError, NotFound, Rejected, RetryLater
from shared.github import AccessRefused, BadCursor, Blocked
from shared.request_budget import RequestBudget

SOON = timedelta(seconds=10)
"""When to ask again for what GitHub is still working out (status 202)."""

_DRIFT = timedelta(seconds=1)
"""GitHub says whole seconds, and its clock is not ours."""

_SECONDARY = re.compile(r"secondary rate limit|abuse detection", re.IGNORECASE)
_LIMITED = re.compile(r"rate limit", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read whole."""

    status: int
    headers: httpx.Headers
    content: bytes

    def json(self) -> Any:
        """Its JSON. Raises RetryLater for anything else."""
        try:
            return json.loads(self.content)
        except ValueError:
            raise RetryLater(
                f"GitHub's answer ({self.status}) is no JSON.", details={"status": self.status}
            ) from None

    @property
    def message(self) -> str:
        """What GitHub says in words, empty if nothing."""
        try:
            found = json.loads(self.content)
        except ValueError:
            return ""
        return str(found.get("message", "")) if isinstance(found, dict) else ""

    def told(self, resource: str) -> Told | None:
        """What its headers say of the allowance of a resource."""
        if self.headers.get("x-ratelimit-resource", resource) != resource:
            return None
        names = ("limit", "remaining", "reset")
        values = [self.headers.get(f"x-ratelimit-{name}", "") for name in names]
        if not all(value.isdecimal() for value in values):
            return None
        limit, remaining, reset = map(int, values)
        return Told(limit, remaining, datetime.fromtimestamp(reset, UTC) + _DRIFT)


class Disabled(NotFound):
    """The owner of a repository has switched this off. (A 410 can also be a retired version.)"""


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: ``what`` in words for errors, ``resource`` of which allowance, and whether
    the question can be made smaller."""

    what: str
    resource: str
    shrinks: bool = False


def limited(
    answer: Answer, question: Question, budget: RequestBudget, moment: datetime
) -> LeaderboardError | None:
    """What to raise if the answer says that a limit was hit; nobody asks then until it ends.

    By GitHub's rules: ``retry-after`` first, then the reset of a used up allowance, else a minute.
    """
    if answer.status not in {403, 429}:
        return None
    after, told = answer.headers.get("retry-after", ""), answer.told(question.resource)
    if after.isdecimal():
        return budget.asked_to_slow_down(moment + timedelta(seconds=int(after)) + _DRIFT)
    if told is not None and told.remaining == 0 and told.resets_at > moment:
        return budget.used_up(question.resource, told.resets_at)
    if answer.status == 429 or _LIMITED.search(answer.message) or _SECONDARY.search(answer.message):
        return budget.asked_to_slow_down(None)
    return None


def refusal(
    answer: Answer, question: Question, advice: str, moment: datetime
) -> LeaderboardError | None:
    """What to raise for an answer that is no success, None for a success."""
    status, what = answer.status, question.what
    details = {"status": status}
    match status:
        case 202:
            return RetryLater(f"GitHub is still working out {what}.", not_before=moment + SOON)
        case 401:
            return AccessRefused(f"GitHub refuses the credentials. {advice}", details=details)
        case 403 if "block" in answer.message.lower():
            return Blocked(f"GitHub withholds {what}.", details=details)
        case 403:
            return AccessRefused(
                f"GitHub does not let these credentials read {what}. A fine-grained token needs "
                "read access to public repositories; an organization may demand that a token is "
                "authorized for it.",
                details=details,
            )
        case 410 if "disabled" in answer.message.lower():
            return Disabled(f"The owner has switched off {what}.", details=details)
        case 404:
            return NotFound(
                f"GitHub has no {what}: it does not exist or is private. GitHub does not say "
                "which.",
                details=details,
            )
        case 409:
            return NotFound(f"There is nothing yet in {what}.", details=details)
        case 422 if "pagination" in answer.message.lower():
            return BadCursor(f"GitHub does not go that far in {what}.", details=details)
        case 451:
            return Blocked(f"GitHub withholds {what} for legal reasons.", details=details)
        case _ if 200 <= status < 300:
            return None
    return Rejected(f"GitHub answered {status} to {what}.", details=details)
