"""Answers that were rendered lately, as they are sent: an instance's own small memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace

MOST_ITEMS = 1000
MOST_BYTES = 48_000_000


def _uncounted(_more: int) -> None:
    """Of what nobody keeps, nobody counts the bytes."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """The body of an answer, its tag, and the forms in which it was packed for somebody.

    ``grown`` is told of the bytes of each such form.
    """

    body: bytes
    etag: str
    forever: bool
    grown: Callable[[int], None] = _uncounted
    _packed: dict[str, bytes] = field(default_factory=dict)

    def packed(self, encoding: str, pack: Callable[[bytes], bytes]) -> bytes:
        """The body in an encoding, packed once."""
        found = self._packed.get(encoding)
        if found is None:
            made = pack(self.body)
            found = self._packed.setdefault(encoding, made)
            if found is made:
                self.grown(len(made))
        return found


@dataclass(slots=True)
class _Kept:
    source: object
    answer: Rendered
    size: int


class KeptAnswers:
    """The answers last asked for, at most so many and of so many bytes. Safe in threads.

    An answer belongs to its ``source``, an object that never changes, such as a board's head: of
    any other source it is made anew, so what is kept never goes stale.
    """

    def __init__(self, most_items: int = MOST_ITEMS, most_bytes: int = MOST_BYTES) -> None:
        self._most_items = most_items
        self._most_bytes = most_bytes
        self._answers: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def answer(self, key: Hashable, source: object, make: Callable[[], Rendered]) -> Rendered:
        """The answer to a question about a source, made if it is not kept."""
        with self._lock:
            found = self._answers.get(key)
            if found is not None and found.source is source:
                self._answers.move_to_end(key)
                return found.answer
        made = make()
        body = made.body
        # Of itself it holds no reference, so that its bytes are free as soon as it is dropped.
        counted = replace(made, grown=lambda more: self._grow(key, body, more))
        kept = _Kept(source, counted, len(body))
        with self._lock:
            before = self._answers.pop(key, None)
            self._answers[key] = kept
            self._bytes += kept.size - (0 if before is None else before.size)
            self._make_room()
        return kept.answer

    def _grow(self, key: Hashable, body: bytes, more: int) -> None:
        with self._lock:
            kept = self._answers.get(key)
            if kept is not None and kept.answer.body is body:
                kept.size += more
                self._bytes += more
                self._make_room()

    def _make_room(self) -> None:
        while len(self._answers) > self._most_items or (
            self._bytes > self._most_bytes and len(self._answers) > 1
        ):
            self._bytes -= self._answers.popitem(last=False)[1].size
