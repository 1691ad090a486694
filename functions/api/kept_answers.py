"""Answers that were rendered lately, as they are sent: an instance's own small memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace

MOST_ITEMS = 1000
MOST_BYTES = 48_000_000


def _uncounted(_more: int) -> None:
    """Of what nobody keeps, nobody counts the bytes."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A whole answer with status 200: the headers that are not of one request alone, and the body,
    packed or not. ``unchanged`` are the headers for who has it already (304), ``path`` is what the
    log calls the address.
    """

    headers: Sequence[tuple[str, str]]
    unchanged: Sequence[tuple[str, str]]
    body: bytes
    path: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """The body of an answer, its tag, and the forms in which it was packed for somebody.

    ``grown`` is told of the bytes of each such form. ``sent`` is for the answers that were made of
    it, by what in a request they depended on.
    """

    body: bytes
    etag: str
    forever: bool
    grown: Callable[[int], None] = _uncounted
    sent: dict[Hashable, Sent] = field(default_factory=dict)
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
    of: object
    source: Source
    answer: Rendered
    size: int


Source = Callable[[], object]


class KeptAnswers:
    """The answers last asked for, at most so many and of so many bytes. Safe in threads.

    An answer is made of what its ``source`` gives, an object that never changes, such as a board's
    head: of any other it is made anew, so what is kept never goes stale.
    """

    def __init__(self, most_items: int = MOST_ITEMS, most_bytes: int = MOST_BYTES) -> None:
        self._most_items = most_items
        self._most_bytes = most_bytes
        self._answers: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def answer(self, key: Hashable, source: Source, make: Callable[[], Rendered]) -> Rendered:
        """The answer to a question about a source, made if it is not kept. Raises what both do."""
        of = source()
        found = self._found(key, of)
        if found is not None:
            return found
        made = make()
        body = made.body
        # Of itself it holds no reference, so that its bytes are free as soon as it is dropped.
        counted = replace(made, grown=lambda more: self._grow(key, body, more))
        kept = _Kept(of, source, counted, len(body))
        with self._lock:
            before = self._answers.pop(key, None)
            self._answers[key] = kept
            self._bytes += kept.size - (0 if before is None else before.size)
            self._make_room()
        return kept.answer

    def again(self, key: Hashable) -> Rendered | None:
        """The answer, if it is kept and still what its source would have. Raises what that does."""
        with self._lock:
            kept = self._answers.get(key)
        return None if kept is None else self._found(key, kept.source())

    def _found(self, key: Hashable, of: object) -> Rendered | None:
        with self._lock:
            found = self._answers.get(key)
            if found is None or found.of is not of:
                return None
            self._answers.move_to_end(key)
            return found.answer

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
