"""Requests to GitHub by httpx: paid before they are sent, repeated where that may help."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import structlog

from infra.github.answers import Answer, Question, limited, refusal
from infra.github.credentials import Credentials
from infra.github.etags import ETagStore
from infra.tls import trusted
from shared.breaker import Breaker
from shared.errors import AllowanceWaits, Rejected, RetryLater
from shared.github import AccessRefused
from shared.request_budget import RequestBudget

SERVICE = "github"
VERSION = "2026-03-10"
"""Of GitHub's REST API."""

ATTEMPTS = 4
PATIENCE = timedelta(seconds=30)
"""How long a request is repeated for in all, before the caller is told to come back."""

TIMEOUT = httpx.Timeout(15, connect=5)
"""GitHub itself ends what takes longer than ten seconds."""

REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 307, 308})
_NOTHING_GIVEN = "it gave the App's installation no token"
_TOO_LARGE = frozenset({502, 504})
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

log = structlog.get_logger()


class TooLarge(Exception):
    """GitHub did not finish in time with a question that can be made smaller."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How time passes: the clock, how to sleep seconds, and a number in [0, 1)."""

    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    jitter: Callable[[], float]


@dataclass(frozen=True, slots=True)
class _Request:
    """What is sent. ``paid`` reads from an answer what it cost, where it says so itself."""

    question: Question
    method: str
    url: httpx.URL
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    paid: Callable[[Answer], int | None] = lambda _: None


