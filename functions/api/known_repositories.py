"""Repositories by name, remembered for a moment."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from shared import repositories
from shared.context import Services
from shared.models import RepositoryName
from shared.repositories import Repository
from shared.telemetry import CacheReads

_KNOWN_FOR = timedelta(seconds=2)
_MOST_KNOWN = 1000


class KnownRepositories:
    """Looks each repository up at most once in two seconds, as old as pointers to boards may be.

    A page of a board that is cached then costs no read at all. Safe in threads.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[datetime, Repository]] = {}
        self._lock = threading.Lock()
        self._reads = CacheReads("repositories")

    @property
    def caches(self) -> tuple[tuple[CacheReads, int], ...]:
        """This one, and how much it holds."""
        return ((self._reads, len(self._known)),)

    def get(self, services: Services, name: RepositoryName) -> Repository:
        """The registered repository. Raises NotFound."""
        now = services.now()
        with self._lock:
            found = self._known.get(name.key)
        if found is not None and now - found[0] < _KNOWN_FOR:
            self._reads.add(services.telemetry, hits=1)
            return found[1]
        self._reads.add(services.telemetry, misses=1)
        repository = repositories.get(services, name)
        if repository.github_id is not None:
            with self._lock:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[name.key] = (now, repository)
        return repository
