"""How complete the boards are: source, captured until when, known holes."""

from __future__ import annotations

from functions.api.boards import GLOBAL_BOARD, Board, board_of
from functions.api.links import here
from functions.api.resource import Call, Reply, Resource
from functions.api.schemas import Envelope, Links, Shape, Time
from shared.coverage import Coverage
from shared.errors import NotFound, RetryLater
from shared.models import WINDOW_DAYS

resource = Resource("coverage")


class WindowCoverage(Shape):
    """The coverage of one window's board."""

    window: str
    generation: str
    as_of: Time
    coverage: Coverage


class CoverageMeta(Shape):
    """``board`` is global or a repository's name."""

    board: str


class CoverageAnswer(Envelope[list[WindowCoverage], CoverageMeta, Links]):
    """The coverage of a board, a window each."""


@resource.operation("GET", "/api/v1/coverage", errors=(NotFound, RetryLater))
def show_coverage(call: Call) -> Reply[CoverageAnswer]:
    """How complete the global board is, in every window: as complete as the least of its parts."""
    return _coverage(call, GLOBAL_BOARD)


@resource.operation("GET", "/api/v1/coverage/<owner>/<name>", errors=(NotFound, RetryLater))
def show_repository_coverage(call: Call, owner: str, name: str) -> Reply[CoverageAnswer]:
    """How complete a repository's board is, in every window."""
    return _coverage(call, board_of(call, owner, name))


def _coverage(call: Call, board: Board) -> Reply[CoverageAnswer]:
    heads = [call.services.boards.head(board.id, window) for window in WINDOW_DAYS]
    data = [
        WindowCoverage(
            window=head.window,
            generation=head.generation,
            as_of=head.as_of,
            coverage=Coverage.model_validate(head.coverage),
        )
        for head in heads
    ]
    return Reply(CoverageAnswer(data=data, meta=CoverageMeta(board=board.name), links=here()))
