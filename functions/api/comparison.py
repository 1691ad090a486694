"""Repositories side by side."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from functions.api.board_schemas import board_row
from functions.api.boards import Board, board_of
from functions.api.comparison_schemas import CompareAnswer, CompareMeta, Weight, compared
from functions.api.links import here
from functions.api.parameters import REPOSITORY_PATTERN, ClassName, Query, WindowName, described
from functions.api.resource import Call, Reply, Resource
from shared.board_reading import Selection
from shared.compare import FEWEST, MOST, Comparison, compare
from shared.errors import NotFound, Rejected, RetryLater
from shared.models import RepositoryName

resource = Resource("leaderboard comparison")

MOST_WEIGHT = 100
_GENERATION = re.compile(r"[0-9a-f]{24}")
_NORMALISATION = (
    "A score divided by the best score of that class in the repository, times 100, cut to two "
    "places."
)
_CROSS_SCORE = (
    "The mean of somebody's normalised scores, weighted by repository, cut to two places; who is "
    "not on a board has 0 there."
)

Several = Annotated[str, Field(max_length=1000)]
Names = Annotated[
    str,
    Field(max_length=1000),
    described(f"{REPOSITORY_PATTERN}(,{REPOSITORY_PATTERN}){{{FEWEST - 1},{MOST - 1}}}", 1000),
]


class CompareQuery(Query):
    """Which repositories, and how their contributors are ranked together."""

    repos: Names = Field(
        description=f"{FEWEST} to {MOST} repositories as owner/name, separated by commas",
        examples=["pallets/flask,pallets/click"],
    )
    window: WindowName = Field("all", description="Of their boards")
    account_class: ClassName = Field("human", alias="class", description="Who is counted")
    weights: Several | None = Field(
        None,
        description=f"A whole number of 0 to {MOST_WEIGHT} for each repository, separated by "
        "commas; default: all alike",
        examples=["2,1"],
    )
    top: int = Field(10, ge=1, le=25, description="The most that each list of people shows")
    generations: Several | None = Field(
        None,
        description="A kept generation for each repository, separated by commas; such an answer "
        "never changes",
    )


@resource.operation("GET", "/api/v1/leaderboard/compare", errors=(NotFound, RetryLater))
def compare_repositories(call: Call, query: CompareQuery) -> Reply[CompareAnswer]:
    """Two to five repositories side by side.

    Totals, averages, activity by month, who is on several boards and who on one alone, everybody
    ranked across them by normalised scores, and the data of a radar, a bar, a Venn and a timeline
    chart. From published boards only.
    """
    found = comparison_of(call, query)
    tops = [
        call.services.boards.read(
            side.head.board,
            query.window,
            Selection(query.account_class, limit=query.top),
            side.head.generation,
        )
        for side in found.sides
    ]
    rows = [[board_row(row, query.account_class) for row in top.rows] for top in tops]
    return Reply(
        CompareAnswer(data=compared(found, rows), meta=_meta(query, found), links=here()),
        forever=query.generations is not None,
    )


def comparison_of(call: Call, query: CompareQuery) -> Comparison:
    """What is asked for. Raises Rejected for what cannot be compared, NotFound without a board."""
    boards = _boards(call, query.repos)
    weights = _weights(query.weights, len(boards))
    generations = _generations(query.generations, len(boards))
    for board, generation in zip(boards, generations, strict=True):
        _has_board(call, board, query.window, generation)
    return compare(
        call.services.boards,
        [(board.name, board.id) for board in boards],
        query.window,
        query.account_class,
        weights,
        query.top,
        generations,
    )


def _meta(query: CompareQuery, found: Comparison) -> CompareMeta:
    return CompareMeta(
        window=query.window,
        account_class=query.account_class,
        top=query.top,
        contributors=found.people,
        weights=[
            Weight(repository=side.name, weight=weight)
            for side, weight in zip(found.sides, found.weights, strict=True)
        ],
        normalisation=_NORMALISATION,
        cross_score=_CROSS_SCORE,
    )


def _boards(call: Call, text: str) -> list[Board]:
    """The boards that were named. Raises Rejected for too few, too many, or one named twice."""
    names = [RepositoryName.parse(part) for part in text.split(",")]
    if not FEWEST <= len(names) <= MOST:
        raise _rejected("repos", f"Name {FEWEST} to {MOST} repositories. These are {len(names)}.")
    boards = [board_of(call, name.owner, name.name) for name in names]
    for number, board in enumerate(boards):
        if board.id in {other.id for other in boards[:number]}:
            raise _rejected("repos", f"{board.name} is named twice. Name each repository once.")
    return boards


def _has_board(call: Call, board: Board, window: str, generation: str | None) -> None:
    """Raises NotFound that names the repository."""
    try:
        call.services.boards.head(board.id, window, generation)
    except NotFound as error:
        raise NotFound(
            f"{board.name}: {error.message}", details={"repository": board.name, **error.details}
        ) from error


def _weights(text: str | None, number: int) -> list[int]:
    if text is None:
        return [1] * number
    parts = text.split(",")
    fitting = [int(part) for part in parts if re.fullmatch(r"[0-9]{1,3}", part)]
    if not len(parts) == len(fitting) == number or not 0 < max(fitting) <= MOST_WEIGHT:
        raise _rejected(
            "weights",
            f"Give a whole number of 0 to {MOST_WEIGHT} for each of the {number} repositories, "
            "separated by commas, and not 0 for all.",
        )
    return fitting


def _generations(text: str | None, number: int) -> list[str | None]:
    if text is None:
        return [None] * number
    parts = text.split(",")
    if len(parts) != number or not all(map(_GENERATION.fullmatch, parts)):
        raise _rejected(
            "generations",
            f"Give a generation (24 hexadecimal digits) for each of the {number} repositories, "
            "separated by commas.",
        )
    return [*parts]


def _rejected(field: str, message: str) -> Rejected:
    return Rejected(f"{field}: {message}", details={"field": field})
