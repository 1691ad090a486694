"""The daily round: the profiles of those at the top of every board, as far as they are due."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from shared import enrichment, repositories
from shared.board_reading import Selection
from shared.boards import GLOBAL, Row, repository_board
from shared.context import SYSTEM, Services
from shared.errors import NotFound

BOARDS_A_SLICE = 5

MOST_A_ROUND = 10_000
"""At ten a minute a day has room for 14,400."""

MOST_WITHOUT_TOKEN = 20
"""Sixty requests an hour are for registrations as well."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Sliced:
    """How many profiles the round has asked for so far, and where it goes on, None at its end."""

    asked: int
    cursor: str | None


def ask_slice(services: Services, after: str | None, asked: int) -> Sliced:
    """Ask for the profiles of the top of some boards: the global one first, then by repository.

    ``asked`` is how many the slices before have asked for. A repeat asks for nobody twice.
    """
    if services.github is None:
        log.info("enrichment_round_left_out", reason="GitHub's API is not asked here")
        return Sliced(0, None)
    most = MOST_A_ROUND if services.github.reads_contributions else MOST_WITHOUT_TOKEN
    page = repositories.listed(services, after=after, limit=BOARDS_A_SLICE)
    found = [repositories.read(document).github_id for document in page.documents]
    boards = [repository_board(id_) for id_ in found if id_ is not None]
    if after is None:
        boards.insert(0, GLOBAL)
    rows = {row.github_id: row for board in boards for row in _top(services, board)}
    for row in _due(services, list(rows.values())):
        if asked >= most:
            break
        asked += enrichment.request(services, row.github_id, row.username, SYSTEM).created
    cursor = page.cursor if asked < most else None
    log.info("enrichment_slice", boards=len(boards), asked=asked, more=cursor is not None)
    return Sliced(asked, cursor)


def _top(services: Services, board: str) -> tuple[Row, ...]:
    """The humans at the top of a board who are shown by name, nobody where it is not there yet."""
    try:
        top = services.boards.read(board, "all", Selection(limit=services.settings.enrich_top)).rows
    except NotFound:
        return ()
    return tuple(row for row in top if row.github_id > 0)


def _due(services: Services, rows: list[Row]) -> Iterator[Row]:
    for start in range(0, len(rows), 200):
        some = rows[start : start + 200]
        documents = services.documents.get(*(enrichment.path(row.github_id) for row in some))
        for row, document in zip(some, documents, strict=True):
            found = None if document is None else enrichment.read(document)
            is_due = enrichment.is_due(services, found, row.username)
            if is_due and enrichment.is_enabled(services, row.github_id):
                yield row
