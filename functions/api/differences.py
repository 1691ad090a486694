"""What changed on a board between two of its generations."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from functions.api.board_schemas import ClassSumsShown, sums_shown
from functions.api.boards import GLOBAL_BOARD, Board, board_of
from functions.api.links import LAST_PAGE, with_pages
from functions.api.parameters import ClassName, Generation, Query, WindowName, one_of
from functions.api.resource import Call, Reply, Resource
from functions.api.schemas import Envelope, PageLinks, Score, Shape, Time, hundredths
from shared.board_diff import CHANGED, CHANGES, Change, Changed, diff
from shared.boards import Head
from shared.errors import NotFound, RetryLater
from shared.models import AccountClass

resource = Resource("leaderboard changes")

CHANGED_WORD = "changed"
ChangeName = Annotated[str, *one_of((CHANGED_WORD, *CHANGES))]


class DiffQuery(Query):
    """Which two generations, and which rows."""

    window: WindowName = Field("all", description="Generations belong to a window")
    from_: Generation | None = Field(
        None, alias="from", description="A kept generation; default: the one before `to`"
    )
    to: Generation | None = Field(None, description="A kept generation; default: the current one")
    account_class: ClassName = Field("human", alias="class", description="Whose ranks")
    change: ChangeName = Field(CHANGED_WORD, description="changed is every change but same")
    page: int = Field(1, ge=1, le=LAST_PAGE, description="Counted from 1")
    page_size: int = Field(50, ge=1, le=100)


class DiffRow(Shape):
    """Somebody on one of two boards. Ranks and scores are null where they are not on it.

    ``places`` is positive for a climb; ``rescored`` kept the rank with another score. Differences
    are null for who entered or left.
    """

    change: Change
    github_id: int
    username: str
    avatar_url: str
    account_class: AccountClass = Field(alias="class")
    rank_before: int | None
    rank_after: int | None
    places: int | None
    score_before: Score | None
    score_after: Score | None
    score_difference: Score | None


class DiffSide(Shape):
    """A generation, and the sums of the class that was asked for."""

    generation: str
    as_of: Time
    published_at: Time
    rule_version: int
    redacted: bool
    sums: ClassSumsShown


class DiffMeta(Shape):
    """``counts`` is everybody by change; ``total`` counts the rows of the selection.

    ``inputs_changed`` names what differs in the receipts: facts, rules, method, accounts, people,
    start, end.
    """

    board: str
    window: str
    before: DiffSide = Field(alias="from")
    after: DiffSide = Field(alias="to")
    differences: ClassSumsShown
    inputs_changed: list[str]
    counts: dict[Change, int]
    total: int
    page: int
    page_size: int
    total_pages: int


class DiffAnswer(Envelope[list[DiffRow], DiffMeta, PageLinks]):
    """What changed."""


@resource.operation("GET", "/api/v1/leaderboard/global/diff", errors=(NotFound, RetryLater))
def show_global_changes(call: Call, query: DiffQuery) -> Reply[DiffAnswer]:
    """What changed on the global board between two kept generations.

    Who entered, left or moved, with ranks and scores before and after, in the order of the later
    ranks; those who left come last. With both generations in the address the answer never changes.
    """
    return _changes(call, GLOBAL_BOARD, query)


@resource.operation("GET", "/api/v1/leaderboard/<owner>/<name>/diff", errors=(NotFound, RetryLater))
def show_repository_changes(
    call: Call, owner: str, name: str, query: DiffQuery
) -> Reply[DiffAnswer]:
    """What changed on a repository's board between two kept generations.

    As for the global board.
    """
    return _changes(call, board_of(call, owner, name), query)


def _changes(call: Call, board: Board, query: DiffQuery) -> Reply[DiffAnswer]:
    found = diff(
        call.services.boards,
        board.id,
        query.window,
        query.account_class,
        (query.from_, query.to),
        CHANGED if query.change == CHANGED_WORD else (query.change,),
        offset=(query.page - 1) * query.page_size,
        limit=query.page_size,
    )
    before, after = found.before.receipt.inputs, found.after.receipt.inputs
    meta = DiffMeta(
        board=board.name,
        window=query.window,
        before=_side(found.before, sums_shown(found.sums_before)),
        after=_side(found.after, sums_shown(found.sums_after)),
        differences=sums_shown(found.sums_after, found.sums_before),
        inputs_changed=[
            name for name, value in before.model_dump().items() if value != after.model_dump()[name]
        ],
        counts=found.counts,
        total=found.total,
        page=query.page,
        page_size=query.page_size,
        total_pages=-(-found.total // query.page_size),
    )
    pins = {"from": found.before.generation, "to": found.after.generation}
    return Reply(
        DiffAnswer(
            data=[_row(row) for row in found.rows],
            meta=meta,
            links=with_pages(query.page, meta.total_pages, pins),
        ),
        forever=query.from_ is not None and query.to is not None,
    )


def _side(head: Head, sums: ClassSumsShown) -> DiffSide:
    return DiffSide(
        generation=head.generation,
        as_of=head.as_of,
        published_at=head.published_at,
        rule_version=head.rules,
        redacted=head.redacted,
        sums=sums,
    )


def _row(changed: Changed) -> DiffRow:
    then, now = changed.rank_before, changed.rank_after
    score_then, score_now = changed.score_before, changed.score_after
    return DiffRow(
        change=changed.change,
        github_id=changed.row.github_id,
        username=changed.row.username,
        avatar_url=changed.row.avatar_url,
        account_class=AccountClass(changed.row.account_class),
        rank_before=then,
        rank_after=now,
        places=None if then is None or now is None else then - now,
        score_before=None if score_then is None else hundredths(score_then),
        score_after=None if score_now is None else hundredths(score_now),
        score_difference=(
            None if score_then is None or score_now is None else hundredths(score_now - score_then)
        ),
    )
