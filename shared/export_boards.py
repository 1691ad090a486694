"""The rows of boards and of somebody's activity, as they are exported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta

from shared import people, redaction, repositories, repository_names, rule_sets
from shared.activity import DAY, Grouping, spans, summarise
from shared.activity_facts import ActivityFacts
from shared.board_reading import Selection
from shared.boards import ALL_CLASSES, GLOBAL, PAGE_ROWS, Head, repository_board
from shared.boards import Row as BoardRow
from shared.context import Services
from shared.custom_range import custom_window
from shared.errors import NotFound, Rejected
from shared.export_files import Column, Format, Row
from shared.export_wanted import Filters, Opened, Wanted
from shared.models import AccountClass, Kind, RepositoryName, iso, parse_time
from shared.ports import Json
from shared.repositories import Repository

MOST_PERIODS = 1100
"""Three years of days, as the API shows them."""

_ROW_BYTES: Mapping[Format, int] = {
    "csv": 180, "json": 480, "ndjson": 480, "xlsx": 180, "parquet": 90,
}  # fmt: skip
"""About what a row of a board takes, with an address of a picture and eleven counts."""

_BOARD_COLUMNS = (
    Column("rank", "integer"),
    Column("github_id", "integer"),
    Column("username"),
    Column("avatar_url"),
    Column("class"),
    Column("score", "number"),
    Column("percentile", "number"),
    Column("band", "integer"),
    Column("change"),
    Column("places", "integer"),
    Column("previous_rank", "integer"),
    Column("repositories", "integer"),
    *(Column(kind.value, "integer") for kind in Kind),
)


def of_board(services: Services, wanted: Wanted) -> Opened:
    """Every row of a class, in rank order, pinned to the generation. Raises NotFound."""
    filters = wanted.filters
    wishes = people.current(services)
    board, name, _ = _board_named(services, filters.repository)
    window, class_name = filters.window or "all", filters.account_class or AccountClass.HUMAN.value
    head = services.boards.head(board, window, filters.generation)
    pinned = filters.model_copy(
        update={"window": window, "account_class": class_name, "generation": head.generation}
    )
    instead = redaction.wished(wishes)
    total = head.rows_of(class_name)

    def pages() -> Iterator[Sequence[Row]]:
        for offset in range(0, total, PAGE_ROWS):
            selection = Selection(class_name, offset=offset, limit=PAGE_ROWS)
            piece = services.boards.read(board, window, selection, head.generation)
            yield [_board_row(redaction.as_wished(row, instead), class_name) for row in piece.rows]

    return Opened(
        wanted=wanted.model_copy(update={"filters": pinned}),
        columns=_BOARD_COLUMNS,
        pages=pages(),
        about={"board": name, "rows": total, **_of_head(head)},
        size=total * _ROW_BYTES[wanted.format],
        people=wishes.changes,
    )


def _of_head(head: Head) -> dict[str, Json]:
    return {
        "window": head.window,
        "generation": head.generation,
        "as_of": head.as_of,
        "published_at": head.published_at,
        "rule_version": head.rules,
        "redacted": head.redacted,
        "receipt": head.receipt.model_dump(mode="json"),
        "coverage": dict(head.coverage),
    }


def _board_row(row: BoardRow, class_name: str) -> Row:
    standing = row.overall if class_name == ALL_CLASSES else row
    return (
        standing.rank,
        row.github_id,
        row.username,
        row.avatar_url,
        row.account_class,
        row.score,
        standing.percentile,
        standing.band,
        standing.movement.change,
        standing.movement.by,
        standing.movement.previous,
        row.repositories,
        *(row.counts.get(kind.value, 0) for kind in Kind),
    )


def _board_named(services: Services, text: str | None) -> tuple[str, str, tuple[Repository, ...]]:
    """A board's id and name and what it is over. Raises Rejected, NotFound."""
    if text is None or text == GLOBAL:
        everything = repositories.everyone(services)
        return GLOBAL, GLOBAL, tuple(r for r in everything if r.github_id is not None)
    name = RepositoryName.parse(text)
    document = repository_names.find(services.documents, name)
    if document is None:
        raise NotFound(f"{name.full} is not registered.", details={"repository": name.full})
    found = repositories.read(document)
    if found.github_id is None:
        raise NotFound(
            f"{found.name} was not scraped yet, so it has no board.",
            details={"repository": found.name},
        )
    return repository_board(found.github_id), found.name, (found,)


_ACTIVITY_COLUMNS = (
    Column("period"),
    Column("first_day"),
    Column("last_day"),
    Column("covered", "boolean"),
    Column("points_before_caps", "number"),
    *(Column(kind.value, "integer") for kind in Kind),
)


def of_activity(services: Services, wanted: Wanted) -> Opened:
    """A row for each period without a gap. Raises NotFound, Rejected for days that cannot be."""
    filters = wanted.filters
    wishes = people.current(services)
    board, name, over = _board_named(services, filters.repository)
    found = services.boards.person(board, "all", login=filters.login or "")
    if not found.rows or found.rows[0].github_id in redaction.wished(wishes):
        raise NotFound(f"Nobody called {filters.login!r} is on the board {name}.")
    head, row = found.head, found.rows[0]
    first, last = _days(filters, head)
    grouping = Grouping(filters.group_by or Grouping.MONTH)
    number = len(spans(first, last, grouping))
    if number > MOST_PERIODS:
        raise Rejected(
            f"filters.group_by: These are {number:,} periods of at most {MOST_PERIODS:,}. Group "
            "by something longer, or ask for fewer days.",
            details={"field": "filters.group_by"},
        )
    facts = ActivityFacts().read(services, row.github_id, over, first, last)
    activity = summarise(
        facts.done,
        rule_sets.version(services, head.rules).rules,
        (first, last),
        grouping,
        uncovered=facts.uncovered,
        known_until=(facts.until - timedelta(microseconds=1)).date(),
    )
    rows: list[Row] = [
        (
            period.name,
            period.first.isoformat(),
            period.last.isoformat(),
            period.covered,
            sum(period.points.values()) / 1000,
            *(period.counts.get(kind, 0) for kind in Kind),
        )
        for period in activity.periods
    ]
    pinned = {"start": first, "end": last + DAY, "group_by": grouping.value}
    return Opened(
        wanted=wanted.model_copy(update={"filters": filters.model_copy(update=pinned)}),
        columns=_ACTIVITY_COLUMNS,
        pages=iter([rows]),
        about={
            "username": row.username,
            "github_id": row.github_id,
            "repository": name,
            "rows": len(rows),
            "captured_until": iso(facts.until),
            "uncovered_days": len(facts.uncovered),
            "rule_version": head.rules,
        },
        size=len(rows) * _ROW_BYTES[wanted.format],
        people=wishes.changes,
    )


def _days(filters: Filters, head: Head) -> tuple[date, date]:
    """First and last day, both in it: a year up to what was captured unless they are given."""
    captured = (parse_time(head.as_of) - timedelta(microseconds=1)).date()
    last = filters.end - DAY if filters.end else max(captured, filters.start or captured)
    first = filters.start or max(last - timedelta(days=364), date(2015, 1, 1))
    try:
        custom_window(*(datetime.combine(day, time(), UTC) for day in (first, last + DAY)))
    except Rejected as error:
        field = f"filters.{error.details['field']}"
        raise Rejected(f"{field}: {error.message}", details={"field": field}) from error
    return first, last
