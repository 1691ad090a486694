"""Registered repositories as somebody wants to see them: by status and name, in an order."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import timedelta

from shared.context import Services
from shared.errors import Rejected
from shared.jobs import RepositoryStatus
from shared.kept_value import KeptValue
from shared.ports import Json
from shared.repositories import Repository, listed, read
from shared.telemetry import CacheReads

_RENEWED_AFTER = timedelta(seconds=5)
_AT_MOST = timedelta(seconds=10)
"""How old a list may be that somebody gets while another reads it."""

SORTS = ("name", "status", "stars", "registered_at", "last_scraped_at", "latest_data_at")
"""What repositories can be ordered by. By name is by the one they were registered with."""

_Place = tuple[bool, str | int, str]


@dataclass(frozen=True, slots=True)
class Listing:
    """Which repositories. ``search`` is part of the latest name, in any case."""

    status: RepositoryStatus | None = None
    search: str = ""
    sort: str = "name"
    descending: bool = False

    @property
    def plain(self) -> bool:
        """True if the documents are in that order by themselves."""
        return not self.search and self.sort == "name" and not self.descending


@dataclass(frozen=True, slots=True)
class RepositoryPage:
    """Some repositories, and the cursor of the next page or None at the end."""

    repositories: tuple[Repository, ...]
    cursor: str | None


class RepositoryLists:
    """All repositories of each status, read at most every five seconds. Safe in threads."""

    def __init__(self) -> None:
        self._lists = {
            status: KeptValue[tuple[Repository, ...]](_RENEWED_AFTER, _AT_MOST)
            for status in (None, *RepositoryStatus)
        }
        self._reads = CacheReads("repository_lists")

    @property
    def caches(self) -> tuple[tuple[CacheReads, int], ...]:
        """This one, and how many lists it holds."""
        return ((self._reads, sum(each.held for each in self._lists.values())),)

    def all_of(self, services: Services, status: RepositoryStatus | None) -> tuple[Repository, ...]:
        """The repositories of a status, or all, by key."""
        hits = 1

        def read_all() -> tuple[Repository, ...]:
            nonlocal hits
            hits = 0
            return _all(services, status)

        found = self._lists[status].get(services.now, read_all)
        self._reads.add(services.telemetry, hits=hits, misses=1 - hits)
        return found

    def forget(self) -> None:
        """This instance may have changed one."""
        for each in self._lists.values():
            each.forget()


def find(
    services: Services,
    listing: Listing,
    lists: RepositoryLists,
    *,
    after: str | None = None,
    limit: int = 100,
) -> RepositoryPage:
    """A page of the repositories that are wanted. Raises Rejected for a cursor of something else.

    By name it reads as many documents as it gives. A search and any other order take all
    repositories of that status from ``lists``, since parts of names are in no index.
    """
    if listing.plain:
        page = listed(services, status=listing.status, after=after, limit=limit)
        return RepositoryPage(tuple(map(read, page.documents)), page.cursor)
    beyond = None if after is None else _place_in(listing, after)
    part = listing.search.lower()
    found = [each for each in lists.all_of(services, listing.status) if part in each.name.lower()]
    found.sort(key=lambda each: _place(listing, each), reverse=listing.descending)
    if beyond is not None:
        found = [each for each in found if _is_after(listing, _place(listing, each), beyond)]
    shown = tuple(found[:limit])
    return RepositoryPage(shown, _cursor(listing, shown[-1]) if len(found) > limit else None)


def _all(services: Services, status: RepositoryStatus | None) -> tuple[Repository, ...]:
    found: list[Repository] = []
    cursor: str | None = None
    while True:
        page = listed(services, status=status, after=cursor, limit=500)
        found += map(read, page.documents)
        cursor = page.cursor
        if cursor is None:
            return tuple(found)


def _place(listing: Listing, repository: Repository) -> _Place:
    """Where a repository stands: what is not known comes first upwards and last downwards."""
    name = "key" if listing.sort == "name" else listing.sort
    value: str | int | None = getattr(repository, name)
    unknown: str | int = 0 if listing.sort == "stars" else ""
    return value is not None, unknown if value is None else value, repository.key


def _is_after(listing: Listing, place: _Place, other: _Place) -> bool:
    return place < other if listing.descending else place > other


def _cursor(listing: Listing, last: Repository) -> str:
    text = json.dumps([*_words(listing), *_place(listing, last)])
    return base64.urlsafe_b64encode(text.encode()).decode()


def _place_in(listing: Listing, cursor: str) -> _Place:
    try:
        found = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
        *words, known, value, key = found
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise Rejected("This is not a cursor of this list.") from error
    expected = int if listing.sort == "stars" else str
    fits = isinstance(known, bool) and isinstance(key, str) and type(value) is expected
    if words != _words(listing) or not fits:
        raise Rejected("This cursor belongs to another list.")
    return known, value, key


def _words(listing: Listing) -> list[Json]:
    status = None if listing.status is None else listing.status.value
    return [status, listing.search, listing.sort, listing.descending]
