"""Answers kept with their ETags: what did not change costs nothing of the allowance."""

from __future__ import annotations

import threading
from collections import OrderedDict

from infra.github.answers import Answer

MOST_BYTES = 16 * 1024 * 1024
"""What an instance keeps in all. A page of 100 comments has about 500 KB."""


class ETagStore:
    """The answers used last, by address, within a bound of bytes. Safe in any number of threads."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, Answer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, url: str) -> Answer | None:
        """The last answer of that address, None where it is not kept (any more)."""
        with self._lock:
            if url in self._kept:
                self._kept.move_to_end(url)
            return self._kept.get(url)

    def keep(self, url: str, answer: Answer) -> None:
        """Keep an answer that has an ETag in place of an earlier one."""
        with self._lock:
            before = self._kept.pop(url, None)
            if before is not None:
                self._bytes -= len(before.content)
            if "etag" not in answer.headers:
                return
            self._kept[url] = answer
            self._bytes += len(answer.content)
            while self._bytes > self._most_bytes:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= len(oldest.content)
