"""Who asks the stand-in, what they have left this hour, and what is to go wrong."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.support.github_rest import Answer, refusal
from tests.support.github_times import read, written

ANONYMOUS = "anonymous"
HOUR, LONGEST = timedelta(hours=1), timedelta(minutes=10)
_DRIFT = timedelta(seconds=60)


@dataclass
class Options:
    """How the stand-in is. ``tokens`` are those it takes; ``app`` and its public key (PEM) and
    installations are for tokens of a GitHub App.

    ``at_zero`` is the status of a refusal in REST (403 or 429), ``graphql_at_zero`` that of
    GraphQL (200 or 403); queries that may return more than ``most_nodes`` end in 502; ``pushes``
    are the repositories whose drafts the caller sees.
    """

    now: str
    tokens: list[str] = field(default_factory=lambda: ["test-token"])
    app: str = "1"
    public_key: str | None = None
    installations: list[int] = field(default_factory=lambda: [77])
    allowance: int = 5_000
    graphql_allowance: int = 5_000
    anonymous_allowance: int = 60
    at_zero: int = 403
    graphql_at_zero: int = 200
    most_nodes: int | None = None
    pushes: list[str] = field(default_factory=list)


def hashed(token: str) -> str:
    """What a log shows of a token."""
    return hashlib.sha256(token.encode()).hexdigest()[:12]


@dataclass
class Allowance:
    """What somebody may ask of a resource until ``reset``."""

    limit: int
    reset: datetime
    used: int = 0

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)

    def shown(self) -> dict[str, int]:
        """As ``/rate_limit`` has it."""
        return {
            "limit": self.limit,
            "used": self.used,
            "remaining": self.remaining,
            "reset": int(self.reset.timestamp()),
        }


class Allowances:
    """What everybody has left: an hour begins with the first request after the last one's end."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._books: dict[tuple[str, str], Allowance] = {}

    def of(self, who: str, resource: str, now: datetime) -> Allowance:
        book = self._books.get((who, resource))
        if book is None or book.reset <= now:
            book = self._books[who, resource] = Allowance(self._limit(who, resource), now + HOUR)
        return book

    def leave(self, resource: str, remaining: int, now: datetime) -> None:
        """Let everybody who has asked, and the tokens known, have so much left this hour."""
        callers = {who for who, _ in self._books} | {*map(hashed, self.options.tokens), ANONYMOUS}
        for who in callers:
            book = self.of(who, resource, now)
            book.used = book.limit - remaining

    def _limit(self, who: str, resource: str) -> int:
        if who == ANONYMOUS:
            return self.options.anonymous_allowance if resource == "core" else 0
        core = resource == "core"
        return self.options.allowance if core else self.options.graphql_allowance


class Callers:
    """Tokens that hold, and those made for installations of the app."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._made: dict[str, datetime] = {}

    def who(self, authorization: str | None, now: datetime) -> str | None:
        """A caller's name for logs and books, None where the token is not (or no more) good."""
        if authorization is None:
            return ANONYMOUS
        _, _, token = authorization.partition(" ")
        good = token in self.options.tokens or self._made.get(token, now) > now
        return hashed(token) if good else None

    def revoke(self) -> None:
        """No token made for an installation holds any more."""
        self._made.clear()

    def installed(self, id_: int, authorization: str | None, now: datetime) -> Answer:
        """A token for an installation, for a JSON web token signed by the app's key."""
        wrong = self._wrong((authorization or "").partition(" ")[2], now)
        if wrong is not None:
            return refusal(401, wrong)
        if id_ not in self.options.installations:
            return refusal(404, "Not Found")
        token = f"ghs_{secrets.token_hex(18)}"
        self._made[token] = now + HOUR
        told = {
            "token": token,
            "expires_at": written(now + HOUR),
            "permissions": {"metadata": "read"},
            "repository_selection": "all",
        }
        return Answer(201, told, free=True)

    def _wrong(self, token: str, now: datetime) -> str | None:
        try:
            signed, _, signature = token.rpartition(".")
            head, claims = (json.loads(_unpacked(part)) for part in signed.split("."))
            key = serialization.load_pem_public_key((self.options.public_key or "").encode())
            if head["alg"] != "RS256" or not isinstance(key, rsa.RSAPublicKey):
                return "A JSON web token could not be decoded"
            key.verify(_unpacked(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
            begins, ends = float(claims["iat"]), float(claims["exp"])
        except (ValueError, KeyError, TypeError, InvalidSignature):
            return "A JSON web token could not be decoded"
        if str(claims.get("iss")) != self.options.app:
            return "Integration not found"
        if begins > (now + _DRIFT).timestamp():
            return "'Issued at' claim ('iat') must be an Integer representing a past time"
        if ends <= now.timestamp():
            return "'Expiration time' claim ('exp') must be a numeric value in the future"
        if ends > (now + LONGEST + _DRIFT).timestamp():
            return "'Expiration time' claim ('exp') is too far in the future"
        return None


def _unpacked(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@dataclass
class Fault:
    """What goes wrong with the next ``times`` requests whose path and operation have these in them.

    The first ``after`` of them are spared; ``until`` is when it ends by the stand-in's clock.
    ``status`` and ``headers`` are answered with ``body`` or a ``message``; ``cut`` sends half of
    the right answer, ``drop`` does the work and sends none, ``hold`` waits with it until released
    or for so many seconds.
    """

    path: str = ""
    operation: str = ""
    times: int = 1
    after: int = 0
    until: str | None = None
    status: int | None = None
    message: str = ""
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    drop: bool = False
    hold: float = 0.0

    def answer(self) -> Answer:
        if self.body is not None:
            return Answer(self.status or 200, self.body, self.headers)
        told = refusal(self.status or 500, self.message or "Server Error").body
        return Answer(self.status or 500, told, self.headers)


SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
)
TIMED_OUT = {
    "data": None,
    "errors": [
        {
            "message": "Something went wrong while executing your query. This may be the result of"
            " a timeout, or it could be a GitHub bug. Please include `0000:0000` when reporting"
            " this issue."
        }
    ],
}


class Faults:
    """What is to go wrong, in the order in which it was arranged."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self._faults: list[Fault] = []

    def add(self, told: Mapping[str, Any]) -> None:
        self.released.clear()
        self._faults.append(Fault(**told))

    def secondary(self, until: str, retry_after: int | None) -> None:
        """Refuse everything until a time; say for how long only if ``retry_after`` is told."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        self._faults.append(
            Fault(status=403, message=SECONDARY, headers=headers, times=-1, until=until)
        )

    def clear(self) -> None:
        self._faults.clear()
        self.released.set()

    def next(self, path: str, operation: str, now: datetime) -> Fault | None:
        self._faults = [f for f in self._faults if f.until is None or read(f.until) > now]
        for fault in self._faults:
            if fault.path in path and fault.operation in operation:
                if fault.after > 0:
                    fault.after -= 1
                    continue
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return fault
        return None
