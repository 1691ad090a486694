"""A value that takes long to read, kept for a while by an instance."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    at: datetime
    value: T


class KeptValue(Generic[T]):
    """Read anew when it is older than ``renewed_after``, by one thread at a time.

    While one reads, the others get the last one, unless that is older than ``at_most``: then they
    wait. Safe in threads.
    """

    def __init__(self, renewed_after: timedelta, at_most: timedelta) -> None:
        self._renewed_after = renewed_after
        self._at_most = at_most
        self._kept: _Kept[T] | None = None
        self._forgotten = 0
        self._lock = threading.Lock()
        self._reading = threading.Lock()

    @property
    def held(self) -> bool:
        """True if there is one, however old."""
        return self._kept is not None

    def get(self, now: Callable[[], datetime], read: Callable[[], T]) -> T:
        """The value, of the time at which its reading began. Raises what ``read`` does."""
        kept = self._younger(now(), self._renewed_after)
        if kept is not None:
            return kept.value
        last = self._younger(now(), self._at_most)
        if not self._reading.acquire(blocking=last is None):
            assert last is not None  # noqa: S101 - it would have waited
            return last.value
        try:
            # Somebody may have read while this one waited.
            kept = self._younger(now(), self._renewed_after)
            return self._read(now(), read) if kept is None else kept.value
        finally:
            self._reading.release()

    def forget(self) -> None:
        """What is read now or has been read is out of date."""
        with self._lock:
            self._kept = None
            self._forgotten += 1

    def _younger(self, now: datetime, age: timedelta) -> _Kept[T] | None:
        with self._lock:
            kept = self._kept
        return kept if kept is not None and now - kept.at < age else None

    def _read(self, now: datetime, read: Callable[[], T]) -> T:
        forgotten = self._forgotten
        value = read()
        with self._lock:
            # What was changed during the reading may be missing in it.
            if self._forgotten == forgotten:
                self._kept = _Kept(now, value)
        return value
