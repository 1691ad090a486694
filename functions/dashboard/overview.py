"""What the first page shows: totals, budget, jobs of today, movers, freshness, the top.

It reads a bounded number of documents, however much is registered: two for the top of the board and
two for movers where no board is over 1,000 rows, eleven for the budget where anything is metered,
and a handful of jobs and repositories.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from functions.dashboard import money
from functions.dashboard.board_address import BoardAddress
from functions.dashboard.board_page import BoardPage, is_compared
from functions.dashboard.board_page import read as read_board
from functions.dashboard.money import BudgetShown
from functions.dashboard.widgets import Widget, attempt
from shared import repositories
from shared.board_reading import Selection
from shared.boards import GLOBAL, Row
from shared.budget_books import day_name, moment_of
from shared.context import Services
from shared.jobs import Job, State
from shared.jobs import read as read_job
from shared.models import iso
from shared.ports import Query
from shared.repositories import Repository

TOP = 10
MOVERS = 6
JOBS = 5
REPOSITORIES = 5
WATCHED_RANKS = 1000
"""Movers are looked for among these first ranks: one document."""

MOVERS_WINDOW = "7d"


@dataclass(frozen=True, slots=True)
class JobsToday:
    """The newest jobs of today (UTC). ``more`` is True where there are others before them."""

    jobs: tuple[Job, ...]
    more: bool

    @property
    def by_state(self) -> Mapping[State, int]:
        """How many of those shown are in each state."""
        return Counter(job.state for job in self.jobs)


@dataclass(frozen=True, slots=True)
class Freshness:
    """The repositories whose last scrape is longest ago, never scraped ones first.

    ``more`` is True where there are fresher ones. Of those shown ``stale`` were not scraped within
    the last ``hours``.
    """

    repositories: tuple[Repository, ...]
    more: bool
    stale: int
    hours: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page. ``movers`` holds None before there were two boards to compare.

    ``budget`` is None for readers who may not see what is spent.
    """

    freshness: Widget[Freshness]
    top: Widget[BoardPage]
    movers: Widget[tuple[Row, ...] | None]
    jobs: Widget[JobsToday]
    budget: Widget[BudgetShown] | None

    @property
    def empty(self) -> bool:
        """True if nothing was ever registered, as far as could be read."""
        found = self.freshness.value
        return found is not None and not found.repositories and self.top.value is None

    @property
    def busy(self) -> bool:
        """True while a job has not ended: then the page brings itself up to date."""
        return self.jobs.value is not None and any(not job.ended for job in self.jobs.value.jobs)


def read(services: Services, *, with_costs: bool) -> Overview:
    """The first page as it is now. A part that cannot be read says so; the others stand."""
    return Overview(
        freshness=attempt(lambda: freshness(services)),
        top=attempt(lambda: _top(services)),
        movers=attempt(lambda: _movers(services)),
        jobs=attempt(lambda: jobs_today(services)),
        budget=attempt(lambda: money.budget(services)) if with_costs else None,
    )


def freshness(services: Services) -> Freshness:
    """Whose data is oldest."""
    page = services.documents.query(
        Query("repositories", order_by="last_scraped_at", limit=REPOSITORIES)
    )
    found = tuple(repositories.read(document) for document in page.documents)
    hours = services.settings.stale_after_hours
    oldest = iso(services.now() - timedelta(hours=hours))
    stale = sum((each.last_scraped_at or "") < oldest for each in found if not each.paused)
    return Freshness(found, page.cursor is not None, stale, hours)


def jobs_today(services: Services) -> JobsToday:
    """What was asked for since midnight (UTC), newest first."""
    midnight = iso(moment_of(day_name(services.now())))
    page = services.documents.query(
        Query(
            "jobs",
            (("created_at", ">=", midnight),),
            "created_at",
            descending=True,
            limit=JOBS,
        )
    )
    return JobsToday(tuple(map(read_job, page.documents)), page.cursor is not None)


def _top(services: Services) -> BoardPage:
    return read_board(services, GLOBAL, BoardAddress("dashboard.leaderboard", page_size=TOP))


def _movers(services: Services) -> tuple[Row, ...] | None:
    """Who moved most on the board of the last seven days, the furthest first."""
    piece = services.boards.read(GLOBAL, MOVERS_WINDOW, Selection(limit=WATCHED_RANKS))
    if not is_compared(piece.head):
        return None
    moved = [row for row in piece.rows if row.movement.by]
    moved.sort(key=lambda row: (-row.movement.by, row.rank))
    return tuple(moved[:MOVERS])
