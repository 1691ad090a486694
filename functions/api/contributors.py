"""Contributors: who they are, where they stand, and what their score is made of."""

from __future__ import annotations

from urllib.parse import quote

from functions.api.board_schemas import board_row, movement
from functions.api.boards import GLOBAL_BOARD, Board, board_named, window_of
from functions.api.contributor_schemas import (
    Contributor,
    ContributorAnswer,
    ContributorMeta,
    ExplainAnswer,
    ExplainMeta,
    Identity,
    OnBoard,
    RepositoryStanding,
    WindowStanding,
    explained,
)
from functions.api.enrichment_schemas import profile
from functions.api.links import here
from functions.api.parameters import ContributorQuery, ExplainQuery
from functions.api.resource import Call, Reply, Resource
from functions.api.schemas import two_places
from shared import enrichment, repositories, rule_sets
from shared.accounts import Classifier
from shared.board_reading import Slice
from shared.boards import GLOBAL, Row, repository_board
from shared.context import Services
from shared.coverage import Coverage
from shared.errors import NotFound, Rejected, RetryLater
from shared.explain import explain
from shared.models import WINDOW_DAYS, AccountClass

resource = Resource("contributors")

MOST_REPOSITORIES = 100
"""Boards of repositories that are looked at for one contributor: three documents each, at most."""

_LONGEST_LOGIN = 100


@resource.operation("GET", "/api/v1/contributors/<path:login>", errors=(NotFound, RetryLater))
def show_contributor(call: Call, login: str, query: ContributorQuery) -> Reply[ContributorAnswer]:
    """Somebody's identity, class, and standing on every board.

    The boards of at most 100 repositories are looked at, in the order of their names; meta says
    how many there are.
    """
    check_login(login)
    services = call.services
    standings = [_standing(services, window, login) for window in WINDOW_DAYS]
    known = next((row for _, row in standings if row is not None), None)
    registered = [r for r in repositories.everyone(services) if r.github_id is not None]
    looked_at = registered[:MOST_REPOSITORIES]
    places: list[tuple[RepositoryStanding, Row]] = []
    for repository in looked_at:
        board = Board(repository_board(repository.github_id or 0), repository.name, repository)
        found = find_standing(services, board, query.window, login, known)
        if found is not None and found.rows:
            row = found.rows[0]
            standing = RepositoryStanding(
                repository=repository.name,
                generation=found.head.generation,
                row=board_row(row, row.account_class),
            )
            places.append((standing, row))
    known = known or next((row for _, row in places), None)
    if known is None:
        raise nobody(login, GLOBAL)
    data = Contributor(
        identity=identity_of(services, known),
        profile=profile(enrichment.get(services, known.github_id)),
        standings=[standing for standing, _ in standings if standing is not None],
        repositories=[standing for standing, _ in places],
    )
    meta = ContributorMeta(
        window=query.window,
        looked_at=len(looked_at),
        registered=len(registered),
        most=MOST_REPOSITORIES,
    )
    return Reply(ContributorAnswer(data=data, meta=meta, links=here()), lags=True)


@resource.operation(
    "GET",
    "/api/v1/contributors/<path:login>/explain",
    reads_warehouse=True,
    errors=(NotFound, RetryLater),
)
def explain_contributor(call: Call, login: str, query: ExplainQuery) -> Reply[ExplainAnswer]:
    """A score down to its events.

    Every kind with its count, points and newest events, the caps that took something away, and
    what was left out and by which rule: for one repository or all together, in a published window
    or any range. The rules are those that the board was made with.
    """
    check_login(login)
    services = call.services
    call.allow_warehouse()
    board = board_named(call, query.repository, "repository")
    window = query.range()
    if window is not None:
        piece = board.of_range(call, window).person(login=login)
    else:
        piece = services.boards.person(board.id, query.window or "all", login=login)
    # Who scores nothing in this window may still have something left out in it.
    everything = services.boards.person(board.id, "all", login=login) if not piece.rows else piece
    if not everything.rows:
        raise nobody(login, board.name)
    head, row = piece.head, everything.rows[0]
    found = explain(
        services,
        row.github_id,
        board.repositories(services),
        window or window_of(head),
        rule_sets.version(services, head.rules).rules,
        events_per_kind=query.events,
    )
    shown = explained(identity_of(services, row), _on_board(piece), found)
    meta = ExplainMeta(
        board=board.name,
        window=head.window,
        start=head.receipt.inputs.start,
        end=head.receipt.inputs.end,
        generation=head.generation,
        rule_version=head.rules,
        events_per_kind=query.events,
        agrees=shown.total == (shown.board.score if shown.board else 0),
        coverage=Coverage.model_validate(head.coverage),
    )
    return Reply(ExplainAnswer(data=shown, meta=meta, links=here()))


def check_login(login: str) -> None:
    """Raises Rejected for what no login can be."""
    if len(login) > _LONGEST_LOGIN:
        raise Rejected(
            f"A login has at most {_LONGEST_LOGIN} characters. Check the spelling.",
            details={"field": "login"},
        )


def _standing(
    services: Services, window: str, login: str
) -> tuple[WindowStanding | None, Row | None]:
    """The place on a global board; neither where there is no such board yet."""
    found = find_standing(services, GLOBAL_BOARD, window, login, None)
    if found is None:
        return None, None
    row = found.rows[0] if found.rows else None
    standing = WindowStanding(
        window=window,
        generation=found.head.generation,
        as_of=found.head.as_of,
        row=None if row is None else board_row(row, row.account_class),
    )
    return standing, row


def find_standing(
    services: Services, board: Board, window: str, login: str, known: Row | None
) -> Slice | None:
    """Somebody's row, by id where it is known: names on older boards may be others."""
    try:
        if known is not None:
            return services.boards.person(board.id, window, github_id=known.github_id)
        return services.boards.person(board.id, window, login=login)
    except NotFound:
        return None


def identity_of(services: Services, row: Row) -> Identity:
    """Who somebody is, by a row of any board."""
    classifier = Classifier(rule_sets.class_overrides(services))
    account_class = AccountClass(row.account_class)
    return Identity(
        github_id=row.github_id,
        username=row.username,
        avatar_url=row.avatar_url,
        profile_url=f"https://github.com/{quote(row.username, safe='')}"
        if row.github_id > 0
        else "",
        account_class=account_class,
        rule=classifier.reason(row.github_id, row.username, account_class),
    )


def _on_board(piece: Slice) -> OnBoard | None:
    if not piece.rows:
        return None
    row = piece.rows[0]
    return OnBoard(
        rank=row.rank,
        score=two_places(row.score),
        percentile=two_places(row.percentile),
        movement=movement(row.movement),
    )


def nobody(login: str, board: str) -> NotFound:
    """What to raise where a board has nobody of that name."""
    return NotFound(
        f"Nobody called {login!r} is on the board {board}. Logins change: search=part of the name "
        "on a leaderboard finds similar ones.",
        details={"login": login, "board": board},
    )
