"""Which board an address means: the global one or a repository's, published or of any range."""

from __future__ import annotations

from dataclasses import dataclass

from functions.api.resource import Call
from shared import repositories
from shared.boards import GLOBAL, Head, repository_board
from shared.context import Services
from shared.custom_range import RangeBoard
from shared.errors import NotFound, Rejected
from shared.models import RepositoryName, Window, parse_time
from shared.repositories import Repository


@dataclass(frozen=True, slots=True)
class Board:
    """A board by its id. ``repository`` is None for the global one."""

    id: str
    name: str
    repository: Repository | None

    def repositories(self, services: Services) -> tuple[Repository, ...]:
        """Those that it is over."""
        if self.repository is not None:
            return (self.repository,)
        return tuple(r for r in repositories.everyone(services) if r.github_id is not None)

    def of_range(self, call: Call, window: Window) -> RangeBoard:
        """The board over a range. Raises as ``RangeBoards.board`` and ``Call.allow_warehouse``."""
        call.allow_warehouse()
        services = call.services
        return call.ranges.board(services, self.id, self.name, self.repositories(services), window)


GLOBAL_BOARD = Board(GLOBAL, GLOBAL, None)


def board_of(call: Call, owner: str, name: str) -> Board:
    """A repository's board. Raises Rejected for no name, NotFound before its first scrape."""
    repository = call.known.get(call.services, RepositoryName.parse(f"{owner}/{name}"))
    if repository.github_id is None:
        raise NotFound(
            f"{repository.name} was not scraped yet, so it has no board. Its job says how far "
            "it is.",
            details={"repository": repository.name, "job": repository.active_job},
        )
    return Board(repository_board(repository.github_id), repository.name, repository)


def board_named(call: Call, text: str, field: str) -> Board:
    """The board that ``global`` or ``owner/name`` means."""
    if text == GLOBAL:
        return GLOBAL_BOARD
    try:
        parsed = RepositoryName.parse(text)
    except Rejected as error:
        raise Rejected(
            f"{field}={text[:100]!r} is neither 'global' nor a repository's owner/name.",
            details={"field": field},
        ) from error
    return board_of(call, parsed.owner, parsed.name)


def window_of(head: Head) -> Window:
    """The span that a published board was counted for."""
    inputs = head.receipt.inputs
    start = None if inputs.start is None else parse_time(inputs.start)
    return Window(head.window, start, parse_time(inputs.end))
