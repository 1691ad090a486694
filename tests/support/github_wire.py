"""GitHub's end of a connection: answers as a test says, and keeps what it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from infra.github.client import GitHubClient
from infra.github.credentials import Credentials, Token
from infra.github.transport import Waiting
from infra.local.documents import SqliteDocuments
from shared.breaker import Breaker
from tests.support.manual_clock import ManualClock

URL = "https://api.github.test"
TOKEN = "ghp_" + "Ab3" * 12

Reply = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def reply(
    body: object = None, status: int = 200, headers: Mapping[str, str] | None = None
) -> httpx.Response:
    """An answer with a JSON body."""
    return httpx.Response(status, json={} if body is None else body, headers=headers)


def data(**fields: Any) -> httpx.Response:
    """A GraphQL answer without errors."""
    return reply({"data": {"rateLimit": rate(), **fields}})


def errors(*types: str, message: str = "no", given: object = None) -> httpx.Response:
    """A GraphQL answer with errors, and perhaps data."""
    listed = [{"type": type_, "message": message} if type_ else {"message": message}
              for type_ in types]  # fmt: skip
    return reply({"data": given, "errors": listed})


def rate(cost: int = 1) -> dict[str, object]:
    return {"cost": cost, "limit": 5000, "remaining": 4000, "resetAt": "2025-03-20T12:30:00Z"}


class Wire:
    """A client over it, on a clock that moves only while the client sleeps.

    Replies are given in their order; the last is given again and again.
    """

    def __init__(self, folder: Path, credentials: Credentials | None = None) -> None:
        self.clock = ManualClock()
        self.documents = SqliteDocuments(folder / "documents.sqlite")
        self.asked: list[httpx.Request] = []
        self.slept: list[float] = []
        self._replies: list[Reply] = [reply()]
        self.client = self.another(credentials or Token(TOKEN))

    def another(self, credentials: Credentials, url: str = URL) -> GitHubClient:
        """A client of another instance, over the same store."""
        return GitHubClient(
            url,
            credentials,
            self.documents,
            Breaker(self.documents, now=self.clock),
            Waiting(self.clock, self._sleep, lambda: 0.5),
            wire=httpx.MockTransport(self._answer),
        )

    def answers(self, *replies: Reply) -> None:
        self._replies = list(replies)

    @property
    def last(self) -> httpx.Request:
        return self.asked[-1]

    def variables(self, number: int = -1) -> dict[str, Any]:
        """The variables of a GraphQL request."""
        found: dict[str, Any] = json.loads(self.asked[number].content)["variables"]
        return found

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        given = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(given, Exception):
            raise given
        if isinstance(given, httpx.Response):
            # A response that was read once is not given again.
            return httpx.Response(given.status_code, headers=given.headers, content=given.content)
        return given(request)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(timedelta(seconds=seconds))
