"""Pages that were rendered lately, by what they were made of: an instance's own small memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from flask import current_app
from markupsafe import Markup

from shared.telemetry import SILENT, CacheReads, Telemetry

MOST_CHARACTERS = 16_000_000

_EXTENSION = "kept_pages"


class KeptPages:
    """The pages last asked for, up to some characters in all. Safe in threads.

    A key names everything that its page shows, so what is kept never goes stale.
    """

    def __init__(self, most: int = MOST_CHARACTERS) -> None:
        self._most = most
        self._pages: OrderedDict[Hashable, Markup] = OrderedDict()
        self._characters = 0
        self._lock = threading.Lock()
        self._reads = CacheReads("pages")

    @property
    def caches(self) -> tuple[tuple[CacheReads, int], ...]:
        """This one, and how much it holds."""
        return ((self._reads, len(self._pages)),)

    def page(self, key: Hashable, make: Callable[[], str], telemetry: Telemetry = SILENT) -> Markup:
        """The page of that key, made if it is not kept."""
        with self._lock:
            found = self._pages.get(key)
            if found is not None:
                self._pages.move_to_end(key)
        if found is not None:
            self._reads.add(telemetry, hits=1)
            return found
        self._reads.add(telemetry, misses=1)
        made = Markup(make())  # noqa: S704 - what a template rendered
        with self._lock:
            before = self._pages.pop(key, None)
            self._pages[key] = made
            self._characters += len(made) - (0 if before is None else len(before))
            while self._characters > self._most and len(self._pages) > 1:
                self._characters -= len(self._pages.popitem(last=False)[1])
        return made


def kept_pages() -> KeptPages:
    """Those of the application that answers now."""
    found = current_app.extensions.setdefault(_EXTENSION, KeptPages())
    assert isinstance(found, KeptPages)  # noqa: S101 - put there by the line above
    return found
