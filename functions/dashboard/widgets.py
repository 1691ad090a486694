"""A part of a page that may fail while the others stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from shared.errors import LeaderboardError, NotFound

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Widget(Generic[T]):
    """What a part shows: a value, nothing yet (both None), or the problem in a sentence."""

    value: T | None = None
    problem: str | None = None


def attempt(read: Callable[[], T]) -> Widget[T]:
    """What ``read`` gives. What is not there yet is empty; a failure stays within its widget."""
    try:
        return Widget(read())
    except NotFound:
        return Widget()
    except LeaderboardError as error:
        log.warning("widget_failed", error=error.code, reason=error.message)
        return Widget(problem=error.message[:300])
