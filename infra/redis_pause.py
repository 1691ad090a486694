"""A Redis that does not answer is left alone for a while, so that it slows one request, not all."""

from __future__ import annotations

import math
from collections.abc import Callable

import structlog

ANSWER_SECONDS = 0.5
"""How long Redis is waited for: less than what a request without it takes."""

PAUSE_SECONDS = 10.0
"""How long one that failed is left alone."""

log = structlog.get_logger()


class RedisPause:
    """Over before it was begun. ``event`` is what the log calls the failure."""

    def __init__(self, event: str, clock: Callable[[], float]) -> None:
        self._event = event
        self._clock = clock
        self._until = -math.inf

    @property
    def lasts(self) -> bool:
        return self._clock() < self._until

    def begin(self, error: BaseException) -> None:
        """It failed with this, of which the log says the kind."""
        self._until = self._clock() + PAUSE_SECONDS
        log.warning(self._event, reason=type(error).__name__, pause_seconds=PAUSE_SECONDS)
