"""Boards and people by the addresses that the outside names them with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from flask import current_app, request, url_for

from shared import repositories
from shared.board_reading import Selection, Slice
from shared.boards import GLOBAL, Head, repository_board
from shared.context import Services
from shared.errors import NotFound, Rejected
from shared.models import WINDOW_DAYS, RepositoryName
from shared.repositories import Repository

Choice = TypeVar("Choice", bound=str)

GLOBAL_NAME = "Global leaderboard"


@dataclass(frozen=True, slots=True)
class Place:
    """A board: its id, the name it is shown by, its page's endpoint and that one's parameters."""

    board: str
    name: str
    endpoint: str
    path: Mapping[str, str]
    repository: Repository | None = None

    def read(self, window: str, limit: int, account_class: str = "human") -> Slice:
        """The first rows. Raises NotFound where nothing is published yet."""
        chosen = Selection(account_class, limit=limit)
        return services().boards.read(self.board, window, chosen)

    def page(self, window: str = "all") -> str:
        """The whole address of the board's page."""
        query = {} if window == "all" else {"window": window}
        path = url_for(self.endpoint, **self.path, **query)  # type: ignore[arg-type]
        return absolute(path)


def everywhere() -> Place:
    """The board over all repositories."""
    return Place(GLOBAL, GLOBAL_NAME, "dashboard.leaderboard", {})


def of_repository(owner: str, name: str) -> Place:
    """A repository's board. Raises NotFound, Rejected for what is no name."""
    found = repositories.get(services(), RepositoryName.parse(f"{owner}/{name}"))
    if found.github_id is None:
        raise NotFound(f"{found.name} has no board yet.")
    return Place(
        repository_board(found.github_id),
        found.name,
        "dashboard.repository",
        {"owner": owner, "name": name},
        found,
    )


def person(login: str, window: str) -> tuple[Slice, Head]:
    """Somebody's row on the global board, and its head. Raises NotFound."""
    piece = services().boards.person(GLOBAL, window, login=login)
    if not piece.rows:
        raise NotFound(f"Nobody called {login[:100]} is on the board.")
    return piece, piece.head


def services() -> Services:
    """Those of the app that this is a part of."""
    found: Services = current_app.extensions["leaderboard"].services()
    return found


def absolute(path: str) -> str:
    """The whole address of a path: under PUBLIC_URL, or as this request came."""
    base = services().settings.public_url or request.host_url
    return base.rstrip("/") + path


def window() -> str:
    """The window that the address names. Raises Rejected."""
    return one_of("window", tuple(WINDOW_DAYS))


def one_of(name: str, allowed: tuple[Choice, ...]) -> Choice:
    """A parameter of the address; left out it is the first of ``allowed``. Raises Rejected."""
    given = request.args.get(name) or allowed[0]
    for choice in allowed:
        if given == choice:
            return choice
    raise Rejected(
        f"{name} {given[:60]!r} is not one of {', '.join(allowed)}.", details={"field": name}
    )


def count(name: str, default: int, most: int) -> int:
    """A whole number from 1 to ``most`` of the address. Raises Rejected."""
    given = request.args.get(name) or str(default)
    if not (given.isascii() and given.isdigit()) or not 1 <= int(given[:6]) <= most:
        raise Rejected(f"{name} is a whole number from 1 to {most}.", details={"field": name})
    return int(given)
