"""What a board's page shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import render_template, request
from markupsafe import Markup

from functions.dashboard import score_bars
from functions.dashboard.board_address import PAGE_SIZES, BoardAddress
from functions.dashboard.costs_page import OwnSpending
from functions.dashboard.coverage_notes import CoverageNote, describe
from functions.dashboard.kept_pages import kept_pages
from functions.dashboard.people_charts import Columns, columns
from functions.dashboard.score_bars import Segment
from functions.dashboard.widgets import Widget
from functions.dashboard.words import KINDS
from shared import rule_sets
from shared.board_summary import SUMMARY, read_summary
from shared.boards import ALL_CLASSES, GLOBAL, Head, Row, Standing, part_path
from shared.compare import month_is_covered, months_between
from shared.context import Services
from shared.coverage import Coverage
from shared.models import Kind, iso, parse_time
from shared.repositories import Repository

LINES = frozenset({Kind.LINES_ADDED, Kind.LINES_DELETED})
"""Counted in lines, so they are no contributions of their own."""

_SORTED_SEARCHES = ("rank", "score", "username")


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row, its standing in the class that is shown, and its score as a bar."""

    row: Row
    standing: Row | Standing
    bar: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class BoardPage:
    """A stretch of a board. ``compared`` is False on a first board: then nothing has moved.

    ``sortable`` are the columns that can be sorted by.
    """

    address: BoardAddress
    head: Head
    current: bool
    rows: tuple[ShownRow, ...]
    total: int
    first: int
    pages: int
    compared: bool
    capped: bool
    sortable: frozenset[str]
    coverage: CoverageNote
    contributions: int
    overall: tuple[Segment, ...]
    kept: tuple[str, ...]
    months: Columns | None

    @property
    def beyond(self) -> bool:
        """True on a page after the last."""
        return not self.rows and self.total > 0


def read(services: Services, board: str, address: BoardAddress) -> BoardPage:
    """The page at an address. Raises NotFound where nothing is published, Rejected."""
    selection = address.selection
    piece = services.boards.read(board, address.window, selection, address.generation or None)
    head = piece.head
    current = services.boards.head(board, address.window)
    rules = rule_sets.version(services, head.rules).rules
    capped = board != GLOBAL
    names = ("rank", "score", "username", *(kind.value for kind in Kind))
    return BoardPage(
        address=address,
        head=head,
        current=head.generation == current.generation,
        rows=tuple(
            ShownRow(
                row,
                row.overall if address.account_class == ALL_CLASSES else row,
                score_bars.bar(row.counts, rules, capped=capped),
            )
            for row in piece.rows
        ),
        total=piece.total,
        first=selection.offset + 1,
        pages=max(-(-piece.total // address.page_size), 1),
        compared=is_compared(head),
        capped=capped,
        # The indexes that a search reads hold ranks and names only.
        sortable=frozenset(_SORTED_SEARCHES if head.indexed and address.search else names),
        coverage=describe(head.coverage),
        contributions=contributions(head),
        overall=score_bars.bar(
            {kind.value: count for kind, count in head.counts.items()}, rules, capped=False
        ),
        kept=tuple(edition.partition("-")[0] for edition in head.kept),
        months=_months(services, head, address) if capped else None,
    )


def _months(services: Services, head: Head, address: BoardAddress) -> Columns | None:
    """What the class that is shown did in each month; None where the board does not tell."""
    if part_path(head.edition, SUMMARY, 0) not in head.digests:
        return None
    (body,) = services.boards.parts(head, [(SUMMARY, 0)])
    summary = read_summary(body)
    if summary.months is None:
        return None
    found = summary.months_of(address.account_class)
    coverage = Coverage.model_validate(head.coverage)
    named = [month for month in (coverage.start, coverage.captured_from) if month]
    begin, end = max(named, default=coverage.end)[:7], min(coverage.end, coverage.captured_until)
    last = iso(parse_time(end) - timedelta(microseconds=1))[:7]
    months = months_between([*found, begin, max(begin, last)])
    return columns(
        [
            (
                month,
                {kind: found.get(month, {}).get(kind, 0) for kind in Kind if kind not in LINES},
                month_is_covered(coverage, month),
            )
            for month in months
        ]
    )


def is_compared(head: Head) -> bool:
    """True if the generation was compared with one before: its edition names that one."""
    return not head.edition.endswith("-first")


def contributions(head: Head) -> int:
    """How many contributions are on a board."""
    return sum(count for kind, count in head.counts.items() if kind not in LINES)


def rendered(
    services: Services,
    board: str,
    address: BoardAddress,
    repository: Repository | None,
    *,
    spending: Widget[OwnSpending] | None = None,
    reader: Mapping[str, Any] | None = None,
) -> str:
    """The page at an address as HTML, kept for as long as the board stays. Raises as ``read``.

    Searches are not kept: there is no end of them. Nor is what depends on the reader, which is
    ``spending`` and the variables in ``reader``.
    """
    head = services.boards.head(board, address.window, address.generation or None)
    current = services.boards.head(board, address.window)

    def body() -> str:
        page = read(services, board, address)
        return render_template("_board.html", **context(page, repository))

    # A board that is published just now is kept under the key before, which is not asked for again.
    key = (
        *(request.script_root, address.endpoint, *address.place.values()),
        *address.parameters.items(),
        *(head.edition, head.kept, current.generation),
        None if repository is None else (repository.name, repository.status),
    )
    kept, seen_by = kept_pages(), services.telemetry
    shown = Markup(body()) if address.search else kept.page(key, body, seen_by)  # noqa: S704
    return render_template(
        "board.html",
        body=shown,
        name=name_of(repository),
        head=head,
        address=address,
        repository=repository,
        spending=spending,
        **(reader or {}),
    )


def _export(page: BoardPage, repository: Repository | None) -> dict[str, str]:
    """What the form of an export is asked for: this class and window of this generation."""
    found = {
        "window": page.address.window,
        "class": page.address.account_class,
        "generation": page.head.generation,
    }
    return found if repository is None else {"repository": repository.name, **found}


def name_of(repository: Repository | None) -> str:
    """What a board is called."""
    return repository.name if repository else "Global leaderboard"


def context(page: BoardPage, repository: Repository | None) -> dict[str, Any]:
    """The variables of ``_board.html``."""
    return {
        "page": page,
        "address": page.address,
        "repository": repository,
        "name": name_of(repository),
        "kinds": KINDS,
        "page_sizes": PAGE_SIZES,
        "export": _export(page, repository),
    }
