"""As whom GitHub is asked: nobody, a token, or the installation of a GitHub App.

Nothing here shows a secret: representations leave them out, and errors name settings only.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from shared.errors import Rejected
from shared.models import parse_time
from shared.settings import Settings

_EARLY = timedelta(minutes=5)
"""How long before its end an installation token is replaced."""

_APP_TOKEN = timedelta(minutes=9)
"""How long an App vouches for itself: GitHub takes ten minutes at most."""

_DRIFT = timedelta(minutes=1)
"""How far GitHub's clock may be behind."""

Exchange = Callable[[str, str], Mapping[str, object]]
"""Posts to a path with an Authorization header, and returns what is answered."""


class Credentials(Protocol):
    """``fingerprint`` tells one from another, ``limits`` are what GitHub grants an hour at least,
    ``advice`` is what to do when GitHub refuses them."""

    @property
    def fingerprint(self) -> str: ...

    @property
    def limits(self) -> Mapping[str, int]: ...

    @property
    def advice(self) -> str: ...

    def authorization(self, exchange: Exchange) -> str | None:
        """The header to send now, None to send none."""
        ...

    def refused(self, header: str) -> bool:
        """GitHub refused this header. True if ``authorization`` may have a better one now."""
        ...


@dataclass(frozen=True, slots=True)
class Nobody:
    """Without credentials: 60 requests an hour and address."""

    fingerprint: str = "nobody"
    limits: Mapping[str, int] = field(default_factory=lambda: {"core": 60})
    advice: str = "Set GITHUB_TOKEN."

    def authorization(self, _exchange: Exchange) -> str | None:
        return None

    def refused(self, _header: str) -> bool:
        return False


class Token:
    """A personal access token."""

    limits: Mapping[str, int] = {"core": 5000, "graphql": 5000}
    advice = "GITHUB_TOKEN has expired or was revoked. Make a new token and set it."

    def __init__(self, token: str) -> None:
        self._header = _bearer(token.strip(), "GITHUB_TOKEN")
        self.fingerprint = hashlib.sha256(self._header.encode()).hexdigest()

    def authorization(self, _exchange: Exchange) -> str | None:
        return self._header

    def refused(self, _header: str) -> bool:
        return False


class Installation:
    """An installation of a GitHub App. Its tokens last an hour and are renewed before that."""

    limits: Mapping[str, int] = {"core": 5000, "graphql": 5000}
    advice = (
        "Check GITHUB_APP_ID, GITHUB_APP_INSTALLATION and GITHUB_APP_PRIVATE_KEY, and that the "
        "App is still installed."
    )

    def __init__(
        self, app: str, installation: int, key: str, *, now: Callable[[], datetime]
    ) -> None:
        self.fingerprint = f"app {app} {installation}"
        self._app, self._installation, self._now = app, installation, now
        # Variables of an environment often hold the key's lines with \n between them.
        self._key = key.replace("\\n", "\n")
        self._lock = threading.Lock()
        self._held: tuple[str, datetime] | None = None

    def authorization(self, exchange: Exchange) -> str | None:
        with self._lock:
            if self._held is None or self._now() >= self._held[1] - _EARLY:
                path = f"/app/installations/{self._installation}/access_tokens"
                answer = exchange(path, f"Bearer {self._signed()}")
                header = _bearer(str(answer["token"]), "The installation's token")
                self._held = header, parse_time(str(answer["expires_at"]))
            return self._held[0]

    def refused(self, header: str) -> bool:
        with self._lock:
            if self._held is not None and self._held[0] == header:
                self._held = None
        return True

    def _signed(self) -> str:
        """The App's own word for itself: a JSON web token, RS256."""
        # Loaded here: who has a plain token does without Google's library.
        from google.auth import crypt, jwt

        moment = self._now()
        claims = {
            "iss": self._app,
            "iat": int((moment - _DRIFT).timestamp()),
            "exp": int((moment + _APP_TOKEN).timestamp()),
        }
        try:
            signer = crypt.RSASigner.from_string(self._key)  # type: ignore[no-untyped-call]
        except Exception:  # noqa: BLE001 - its library's errors may quote the key
            raise Rejected(
                "GITHUB_APP_PRIVATE_KEY is no private key in PEM form.",
                details={"variable": "GITHUB_APP_PRIVATE_KEY"},
            ) from None
        signed: bytes = jwt.encode(signer, claims)  # type: ignore[no-untyped-call]
        return signed.decode()


def credentials_of(settings: Settings, now: Callable[[], datetime]) -> Credentials:
    """The credentials that are set. Raises Rejected where an App is named in part only."""
    app = {
        "GITHUB_APP_ID": settings.github_app_id,
        "GITHUB_APP_INSTALLATION": settings.github_app_installation,
        "GITHUB_APP_PRIVATE_KEY": settings.github_app_private_key,
    }
    if settings.github_token is not None:
        return Token(settings.github_token)
    id_, installation = settings.github_app_id, settings.github_app_installation
    key = settings.github_app_private_key
    if id_ is not None and installation is not None and key is not None:
        return Installation(id_, installation, key, now=now)
    missing = [name for name, value in app.items() if value is None]
    if len(missing) < len(app):
        raise Rejected(
            f"A GitHub App is named without {' and '.join(missing)}.",
            details={"variables": missing},
        )
    return Nobody()


def _bearer(token: str, name: str) -> str:
    # The HTTP library would show a header that cannot be sent in its error.
    if not token or not all("!" <= character <= "~" for character in token):
        raise Rejected(f"{name} holds characters that no token has.")
    return f"Bearer {token}"
