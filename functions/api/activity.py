"""Contributors over time and over repositories."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from functions.api.activity_schemas import (
    ActivityAnswer,
    ActivityMeta,
    StandingsAnswer,
    StandingsMeta,
    activity_shown,
)
from functions.api.board_schemas import board_row
from functions.api.boards import GLOBAL_BOARD, Board, board_named
from functions.api.contributor_schemas import RepositoryStanding
from functions.api.contributors import (
    MOST_REPOSITORIES,
    check_login,
    find_standing,
    identity_of,
    nobody,
)
from functions.api.links import here, with_cursor
from functions.api.parameters import BoardText, Query, WindowName, one_of
from functions.api.resource import Call, Reply, Resource
from shared import repositories, rule_sets
from shared.activity import DAY, Grouping, spans, summarise
from shared.boards import GLOBAL, Head, Row, repository_board
from shared.custom_range import custom_window
from shared.errors import NotFound, Rejected, RetryLater
from shared.models import iso, parse_time

resource = Resource("contributor activity")

MOST_PERIODS = 1100
"""Three years of days."""

_YEAR = timedelta(days=365)
_LAST_DAY = date(9998, 12, 31)
"""Of any later day the one after it could not be named."""


def _day(value: object) -> date:
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise PydanticCustomError("day", "Write a date as 2025-03-20") from error


Day = Annotated[
    date,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2025-03-20"]}),
]
GroupName = Annotated[str, *one_of([grouping.value for grouping in Grouping])]


class ActivityQuery(Query):
    """Which days, in which periods, and where."""

    start_date: Day | None = Field(
        None, description="The first day (UTC); default: 365 days up to the last"
    )
    end_date: Day | None = Field(
        None, description="The last day, which is in it; default: the last that was captured"
    )
    group_by: GroupName = Field("month", description="Weeks begin on Monday")
    repository: BoardText = Field(
        GLOBAL, description="owner/name, or global for all repositories together"
    )


class StandingsQuery(Query):
    """Which boards, and where to go on."""

    window: WindowName = Field("all", description="Of the repositories' boards")
    limit: int = Field(
        MOST_REPOSITORIES, ge=1, le=MOST_REPOSITORIES, description="Boards that are looked at"
    )
    cursor: str | None = Field(
        None, max_length=200, description="From the link next of the answer before"
    )


@resource.operation(
    "GET",
    "/api/v1/contributors/<path:login>/activity",
    reads_warehouse=True,
    errors=(NotFound, RetryLater),
)
def show_activity(call: Call, login: str, query: ActivityQuery) -> Reply[ActivityAnswer]:
    """Somebody's contributions over time.

    Counts and points by day, week or month without a gap, the trend, streaks, the most active
    times, by kind and by repository. Reads the warehouse, for one repository or all together.
    """
    check_login(login)
    call.allow_warehouse()
    services = call.services
    board = board_named(call, query.repository, "repository")
    found = services.boards.person(board.id, "all", login=login)
    if not found.rows:
        raise nobody(login, board.name)
    first, last = _days(query, found.head)
    row = found.rows[0]
    facts = call.activities.read(services, row.github_id, board.repositories(services), first, last)
    activity = summarise(
        facts.done,
        rule_sets.version(services, found.head.rules).rules,
        (first, last),
        Grouping(query.group_by),
        uncovered=facts.uncovered,
        known_until=(facts.until - timedelta(microseconds=1)).date(),
    )
    shown = activity_shown(
        identity_of(services, row), activity, facts.names, (first, last), len(facts.uncovered)
    )
    meta = ActivityMeta(
        repository=board.name,
        start_date=first.isoformat(),
        end_date=last.isoformat(),
        group_by=Grouping(query.group_by),
        rule_version=found.head.rules,
        captured_until=iso(facts.until),
    )
    return Reply(ActivityAnswer(data=shown, meta=meta, links=here()))


@resource.operation(
    "GET", "/api/v1/contributors/<path:login>/repositories", errors=(NotFound, RetryLater)
)
def list_standings(call: Call, login: str, query: StandingsQuery) -> Reply[StandingsAnswer]:
    """Somebody's place on the board of each repository.

    Rank, score, counts and class, among the own class, by the names of the repositories. At most
    100 boards are looked at for an answer; the link next goes on.
    """
    check_login(login)
    services = call.services
    registered = [r for r in repositories.everyone(services) if r.github_id is not None]
    waiting = [r for r in registered if query.cursor is None or r.key > query.cursor]
    looked_at = waiting[: query.limit]
    known = _known(call, login)
    places: list[RepositoryStanding] = []
    for repository in looked_at:
        board = Board(repository_board(repository.github_id or 0), repository.name, repository)
        found = find_standing(services, board, query.window, login, known)
        if found is not None and found.rows:
            known = known or found.rows[0]
            standing = RepositoryStanding(
                repository=repository.name,
                generation=found.head.generation,
                row=board_row(found.rows[0], found.rows[0].account_class),
            )
            places.append(standing)
    if known is None and len(looked_at) == len(registered):
        raise nobody(login, GLOBAL)
    meta = StandingsMeta(
        window=query.window,
        looked_at=len(looked_at),
        registered=len(registered),
        limit=query.limit,
    )
    following = looked_at[-1].key if len(waiting) > len(looked_at) else None
    return Reply(StandingsAnswer(data=places, meta=meta, links=with_cursor(following)))


def _known(call: Call, login: str) -> Row | None:
    """Their row on the global board, if there is such a board and they are on it."""
    found = find_standing(call.services, GLOBAL_BOARD, "all", login, None)
    return found.rows[0] if found is not None and found.rows else None


def _days(query: ActivityQuery, head: Head) -> tuple[date, date]:
    """The days asked for. Raises Rejected naming the parameter and the remedy."""
    captured = (parse_time(head.as_of) - timedelta(microseconds=1)).date()
    last = query.end_date or max(captured, query.start_date or captured)
    if last > _LAST_DAY:
        raise Rejected("end_date: Nothing is known of that time.", details={"field": "end_date"})
    first = query.start_date or max(last - _YEAR + DAY, date(2015, 1, 1))
    if last < first:
        raise Rejected(
            "end_date: It is before start_date. Both days are in the range.",
            details={"field": "end_date"},
        )
    try:
        custom_window(*(datetime.combine(day, time(), UTC) for day in (first, last + DAY)))
    except Rejected as error:
        field = f"{error.details['field']}_date"
        raise Rejected(f"{field}: {error.message}", details={"field": field}) from error
    number = len(spans(first, last, Grouping(query.group_by)))
    if number > MOST_PERIODS:
        raise Rejected(
            f"group_by: These are {number:,} periods of at most {MOST_PERIODS:,}. Group by "
            "something longer, or ask for fewer days.",
            details={"field": "group_by"},
        )
    return first, last
