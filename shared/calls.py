"""Ports for calls that cross the border: who calls the trigger functions, and whom we call.

As with ``shared/ports.py``, implementations raise only ``shared.errors``.
"""

from __future__ import annotations

from collections.abc import Mapping
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
