"""Whether a call of a trigger function is the platform's own, by the token that it carries.

Cloud Scheduler, Cloud Tasks and Pub/Sub send an OpenID Connect token of a service account for the
function's address. docs/decisions/trigger-identity.md says what can be checked where.
"""

from __future__ import annotations

import base64
import binascii
import json
import threading
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.clock import Clock
from shared.errors import Forbidden, RetryLater

REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"
"""What Cloud Run puts in the place of a signature that it has checked."""

_ISSUERS = frozenset({"accounts.google.com", "https://accounts.google.com"})
_SKEW = timedelta(seconds=10)
_LONGEST_TOKEN = 8192

Fetch = Callable[..., Any]
"""Takes an address and ``method``; returns an answer with status, headers and data (bytes)."""


class TokenCallers:
    """The port ``Callers``: tokens for ``audience`` of one of the ``accounts``, issued by Google.

    ``behind_iam`` says that the platform has checked signature, audience and the right to call
    before the code is reached, and has removed the signature: then a token without it is taken,
    and its claims have to be right all the same. A token with a signature is always checked in
    full, with certificates that ``fetch`` gets.
    """

    def __init__(
        self,
        *,
        audience: str,
        accounts: Collection[str],
        behind_iam: bool,
        fetch: Fetch,
        now: Clock,
    ) -> None:
        self._audience = audience
        self._accounts = frozenset(accounts)
        self._behind_iam = behind_iam
        self._fetch = fetch
        self._now = now

    def check(self, authorization: str | None) -> None:
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token or len(token) > _LONGEST_TOKEN:
            raise Forbidden("Only the platform may call this function: there is no token.")
        self._check_claims(_claims(token))
        if not token.endswith(f".{REMOVED}"):
            self._check_signature(token)
        elif not self._behind_iam:
            raise Forbidden("Only the platform may call this function: nobody vouches for this.")

    def _check_claims(self, claims: Mapping[str, Any]) -> None:
        # Before the signature, so that tokens that can never be right have nothing fetched.
        moment = self._now()
        try:
            begins, ends = (
                datetime.fromtimestamp(float(claims[name]), UTC) for name in ("iat", "exp")
            )
        except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
            raise Forbidden("Only the platform may call this function: a wrong token.") from error
        if (
            str(claims.get("iss")) not in _ISSUERS
            or claims.get("aud") != self._audience
            or not begins - _SKEW <= moment <= ends + _SKEW
        ):
            raise Forbidden("Only the platform may call this function: a wrong token.")
        if (
            str(claims.get("email")) not in self._accounts
            or claims.get("email_verified") is not True
        ):
            raise Forbidden("Only the platform may call this function: this is another account.")

    def _check_signature(self, token: str) -> None:
        from google.auth import exceptions
        from google.oauth2 import id_token

        try:
            id_token.verify_oauth2_token(  # type: ignore[no-untyped-call]
                token,
                self._fetch,
                audience=self._audience,
                clock_skew_in_seconds=int(_SKEW.total_seconds()),
            )
        except exceptions.TransportError as error:
            raise RetryLater("The certificates of Google could not be fetched.") from error
        except (ValueError, KeyError, exceptions.GoogleAuthError) as error:
            raise Forbidden("Only the platform may call this function: a wrong token.") from error


def _claims(token: str) -> Mapping[str, Any]:
    """What a token says of itself."""
    parts = token.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error, IndexError) as error:
        raise Forbidden("Only the platform may call this function: a wrong token.") from error
    return claims if isinstance(claims, dict) and len(parts) == 3 else {}


class Cached:
    """Fetches an address once, and again when its answer is no longer fresh (Cache-Control)."""

    _USUAL = timedelta(hours=1)
    _LONGEST = timedelta(hours=24)

    def __init__(self, fetch: Fetch, *, now: Clock) -> None:
        self._fetch = fetch
        self._now = now
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[datetime, Any]] = {}

    def __call__(self, url: str, method: str = "GET", **options: Any) -> Any:
        with self._lock:
            found = self._kept.get(url)
            if found is not None and self._now() < found[0]:
                return found[1]
            answer = self._fetch(url, method=method, **options)
            if answer.status == 200:
                self._kept[url] = (self._now() + self._fresh(answer.headers), answer)
            return answer

    def _fresh(self, headers: Mapping[str, str]) -> timedelta:
        control = {name.lower(): value for name, value in headers.items()}.get("cache-control", "")
        for part in control.split(","):
            name, _, value = part.strip().partition("=")
            if name.lower() == "max-age" and value.isdigit():
                return min(timedelta(seconds=int(value)), self._LONGEST)
        return self._USUAL
