"""Answers that were rendered lately, as they are sent: an instance's own small memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

MOST_ITEMS = 1000
MOST_BYTES = 48_000_000


@dataclass(frozen=True, slots=True)
class Rendered:
    """The body of an answer, its tag, and the forms in which it was packed for somebody."""

    body: bytes
    etag: str
    forever: bool
    _packed: dict[str, bytes] = field(default_factory=dict)

    def packed(self, encoding: str, pack: Callable[[bytes], bytes]) -> bytes:
        """The body in an encoding, packed once."""
        found = self._packed.get(encoding)
        if found is None:
            found = self._packed[encoding] = pack(self.body)
        return found


class KeptAnswers:
    """The answers last asked for, at most so many and of so many bytes. Safe in threads.

    An answer belongs to its ``source``, an object that never changes, such as a board's head: of
    any other source it is made anew, so what is kept never goes stale.
    """

    def __init__(self, most_items: int = MOST_ITEMS, most_bytes: int = MOST_BYTES) -> None:
        self._most_items = most_items
        self._most_bytes = most_bytes
        self._answers: OrderedDict[Hashable, tuple[object, Rendered]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def answer(self, key: Hashable, source: object, make: Callable[[], Rendered]) -> Rendered:
        """The answer to a question about a source, made if it is not kept."""
        with self._lock:
            found = self._answers.get(key)
            if found is not None and found[0] is source:
                self._answers.move_to_end(key)
                return found[1]
        made = make()
        with self._lock:
            before = self._answers.pop(key, None)
            self._answers[key] = source, made
            self._bytes += len(made.body) - (0 if before is None else len(before[1].body))
            while len(self._answers) > self._most_items or (
                self._bytes > self._most_bytes and len(self._answers) > 1
            ):
                self._bytes -= len(self._answers.popitem(last=False)[1][1].body)
        return made
