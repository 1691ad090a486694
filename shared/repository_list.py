"""Registered repositories as somebody wants to see them: by status and name, in an order."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from shared.context import Services
from shared.errors import Rejected
from shared.jobs import RepositoryStatus
from shared.ports import Json
from shared.repositories import Repository, listed, read

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


def find(
    services: Services, listing: Listing, *, after: str | None = None, limit: int = 100
) -> RepositoryPage:
    """A page of the repositories that are wanted. Raises Rejected for a cursor of something else.

    By name it reads as many documents as it gives. A search and any other order read all
    repositories of that status, since parts of names are in no index.
    """
    if listing.plain:
        page = listed(services, status=listing.status, after=after, limit=limit)
        return RepositoryPage(tuple(map(read, page.documents)), page.cursor)
    beyond = None if after is None else _place_in(listing, after)
    part = listing.search.lower()
    found = [each for each in _all(services, listing.status) if part in each.name.lower()]
    found.sort(key=lambda each: _place(listing, each), reverse=listing.descending)
    if beyond is not None:
        found = [each for each in found if _is_after(listing, _place(listing, each), beyond)]
    shown = tuple(found[:limit])
    return RepositoryPage(shown, _cursor(listing, shown[-1]) if len(found) > limit else None)


def _all(services: Services, status: RepositoryStatus | None) -> list[Repository]:
    found: list[Repository] = []
    cursor: str | None = None
    while True:
        page = listed(services, status=status, after=cursor, limit=500)
        found += map(read, page.documents)
        cursor = page.cursor
        if cursor is None:
            return found


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