class Transport:
    """One a process, safe in any number of threads. Connections are made on first use."""

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        budget: RequestBudget,
        breaker: Breaker,
        waiting: Waiting,
        *,
        wire: httpx.BaseTransport | None = None,
    ) -> None:
        self._base = httpx.URL(url.rstrip("/"))
        if self._base.scheme != "https" and self._base.host not in _LOOPBACK:
            raise Rejected("GITHUB_API_URL begins with https://, so that no token is overheard.")
        self._credentials = credentials
        self._budget = budget
        self._breaker = breaker
        self._waiting = waiting
        self._wire = wire
        self._etags = ETagStore()
        self._lock = threading.Lock()
        self._made: httpx.Client | None = None

    def get(
        self, path: str, parameters: Mapping[str, str | int], question: Question, *, keep: bool
    ) -> Answer:
        """An answer with a 2xx status, over redirects. ``keep``: asked with the ETag of the last.

        Raises what ``answers.refusal`` and ``answers.limited`` say, and RetryLater.
        """
        url = httpx.URL(f"{self._base}{path}", params=dict(parameters))
        for _ in range(REDIRECTS + 1):
            kept = self._etags.get(str(url)) if keep else None
            headers = {"If-None-Match": kept.headers["etag"]} if kept else {}
            answer = self._asked(_Request(question, "GET", url, headers))
            if answer.status == 304 and kept is not None:
                return kept
            if answer.status not in _REDIRECTS:
                self._check(answer, question)
                if keep:
                    self._etags.keep(str(url), answer)
                return answer
            url = self._next(url, answer, question)
        raise Rejected(f"GitHub redirects {question.what} too often.")

    def post(
        self,
        path: str,
        body: object,
        question: Question,
        paid: Callable[[Answer], int | None],
    ) -> Answer:
        """An answer with a 2xx status. Raises as ``get`` does, and TooLarge."""
        url = httpx.URL(f"{self._base}{path}")
        answer = self._asked(_Request(question, "POST", url, body=body, paid=paid))
        self._check(answer, question)
        return answer

    def close(self) -> None:
        """Give up the connections. The next request makes new ones."""
        with self._lock:
            if self._made is not None:
                self._made.close()
                self._made = None

    # --- how --------------------------------------------------------------------------------

    def _asked(self, request: _Request) -> Answer:
        """An answer with a status below 500, after limits were looked at."""
        question = request.question
        with self._budget.request():
            self._budget.spend(question.resource)
            found = self._breaker.guard(SERVICE, lambda: self._series(request))
            if isinstance(found, Exception):
                raise found
            stop = limited(found, question, self._budget, self._waiting.now())
            if stop is not None:
                raise stop
            return found

    def _series(self, request: _Request) -> Answer | TooLarge | AllowanceWaits:
        """Attempts until one is answered. Raises RetryLater.

        Limits and size are no failures of the service: they are returned, so that the breaker
        does not count them.
        """
        question, started = request.question, self._waiting.now()
        try:
            for attempt in itertools.count(1):
                found = self._attempt(request)
                if isinstance(found, Answer) and found.status < 500:
                    return found
                if question.shrinks and _took_too_long(found):
                    return TooLarge()
                wait = min(2 ** (attempt - 1), 8) * (0.5 + self._waiting.jitter())
                late = self._waiting.now() - started + timedelta(seconds=wait) > PATIENCE
                if attempt == ATTEMPTS or late:
                    break
                self._waiting.sleep(wait)
                self._budget.spend(question.resource)
        except AllowanceWaits as error:
            return error
        reason = found if isinstance(found, str) else f"it answered {found.status}"
        raise RetryLater(f"GitHub did not answer to {question.what}: {reason}.")

    def _attempt(self, request: _Request) -> Answer | str:
        """One answer, or why there is none. Credentials that are refused are renewed once."""
        for renewed in (False, True):
            try:
                authorization = self._credentials.authorization(self._exchange)
            except AllowanceWaits:
                raise
            except RetryLater as error:
                return error.message
            found = self._measured(request, authorization)
            refused = isinstance(found, Answer) and found.status == 401
            if renewed or not refused or authorization is None:
                break
            if not self._credentials.refused(authorization):
                break
            self._budget.spend(request.question.resource)
        return found

    def _measured(self, request: _Request, authorization: str | None) -> Answer | str:
        """Send it, and note what it cost and what is left."""
        started, question = self._waiting.now(), request.question
        found = self._send(request, authorization)
        status: int | str = found.status if isinstance(found, Answer) else found
        cost, told = 1, None
        if isinstance(found, Answer):
            told = found.told(question.resource)
            # A 304 is free for those who say who they are.
            if status == 304 and authorization is not None:
                cost = 0
            elif status == 200:
                cost = request.paid(found) or cost
        self._budget.answered(question.resource, cost, told)
        log.debug(
            "github_request",
            what=question.what,
            resource=question.resource,
            status=status,
            cost=cost,
            duration_ms=round((self._waiting.now() - started).total_seconds() * 1000),
        )
        return found

    def _send(self, request: _Request, authorization: str | None) -> Answer | str:
        try:
            found = self._client().request(
                request.method,
                request.url,
                headers={**request.headers, **_authorized(authorization)},
                json=request.body,
            )
        except httpx.HTTPError as error:
            # By its kind only: the error itself holds the request with its headers.
            return type(error).__name__
        return Answer(found.status_code, found.headers, found.content)

    def _exchange(self, path: str, authorization: str) -> Mapping[str, Any]:
        """Post to a path in the App's own name. Costs nothing of the installation's allowance."""
        question = Question("token of the App's installation", "core")
        found = self._send(
            _Request(question, "POST", httpx.URL(f"{self._base}{path}")), authorization
        )
        if isinstance(found, str) or found.status >= 500:
            raise RetryLater(_NOTHING_GIVEN)
        stop = limited(found, question, self._budget, self._waiting.now())
        if stop is not None:
            raise stop
        if found.status in {401, 403, 404}:
            raise AccessRefused(f"GitHub gives the App no token. {self._credentials.advice}")
        self._check(found, question)
        answered = found.json()
        if not isinstance(answered, dict) or not {"token", "expires_at"} <= answered.keys():
            raise RetryLater(_NOTHING_GIVEN)
        return answered

    def _check(self, answer: Answer, question: Question) -> None:
        wrong = refusal(answer, question, self._credentials.advice, self._waiting.now())
        if wrong is not None:
            raise wrong

    def _next(self, url: httpx.URL, answer: Answer, question: Question) -> httpx.URL:
        """Where a redirect leads. Raises Rejected if that is another host: it gets no token."""
        try:
            target = url.join(answer.headers.get("location", ""))
        except httpx.InvalidURL:
            raise RetryLater(f"GitHub redirects {question.what} to no address.") from None
        if (target.scheme, target.host, target.port) != (url.scheme, url.host, url.port):
            raise Rejected(f"GitHub redirects {question.what} to another host.")
        return target if target.query else target.copy_with(query=url.query or None)

    def _client(self) -> httpx.Client:
        with self._lock:
            if self._made is None:
                self._made = httpx.Client(
                    headers={
                        "Accept": "application/vnd.github+json",
                        "User-Agent": "contributor-leaderboard",
                        "X-GitHub-Api-Version": VERSION,
                    },
                    timeout=TIMEOUT,
                    trust_env=False,
                    verify=trusted(),
                    follow_redirects=False,
                    transport=self._wire,
                )
            return self._made


def _authorized(header: str | None) -> dict[str, str]:
    return {} if header is None else {"Authorization": header}


def _took_too_long(found: Answer | str) -> bool:
    return found.status in _TOO_LARGE if isinstance(found, Answer) else "Timeout" in found
