"""What the first page shows: totals, repositories, the top of the board, movers, jobs."""

from __future__ import annotations

from dataclasses import dataclass

from functions.dashboard.board_address import BoardAddress
from functions.dashboard.board_page import BoardPage, is_compared
from functions.dashboard.board_page import read as read_board
from functions.dashboard.coverage_notes import CoverageNote, describe
from shared import jobs, repositories
from shared.board_reading import Selection
from shared.boards import GLOBAL, Head, Row, repository_board
from shared.context import Services
from shared.errors import NotFound
from shared.jobs import Job
from shared.repositories import Repository

TOP = 10
MOVERS = 6
JOBS = 5
WATCHED_RANKS = 1000
"""Movers are looked for among these first ranks: one document."""

MOVERS_WINDOW = "30d"


@dataclass(frozen=True, slots=True)
class RegisteredBoard:
    """A registered repository and the head of its board, if there is one yet."""

    repository: Repository
    head: Head | None
    coverage: CoverageNote | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page. ``top`` is None before anything was published; ``movers`` None before

    there were two boards to compare.
    """

    registered: tuple[RegisteredBoard, ...]
    top: BoardPage | None
    movers: tuple[Row, ...] | None
    jobs: tuple[Job, ...]

    @property
    def published(self) -> int:
        """How many repositories have a board."""
        return sum(1 for item in self.registered if item.head)

    @property
    def busy(self) -> bool:
        """True while a job has not ended: then the page brings itself up to date."""
        return any(not job.ended for job in self.jobs)


def read(services: Services) -> Overview:
    """The first page as it is now."""
    return Overview(
        registered=tuple(_board(services, r) for r in repositories.everyone(services)),
        top=_top(services),
        movers=_movers(services),
        jobs=tuple(jobs.read(d) for d in jobs.listed(services, {}, limit=JOBS).documents),
    )


def _board(services: Services, repository: Repository) -> RegisteredBoard:
    try:
        head = services.boards.head(repository_board(repository.github_id or 0), "all")
    except NotFound:
        return RegisteredBoard(repository, None, None)
    return RegisteredBoard(repository, head, describe(head.coverage))


def _top(services: Services) -> BoardPage | None:
    address = BoardAddress("dashboard.leaderboard", page_size=TOP)
    try:
        return read_board(services, GLOBAL, address)
    except NotFound:
        return None


def _movers(services: Services) -> tuple[Row, ...] | None:
    """Who moved most since the board before, the furthest first."""
    try:
        piece = services.boards.read(GLOBAL, MOVERS_WINDOW, Selection(limit=WATCHED_RANKS))
    except NotFound:
        return None
    if not is_compared(piece.head):
        return None
    moved = [row for row in piece.rows if row.movement.by]
    moved.sort(key=lambda row: (-row.movement.by, row.rank))
    return tuple(moved[:MOVERS])
