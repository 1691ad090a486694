"""Boards: the global one and one a repository, published windows and any range."""

from __future__ import annotations

from collections.abc import Callable

from functions.api.board_schemas import BoardAnswer, board_meta, board_row
from functions.api.boards import GLOBAL_BOARD, Board, board_of
from functions.api.links import with_pages
from functions.api.parameters import BoardQuery
from functions.api.resource import Call, Reply, Resource
from shared.board_reading import Selection, Slice
from shared.boards import Head
from shared.canonical import fingerprint
from shared.errors import NotFound, RetryLater

resource = Resource("leaderboard")


@resource.operation(
    "GET",
    "/api/v1/leaderboard/global",
    reads_warehouse=True,
    errors=(NotFound, RetryLater),
)
def show_global_leaderboard(call: Call, query: BoardQuery) -> Reply[BoardAnswer]:
    """The board over all registered repositories.

    A global score is the sum of the repository scores. Pages beside this one are pinned to its
    generation. Ranges of your own read the warehouse and have no movement.
    """
    return _page(call, lambda: GLOBAL_BOARD, query)


@resource.operation(
    "GET",
    "/api/v1/leaderboard/<owner>/<name>",
    reads_warehouse=True,
    errors=(NotFound, RetryLater),
)
def show_repository_leaderboard(
    call: Call, owner: str, name: str, query: BoardQuery
) -> Reply[BoardAnswer]:
    """The board of one repository.

    As the global board, over this repository's contributions alone.
    """
    return _page(call, lambda: board_of(call, owner, name), query)


def _page(call: Call, board: Callable[[], Board], query: BoardQuery) -> Reply[BoardAnswer]:
    if query.range() is not None:
        return _made(call, board(), query)

    def head() -> Head:
        return call.services.boards.head(board().id, query.window or "all", query.generation)

    return call.kept(head, lambda: _made(call, board(), query))


def _made(call: Call, board: Board, query: BoardQuery) -> Reply[BoardAnswer]:
    piece = _read(call, board, query)
    head = piece.head
    # Pages of a range cannot be pinned: its generation changes with the facts and is not kept.
    pinned = {"generation": head.generation} if query.range() is None else {}
    meta = board_meta(head, board.name, piece.total, query.page, query.page_size)
    links = with_pages(query.page, meta.total_pages, pinned)
    rows = [board_row(row, query.account_class) for row in piece.rows]
    return Reply(
        BoardAnswer(data=rows, meta=meta, links=links),
        etag=_etag(piece, query, links.self_),
        forever=query.generation is not None,
    )


def _read(call: Call, board: Board, query: BoardQuery) -> Slice:
    selection = Selection(
        account_class=query.account_class,
        sort=query.sort,
        descending=None if query.order is None else query.order == "desc",
        search=query.search,
        offset=(query.page - 1) * query.page_size,
        limit=query.page_size,
    )
    window = query.range()
    if window is not None:
        return board.of_range(call, window).read(selection)
    return call.services.boards.read(board.id, query.window or "all", selection, query.generation)


def _etag(piece: Slice, query: BoardQuery, address: str) -> str:
    """Of the edition, whatever may be added to it later, and the address: they give the answer."""
    head = piece.head
    basis = [head.edition, dict(head.coverage), head.redacted, query.model_dump_json(), address]
    return fingerprint(basis)[:32]
