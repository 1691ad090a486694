"""What tasks, subscriptions and schedules have in common for whoever delivers them.

A lane is a line of deliveries with its own limits: a task queue, a subscription or a schedule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

INTERNAL_HEADER = "X-Leaderboard-Internal"
"""The header that carries the secret which tells the dispatcher from strangers."""

PROJECT = "local"
"""The project id that the platform's resource names carry on this machine."""


@dataclass(frozen=True, slots=True)
class Retry:
    """When a failed call is made again, as Cloud Tasks and Pub/Sub define it.

    The wait doubles ``max_doublings`` times from ``min_backoff``, then grows by the last doubled
    wait, never beyond ``max_backoff``. ``max_attempts`` counts the first call too; None tries for
    as long as the delivery is kept.
    """

    min_backoff: timedelta
    max_backoff: timedelta
    max_doublings: int = 16
    max_attempts: int | None = None

    def wait(self, failures: int) -> timedelta:
        """The pause after the ``failures``-th failed call (1 is the first)."""
        doublings = min(failures - 1, self.max_doublings)
        linear = failures - 1 - doublings
        wait: timedelta = self.min_backoff * 2**doublings * (1 + linear)
        return min(wait, self.max_backoff)

    def exhausted(self, failures: int) -> bool:
        """Whether no call is left after that many failed ones."""
        return self.max_attempts is not None and failures >= self.max_attempts


@dataclass(frozen=True, slots=True)
class Pacing:
    """How fast a lane is delivered: calls at the same time, and calls a second.

    ``burst`` calls may follow each other at once before the rate holds them back; 1 spaces them
    evenly. 500 a second is the platform's own upper limit.
    """

    max_concurrent: int
    per_second: float = 500.0
    burst: int = 100


@dataclass(frozen=True, slots=True)
class Draft:
    """A delivery to be kept. ``name`` is unique in its lane; None leaves it without a name."""

    lane: str
    function: str
    content: bytes
    due: datetime
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A kept delivery under lease, and how it fared so far.

    ``failures`` are the calls known to have failed; ``executions`` those of them that the
    function itself answered (below 500); ``last_status`` is None where nobody answered.
    """

    id: int
    lane: str
    name: str | None
    function: str
    content: bytes
    eta: datetime
    failures: int
    executions: int
    last_status: int | None
    lease: str


@dataclass(frozen=True, slots=True)
class Call:
    """The HTTP POST that a delivery amounts to."""

    function: str
    headers: Mapping[str, str]
    body: bytes


class Lane(Protocol):
    """One line of deliveries: its limits, and how a delivery of it is put on the wire."""

    @property
    def key(self) -> str: ...

    @property
    def pacing(self) -> Pacing: ...

    @property
    def retry(self) -> Retry: ...

    @property
    def deadline(self) -> timedelta:
        """How long a call may take before it counts as failed."""
        ...

    @property
    def tombstone(self) -> timedelta:
        """How long a name stays taken after its delivery has ended."""
        ...

    def call(self, delivery: Delivery) -> Call: ...


class Source(Protocol):
    """Something with lanes to deliver: the tasks, the events, the schedules."""

    @property
    def lanes(self) -> Sequence[Lane]: ...

    def bury(self, delivery: Delivery) -> Sequence[Draft]:
        """What takes the place of a delivery that has failed for the last time."""
        ...
