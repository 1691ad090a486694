"""Google's clients, made on first use and once, and channels to what stands in for Google."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import grpc

T = TypeVar("T")


class Once(Generic[T]):
    """A value made by the first caller and shared by all threads. A failure is not kept."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: list[T] = []

    def __call__(self) -> T:
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]

    def take(self) -> T | None:
        """Give the value away if it was made; the next call makes another."""
        with self._lock:
            return self._made.pop() if self._made else None


def open_channel(host: str) -> grpc.Channel:
    """A channel without encryption or identity to an emulator at ``host:port``."""
    unlimited = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    return grpc.insecure_channel(host, options=unlimited)
