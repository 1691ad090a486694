"""What the page of coverage shows: how complete the boards are, of all and of each repository.

Of documents it reads a pointer for each window, and two for each repository shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from functions.dashboard.coverage_notes import CoverageNote, describe
from functions.dashboard.widgets import Widget, attempt
from shared import repositories
from shared.boards import GLOBAL, Head, repository_board
from shared.context import Services
from shared.errors import NotFound
from shared.models import WINDOW_DAYS
from shared.repositories import Repository

REPOSITORIES = 7


@dataclass(frozen=True, slots=True)
class WindowNote:
    """How complete the global board of a window is, and as of when."""

    window: str
    as_of: str
    note: CoverageNote


@dataclass(frozen=True, slots=True)
class RepositoryNote:
    """A repository and its board over all time, if there is one yet."""

    repository: Repository
    head: Head | None
    note: CoverageNote | None


@dataclass(frozen=True, slots=True)
class Repositories:
    """Repositories by name. ``cursor`` leads on, None at the end."""

    notes: tuple[RepositoryNote, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class CoveragePage:
    """The page. ``windows`` is empty before the first board was published."""

    windows: Widget[tuple[WindowNote, ...]]
    repositories: Widget[Repositories]


def read(services: Services, after: str) -> CoveragePage:
    """The page as it is now, its repositories from a place in their list on."""
    return CoveragePage(
        windows=attempt(lambda: _windows(services)),
        repositories=attempt(lambda: _repositories(services, after)),
    )


def _windows(services: Services) -> tuple[WindowNote, ...]:
    heads = [services.boards.head(GLOBAL, window) for window in WINDOW_DAYS]
    return tuple(WindowNote(head.window, head.as_of, describe(head.coverage)) for head in heads)


def _repositories(services: Services, after: str) -> Repositories:
    page = repositories.listed(services, after=after or None, limit=REPOSITORIES)
    found = map(repositories.read, page.documents)
    return Repositories(tuple(_note(services, each) for each in found), page.cursor)


def _note(services: Services, repository: Repository) -> RepositoryNote:
    if repository.github_id is None:
        return RepositoryNote(repository, None, None)
    try:
        head = services.boards.head(repository_board(repository.github_id), "all")
    except NotFound:
        return RepositoryNote(repository, None, None)
    return RepositoryNote(repository, head, describe(head.coverage))
