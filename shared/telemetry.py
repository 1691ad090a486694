"""The port that takes measurements and traces out of the process, and one that takes nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import MappingProxyType
from typing import Literal, Protocol

from shared.metrics import CACHE_READS, Metric

Kind = Literal["server", "consumer", "internal"]

About = Mapping[str, str | int]
"""What a span says of its work: nothing about people, and no secret."""

NOTHING: About = MappingProxyType({})

TRACEPARENT = "traceparent"
"""Under which name a W3C traceparent travels: a header, a field of a task, an attribute."""


class Span(Protocol):
    """A stretch of work in a trace."""

    def note(self, about: About) -> None:
        """Say more about it."""
        ...

    def fail(self, code: str) -> None:
        """Mark it as failed. ``code`` is a word of ours or the type of an error, no message."""
        ...


class Telemetry(Protocol):
    """Where measurements go. No method ever raises, and none but ``flush`` waits for anybody."""

    @property
    def on(self) -> bool:
        """False where everything is dropped."""
        ...

    def measure(self, metric: Metric, value: float = 1, /, **labels: str) -> None:
        """Add to a counter, sort into a histogram, or set a gauge. Labels as the metric names."""
        ...

    def span(
        self,
        name: str,
        about: About = NOTHING,
        *,
        kind: Kind = "internal",
        parent: str | None = None,
    ) -> AbstractContextManager[Span]:
        """A span around the block, within the one around it, else within ``parent``.

        ``parent`` is a W3C traceparent; one that cannot be read counts for nothing.
        """
        ...

    def traceparent(self) -> str | None:
        """The W3C traceparent of the span that is open here, None outside any."""
        ...

    def flush(self) -> None:
        """Send what has gathered, if it is time to. Waits no longer than the settings allow."""
        ...


class _NoSpan:
    def note(self, about: About) -> None:
        """Nothing."""

    def fail(self, code: str) -> None:
        """Nothing."""


_NO_SPAN = _NoSpan()


class Silent:
    """The port where nobody wants to know."""

    on = False

    def measure(self, metric: Metric, value: float = 1, /, **labels: str) -> None:
        """Nothing."""

    @contextmanager
    def span(
        self,
        name: str,  # noqa: ARG002 - as the port has it
        about: About = NOTHING,  # noqa: ARG002
        *,
        kind: Kind = "internal",  # noqa: ARG002
        parent: str | None = None,  # noqa: ARG002
    ) -> Iterator[Span]:
        yield _NO_SPAN

    def traceparent(self) -> str | None:
        return None

    def flush(self) -> None:
        """Nothing."""


SILENT = Silent()


class CacheReads:
    """How often a cache of this process had what was wanted. Safe in threads."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.hits = 0
        self.misses = 0
        self._lock = threading.Lock()

    def add(self, telemetry: Telemetry, *, hits: int = 0, misses: int = 0) -> None:
        """Count some reads."""
        with self._lock:
            self.hits += hits
            self.misses += misses
        if not telemetry.on:
            return
        for outcome, count in (("hit", hits), ("miss", misses)):
            if count:
                telemetry.measure(CACHE_READS, count, cache=self.name, outcome=outcome)
