"""Ports for calls that cross the border: who calls us, whom we call, who comes back.

As with ``shared/ports.py``, implementations raise only ``shared.errors``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class Callers(Protocol):
    """Who may call the functions that are the platform's to call."""

    def check(self, authorization: str | None) -> None:
        """Return if the header is that of the platform's own call. Raises Forbidden otherwise."""
        ...


class Outward(Protocol):
    """Calls of addresses outside."""

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        """POST a body; return once it was answered with a status of 200 to 299.

        Redirects are not followed. Raises RetryLater for what may pass (no answer in time, 408,
        429, 500 and more), Rejected for any other answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class Signing:
    """What a browser has to bring back: the state, and the secret behind its challenge."""

    state: str
    verifier: str


class SignIn(Protocol):
    """GitHub's web flow of an OAuth app. Its tokens are thrown away once they told who it is."""

    def address(self, signing: Signing) -> str:
        """Where the browser is sent to be asked whether it is them."""
        ...

    def account(self, code: str, signing: Signing) -> int:
        """The id of the account that came back with a code.

        Raises Unauthenticated for a code that is not taken (any more), RetryLater.
        """
        ...
