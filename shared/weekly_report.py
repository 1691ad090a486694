"""The weekly report: who did most in seven days, who moved since the last report, what came in.

Movement between reports needs the ranks of the one before: ``reports/{week}`` keeps those of the
first thousand by id, and no name. Everything else is read from the published boards.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared import notices, people, redaction, repositories
from shared.board_reading import Selection
from shared.boards import GLOBAL, TOMBSTONE, Head, Row, repository_board
from shared.context import Services
from shared.errors import NotFound, RetryLater
from shared.models import Kind, iso, parse_time
from shared.people import People
from shared.ports import Document, Json, Query, Transaction, Write
from shared.repositories import Repository
from shared.settings import Event

EVENT: Event = "weekly_movers"

WINDOW = "7d"
RANKS_WINDOW = "30d"
"""The board whose ranks are compared: a week's own turns over too quickly to say much."""

TOP = 5
MOVERS = 10
REPOSITORIES = 10
_RANKED = 1000
_KEPT = 8
_LINES = frozenset({Kind.LINES_ADDED, Kind.LINES_DELETED})


@dataclass(frozen=True, slots=True)
class Mover:
    """Somebody who climbed: by ``places``, from rank ``before``, None for one who is new there."""

    row: Row
    before: int | None

    @property
    def places(self) -> int:
        return 0 if self.before is None else self.before - self.row.rank


@dataclass(frozen=True, slots=True)
class Share:
    """What a repository had in those seven days."""

    repository: Repository
    contributors: int
    contributions: int

    @property
    def name(self) -> str:
        return self.repository.name


@dataclass(frozen=True, slots=True)
class Report:
    """A week's report. ``head`` is that of the global board of seven days.

    ``compared_with`` is when the report before was made, None for the first: then nobody moved.
    ``changes`` counts the wishes and merges that it follows, as ``People`` does.
    """

    week: str
    changes: int
    head: Head
    contributions: int
    top: tuple[Row, ...]
    compared_with: str | None
    movers: tuple[Mover, ...]
    newcomers: int
    repositories: tuple[Share, ...]


def week_of(moment: datetime) -> str:
    """The ISO week of a moment: ``2025-W12``."""
    year, week, _ = moment.isocalendar()
    return f"{year}-W{week:02}"


def build(services: Services, *, before: str | None = None) -> Report:
    """The report as of now, compared with the last one, or the last of a week before ``before``.

    Nobody is in it who wants to be removed, whether or not the boards know that yet. Raises
    NotFound before a board was published.
    """
    now = people.current(services)
    week = services.boards.read(GLOBAL, WINDOW, Selection(limit=TOP))
    ranked = _ranked(services, now)
    last = _last(services, before)
    ranks = {} if last is None else _ranks(last)
    movers, newcomers = _moved(ranked, ranks) if last is not None else ((), 0)
    return Report(
        week=week_of(services.now()),
        changes=now.changes,
        head=week.head,
        contributions=_contributions(week.head),
        top=_as_wished(week.rows, now),
        compared_with=None if last is None else str(last.fields["at"]),
        movers=movers[:MOVERS],
        newcomers=newcomers,
        repositories=_repositories(services),
    )


def this_week(services: Services) -> Report:
    """The report that is due this week: compared with one of a week before. See ``build``."""
    return build(services, before=week_of(services.now()))


def send(services: Services, report: Report, html: str) -> None:
    """Have a report told to whoever wants it, and keep the ranks that the next is compared with.

    Once a week, however often it is asked for. ``html`` is the report as a letter, for those who
    send it on by e-mail. Raises RetryLater if somebody's wish came after the report was made.
    """
    notice = notices.writes(
        services,
        f"weekly-{report.week}",
        EVENT,
        f"Contributors, the week to {parse_time(report.head.as_of):%Y-%m-%d}",
        text="\n".join(_lines(report)),
        page="/reports/weekly",
        details=_details(report, html),
    )
    # Told first: what is killed between the two is told once all the same, by the notice's id.
    for write in notice:
        _create(services, write, report.changes)
    _keep(services, report.week)


def forget(services: Services, github_id: int) -> None:
    """Take somebody's ranks out of what is kept for comparison."""
    for kept in _kept(services):

        def leave_out(transaction: Transaction, path: str = kept.path) -> None:
            document = transaction.get(path)
            ranks = {} if document is None else _ranks(document)
            if document is not None and ranks.pop(github_id, None) is not None:
                transaction.write(_stored(document.id, str(document.fields["at"]), ranks))

        services.documents.transact(leave_out)


def export(services: Services, github_id: int) -> list[dict[str, Json]]:
    """Somebody's ranks among what is kept for comparison."""
    return [
        {"week": document.id, "rank": ranks[github_id]}
        for document in _kept(services)
        if github_id in (ranks := _ranks(document))
    ]


