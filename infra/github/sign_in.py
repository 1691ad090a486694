"""The port ``shared.sign_in.SignIn``: the web flow of a GitHub OAuth app, with PKCE.

No scope is asked for: who somebody is, everybody may know. The callback is the one that the app is
registered with.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any
from urllib.parse import urlencode

import httpx

from infra.tls import trusted
from shared.calls import SignIn, Signing
from shared.errors import RetryLater, Unauthenticated
from shared.settings import Settings

_TIMEOUT_SECONDS = 10.0


def make(settings: Settings) -> SignIn | None:
    """The flow that the settings ask for, None without an app."""
    if settings.github_oauth_client_id is None or settings.github_oauth_client_secret is None:
        return None
    return GitHubSignIn(
        settings.github_oauth_client_id,
        settings.github_oauth_client_secret,
        settings.github_url,
        settings.github_api_url,
    )


class GitHubSignIn:
    """See the port."""

    def __init__(self, client_id: str, client_secret: str, url: str, api_url: str) -> None:
        self._client_id, self._client_secret = client_id, client_secret
        self._url, self._api_url = url.rstrip("/"), api_url.rstrip("/")

    def address(self, signing: Signing) -> str:
        digest = hashlib.sha256(signing.verifier.encode()).digest()
        query = {
            "client_id": self._client_id,
            "state": signing.state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{self._url}/login/oauth/authorize?{urlencode(query)}"

    def account(self, code: str, signing: Signing) -> int:
        given = {
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "code": code,
            "code_verifier": signing.verifier,
        }
        # GitHub says 200 to a code that it does not take, and what is wrong in the body.
        told = _asked("POST", f"{self._url}/login/oauth/access_token", data=given)
        token = told.get("access_token")
        if not isinstance(token, str):
            raise Unauthenticated("GitHub did not confirm who you are. Sign in once more.")
        user = _asked("GET", f"{self._api_url}/user", headers={"Authorization": f"Bearer {token}"})
        account = user.get("id")
        if not isinstance(account, int):
            raise Unauthenticated("GitHub did not say who you are. Sign in once more.")
        return account


def _asked(method: str, url: str, headers: dict[str, str] | None = None, **sent: Any) -> Any:
    """A JSON object. Raises RetryLater where GitHub cannot be asked, Unauthenticated if refused."""
    accept = {"Accept": "application/json", **(headers or {})}
    try:
        answer = httpx.request(
            method,
            url,
            headers=accept,
            timeout=_TIMEOUT_SECONDS,
            trust_env=False,
            verify=trusted(),
            **sent,
        )
        told = answer.json() if answer.is_success else {}
    except (httpx.HTTPError, ValueError) as error:
        raise RetryLater(f"GitHub did not answer: {type(error).__name__}.") from error
    if answer.status_code >= 500 or answer.status_code == 429:
        raise RetryLater(f"GitHub answered {answer.status_code}.")
    return told if isinstance(told, dict) else {}
