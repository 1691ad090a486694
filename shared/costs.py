"""What the warehouse cost: by day, statement and repository, and held against its own books."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pyarrow as pa
import structlog

from shared.budget import Swept
from shared.budget_books import (
    Entry,
    day_name,
    entry,
    id_of,
    midnight_after,
    moment_of,
)
from shared.context import Services
from shared.cost_summaries import Summary, chunks, summary
from shared.errors import Rejected
from shared.limits import dollars
from shared.models import iso
from shared.ports import Document, Query, Unit, Usage
from shared.tables import COLUMNS, Dataset, arrow_schema

log = structlog.get_logger()

MOST_DAYS = 366
LEDGER_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A run that was billed another number of bytes than our books say."""

    id: str
    booked: int
    billed: int


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A day's books against the warehouse's own.

    ``booked`` are runs that were missing and are booked now, ``unseen`` those of ours that the
    warehouse does not know. ``complete`` is False if its books were too long to be read whole.
    """

    day: str
    runs: int
    micro_usd: int
    booked: tuple[str, ...]
    differing: tuple[Difference, ...]
    unseen: tuple[str, ...]
    complete: bool


def days_between(first: date, end: date) -> list[str]:
    """The days from ``first`` up to before ``end``. Raises Rejected for none or too many."""
    count = (end - first).days
    if not 0 < count <= MOST_DAYS:
        raise Rejected(
            f"Ask for 1 to {MOST_DAYS} days: from {first} up to before {end} there are {count}.",
            details={"field": "end"},
        )
    return [(first + timedelta(days=n)).isoformat() for n in range(count)]


def day_after(day: str) -> str:
    """The day that follows."""
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def summaries(services: Services, days: Sequence[str]) -> dict[str, Summary]:
    """The days' bills, summed up."""
    found: dict[str, Summary] = {}
    for some in chunks(days):
        documents = services.documents.get(*(f"cost_days/{day}" for day in some))
        found |= {day: summary(each) for day, each in zip(some, documents, strict=True)}
    return found


def since(services: Services, day: str) -> Summary:
    """All bills from that day on, summed up."""
    total = Summary()
    query = Query("cost_days", (("day", ">=", day),), "day")
    while True:
        page = services.documents.query(query)
        total = sum(map(summary, page.documents), total)
        if page.cursor is None:
            return total
        query = Query(query.collection, query.where, query.order_by, after=page.cursor)


def ledger(
    services: Services, *, after: str | None = None, limit: int = 50
) -> tuple[list[Entry], str | None]:
    """Charges, newest first, and the cursor of what follows. Those that are open are among them."""
    page = services.documents.query(
        Query("charges", order_by="reserved_at", descending=True, after=after, limit=limit)
    )
    return [entry(document) for document in page.documents], page.cursor


def sweep(services: Services) -> Swept:
    """Settle the reservations of workers that died."""
    return services.budget.sweep(lambda id_: services.warehouse.usage(id_))


def reconcile(services: Services, day: str) -> Reconciled:
    """Hold a day's charges against the warehouse's own books, and book what is missing.

    What differs is reported and left as it is. Afterwards the day's charges are the unit of that
    day in the dataset ``costs``. A repeat ends the same.
    """
    seen = services.warehouse.ledger(moment_of(day), LEDGER_ROWS)
    by_id = {id_of(usage): usage for usage in seen}
    started = [usage for usage in seen if day_name(usage.started_at) == day and usage.done]
    booked = _book_missing(services, started)
    bills = [bill for bill in _charges(services, day) if bill.settled_at is not None]
    complete = len(seen) < LEDGER_ROWS
    result = Reconciled(
        day=day,
        runs=len(bills),
        micro_usd=sum(bill.micro_usd for bill in bills),
        booked=booked,
        differing=tuple(
            Difference(bill.id, bill.bytes_billed, by_id[bill.id].bytes_billed)
            for bill in bills
            if bill.id in by_id and by_id[bill.id].bytes_billed != bill.bytes_billed
        ),
        unseen=tuple(bill.id for bill in bills if complete and bill.id not in by_id),
        complete=complete,
    )
    _load(services, day, bills)
    return result


def report(services: Services) -> None:
    """Log how the budget stands, after yesterday was reconciled and dead reservations settled."""
    swept = sweep(services)
    status = services.budget.status()
    figures: dict[str, object] = {}
    if status.limits.metered:
        yesterday = day_name(services.now() - timedelta(days=1))
        found = reconcile(services, yesterday)
        figures = {
            "yesterday": yesterday,
            "yesterday_usd": str(dollars(found.micro_usd)),
            "runs": found.runs,
            "booked": len(found.booked),
            "differing": len(found.differing),
            "unseen": len(found.unseen),
        }
    forecast = status.forecast
    log.info(
        "budget_report",
        metered=status.limits.metered,
        daily_spent_usd=str(dollars(status.day.spent)),
        daily_limit_usd=str(dollars(status.day.limit)),
        daily_percent=status.day.hundredths / 100,
        monthly_spent_usd=str(dollars(status.month.spent)),
        monthly_limit_usd=str(dollars(status.month.limit)),
        monthly_percent=status.month.hundredths / 100,
        reserved_usd=str(dollars(status.month.reserved)),
        forecast_usd=None if forecast is None else str(dollars(forecast.month)),
        warning=status.warning,
        settled=swept.settled,
        released=swept.released,
        **figures,
    )


# --- how ----------------------------------------------------------------------------------------


def _book_missing(services: Services, runs: Sequence[Usage]) -> tuple[str, ...]:
    """Settle those that nobody settled. What cost nothing needs no booking."""
    booked: list[str] = []
    by_id = {id_of(usage): usage for usage in runs}
    for some in chunks(sorted(by_id)):
        documents = services.documents.get(*(f"charges/{id_}" for id_ in some))
        for id_, document in zip(some, documents, strict=True):
            needed = by_id[id_].bytes_billed > 0 if document is None else _is_open(document)
            if needed and services.budget.settle(by_id[id_]):
                booked.append(id_)
    return tuple(booked)


def _is_open(document: Document) -> bool:
    return "open_since" in document.fields


def _charges(services: Services, day: str) -> Iterator[Entry]:
    """A day's charges in order of time."""
    start: datetime = moment_of(day)
    query = Query(
        "charges",
        (("reserved_at", ">=", iso(start)), ("reserved_at", "<", iso(midnight_after(start)))),
        "reserved_at",
        limit=300,
    )
    while True:
        page = services.documents.query(query)
        yield from map(entry, page.documents)
        if page.cursor is None:
            return
        query = Query(query.collection, query.where, query.order_by, after=page.cursor, limit=300)


def _load(services: Services, day: str, bills: Sequence[Entry]) -> Unit:
    schema = arrow_schema(COLUMNS[Dataset.COSTS])
    batch = pa.RecordBatch.from_pylist([_row(bill) for bill in bills], schema=schema)
    return services.warehouse.replace(Dataset.COSTS, day, [batch], {"day": day})


def _row(bill: Entry) -> Mapping[str, object]:
    return {
        **bill.model_dump(include=set(COLUMNS[Dataset.COSTS]) - {"repositories", "started_at"}),
        "started_at": datetime.fromisoformat(bill.started_at or bill.reserved_at),
        "repositories": json.dumps(bill.repositories),
    }
