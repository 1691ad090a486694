"""The port for counting how often somebody asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Rate:
    """At most ``most`` requests in any ``seconds``. A ``most`` of 0 is no limit."""

    most: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Used:
    """How a subject stands: if refused by the rate that refused it, else by the longest.

    ``most`` is what this instance allows, ``wait`` whole seconds until there is room again (0 if
    there is), ``resets_at`` the same as seconds since 1970.
    """

    fits: bool
    rate: Rate
    most: int
    remaining: int
    resets_at: int
    wait: int


class Rates(Protocol):
    """Counts requests by subject in moving windows.

    What cannot be counted because the storage fails is let through (None) and logged.
    """

    def take(self, subject: str, rates: Sequence[Rate]) -> Used | None:
        """Count a request. None if none of the rates is a limit."""
        ...

    def look(self, subject: str, rates: Sequence[Rate]) -> Used | None:
        """As ``take``, and counts nothing."""
        ...
