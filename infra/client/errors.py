"""What goes wrong when the API is asked, each named for what the caller should do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx


class ApiError(Exception):
    """An answer that is no success. ``code``, ``details`` and ``request_id`` are the body's."""

    def __init__(
        self, status: int, code: str, message: str, details: dict[str, Any], request_id: str
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.message} ({self.status} {self.code}, request {self.request_id})"


class Rejected(ApiError):
    """The question is wrong; ``details["field"]`` says where. 400, 405, 413, 415."""


class Unauthenticated(ApiError):
    """There is no valid key. 401."""


class BudgetRefused(ApiError):
    """It costs more than a whole limit of the budget. 402."""


class Forbidden(ApiError):
    """The key does not allow this. 403."""


class NotFound(ApiError):
    """It does not exist, or not yet. 404."""


class Conflict(ApiError):
    """The state does not allow this now. 409."""


class TooManyRequests(ApiError):
    """The limit is used up for longer than was to be waited. 429."""


class Unavailable(ApiError):
    """A passing failure that lasted, or the budget of the day is spent. 503."""


class ServerError(ApiError):
    """Something went wrong there. 500 and what a proxy says."""


class Unreachable(Exception):
    """No answer came."""


class NotReady(Exception):
    """What was waited for took longer than was to be waited, or failed."""


_ERRORS: Mapping[int, type[ApiError]] = {
    401: Unauthenticated,
    402: BudgetRefused,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: TooManyRequests,
    503: Unavailable,
}


def checked(answer: httpx.Response) -> httpx.Response:
    """The answer. Raises the error that its status and body tell."""
    if answer.status_code < 400:
        return answer
    try:
        body = answer.json()
        code, message = str(body["error"]), str(body["message"])
    except (ValueError, KeyError, TypeError):  # not ours: a proxy's page
        body, code, message = {}, "no_api", f"{answer.status_code} {answer.reason_phrase}"
    otherwise = ServerError if answer.status_code >= 500 else Rejected
    error = _ERRORS.get(answer.status_code, otherwise)
    request_id = str(body.get("request_id") or answer.headers.get("X-Request-ID", "-"))
    raise error(answer.status_code, code, message, dict(body.get("details") or {}), request_id)