def names(details: Mapping[str, Json], accounts: Collection[int]) -> bool:
    """Whether the details of a report's notice name one of the accounts."""
    lists = (details.get("top"), details.get("movers"))
    rows = [row for rows in lists if isinstance(rows, list) for row in rows]
    return any(isinstance(row, Mapping) and row.get("github_id") in accounts for row in rows)


# --- how ------------------------------------------------------------------------------------


def _ranked(services: Services, now: People) -> tuple[Row, ...]:
    """The first of the board whose ranks are compared."""
    piece = services.boards.read(GLOBAL, RANKS_WINDOW, Selection(limit=_RANKED))
    return _as_wished(piece.rows, now)


def _as_wished(rows: Sequence[Row], now: People) -> tuple[Row, ...]:
    """The rows of those who are still there, as they want to be shown."""
    instead = redaction.wished(now)
    shown = (redaction.as_wished(row, instead) for row in rows)
    return tuple(row for row in shown if row.github_id != TOMBSTONE)


def _moved(rows: tuple[Row, ...], ranks: Mapping[int, int]) -> tuple[tuple[Mover, ...], int]:
    """Who climbed, the furthest first, and how many were not among the ranked."""
    climbed = [Mover(row, ranks[row.github_id]) for row in rows if row.github_id in ranks]
    climbed = sorted(
        (mover for mover in climbed if mover.places > 0),
        key=lambda mover: (-mover.places, mover.row.rank),
    )
    new = [Mover(row, None) for row in rows if row.github_id not in ranks]
    return (*climbed, *new), len(new)


def _repositories(services: Services) -> tuple[Share, ...]:
    found: list[Share] = []
    for repository in repositories.everyone(services):
        try:
            head = services.boards.head(repository_board(repository.github_id or 0), WINDOW)
        except NotFound:
            continue
        share = Share(repository, head.total, _contributions(head))
        if share.contributions:
            found.append(share)
    found.sort(key=lambda share: (-share.contributions, share.repository.key))
    return tuple(found[:REPOSITORIES])


def _contributions(head: Head) -> int:
    return sum(count for kind, count in head.counts.items() if kind not in _LINES)


def _lines(report: Report) -> list[str]:
    lines = [f"{report.contributions:,} contributions by {report.head.total:,} contributors."]
    lines += [f"{row.rank}. {row.username} ({row.score:,.2f})" for row in report.top]
    lines += [
        f"{mover.row.username} climbed {mover.places:,} to rank {mover.row.rank:,}"
        for mover in report.movers
        if mover.before is not None
    ]
    return lines


def _details(report: Report, html: str) -> dict[str, Json]:
    return {
        "week": report.week,
        "contributors": report.head.total,
        "contributions": report.contributions,
        "top": [
            {"github_id": r.github_id, "username": r.username, "rank": r.rank, "score": r.score}
            for r in report.top
        ],
        "movers": [
            {
                "github_id": m.row.github_id,
                "username": m.row.username,
                "rank": m.row.rank,
                "before": m.before,
            }
            for m in report.movers
        ],
        "newcomers": report.newcomers,
        "html": html,
    }


# --- the ranks that are kept ------------------------------------------------------------------


def _kept(services: Services) -> tuple[Document, ...]:
    """All that is kept, newest first."""
    query = Query("reports", order_by="week", descending=True, limit=_KEPT + 10)
    return services.documents.query(query).documents


def _last(services: Services, before: str | None) -> Document | None:
    """The newest kept ranks, or the newest of a week before ``before``."""
    found = (d for d in _kept(services) if before is None or str(d.fields["week"]) < before)
    return next(found, None)


def _keep(services: Services, week: str) -> None:
    now = people.current(services)
    ranks = {row.github_id: row.rank for row in _ranked(services, now)}
    if not _create(services, _stored(week, iso(services.now()), ranks), now.changes):
        return  # a repeat: what the week is compared with does not change any more
    old = _kept(services)[_KEPT:]
    if old:
        services.documents.write([Write(document.path, None) for document in old])


def _create(services: Services, write: Write, changes: int) -> bool:
    """Write what names people, unless it is there. Returns whether it was written.

    Raises RetryLater after any later wish, whose job may have looked for such things already.
    """

    def create(transaction: Transaction) -> bool:
        if people.in_transaction(transaction) != changes:
            raise RetryLater("Somebody's wish came while the report was made. Make it again.")
        if transaction.get(write.path) is not None:
            return False
        transaction.write(write)
        return True

    return services.documents.transact(create)


def _stored(week: str, at: str, ranks: Mapping[int, int]) -> Write:
    body = json.dumps(sorted(ranks.items())).encode()
    return Write(f"reports/{week}", {"week": week, "at": iso(parse_time(at))}, body)


def _ranks(document: Document) -> dict[int, int]:
    return {int(id_): int(rank) for id_, rank in json.loads(document.body or b"[]")}
