"""What the warehouse cost: by day, statement and repository, and held against its own books."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
from shared.cost_summaries import Summary, Sums, bill, chunks, summary
from shared.errors import Rejected
from shared.limits import dollars
from shared.models import iso
from shared.ports import Query, Unit, Usage
from shared.repository_records import Repository
from shared.tables import COLUMNS, Dataset, arrow_schema

log = structlog.get_logger()

MOST_DAYS = 366
LEDGER_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A run that was billed another number of bytes than our books said."""

    id: str
    booked: int
    billed: int


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A day's books against the warehouse's own.

    ``booked`` are runs that were missing and are booked now. Of ``differing`` those that were
    billed more than was booked have the rest booked now. ``unseen`` are runs of ours that the
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


def months_until(today: date, count: int) -> list[str]:
    """The days of the last ``count`` months up to today, of which this month is one."""
    number = today.year * 12 + today.month - count
    first = date(number // 12, number % 12 + 1, 1)
    return days_between(first, today + timedelta(days=1))


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


def of_repository(
    services: Services, repository: Repository, days: Sequence[str]
) -> dict[str, Sums]:
    """What a repository was billed on each of the days, under all names that it had."""
    keys = (repository.key, *repository.aliases)
    names = {repository.name.lower(), *(key.replace("~", "/", 1) for key in keys)}
    return {
        day: sum((s for name, s in found.by_repository.items() if name.lower() in names), Sums())
        for day, found in summaries(services, days).items()
    }


def of_job(services: Services, job_id: str) -> Sums:
    """What the runs of a job were billed together until now."""
    total = Sums()
    query = Query("charges", (("job", "==", job_id),), limit=300)
    while True:
        page = services.documents.query(query)
        total = sum(map(bill, map(entry, page.documents)), total)
        if page.cursor is None:
            return total
        query = Query(query.collection, query.where, after=page.cursor, limit=300)


def sweep(services: Services) -> Swept:
    """Settle the reservations of workers that died."""
    return services.budget.sweep(lambda id_: services.warehouse.usage(id_))


def reconcile(services: Services, day: str) -> Reconciled:
    """Hold a day's charges against the warehouse's own books, and book what is missing.

    What is reserved still is left to the sweep. Afterwards the day's charges are the unit of that
    day in the dataset ``costs``. A repeat finds nothing more to book.
    """
    seen = services.warehouse.ledger(moment_of(day), LEDGER_ROWS)
    charges = _charges_of(services, seen)
    runs = _whole_runs(seen, charges)
    booked: list[str] = []
    differing: list[Difference] = []
    for id_, usage in runs.items():
        charge = charges.get(id_)
        if not usage.done or (charge is not None and charge.open):
            continue
        if charge is None:
            # What cost nothing needs no booking.
            if day_name(usage.started_at) == day and usage.bytes_billed:
                services.budget.settle(usage)
                booked.append(id_)
        elif charge.day == day and usage.bytes_billed != charge.bytes_billed:
            differing.append(Difference(id_, charge.bytes_billed, usage.bytes_billed))
            services.budget.settle(usage)
    bills = [each for each in _charges(services, day) if each.settled_at is not None]
    complete = len(seen) < LEDGER_ROWS
    _load(services, day, bills)
    return Reconciled(
        day=day,
        runs=len(bills),
        micro_usd=sum(each.micro_usd for each in bills),
        booked=tuple(sorted(booked)),
        differing=tuple(differing),
        unseen=tuple(each.id for each in bills if complete and each.id not in runs),
        complete=complete,
    )


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


def _charges_of(services: Services, runs: Sequence[Usage]) -> dict[str, Entry]:
    """The charges that runs have by their id, or by what stands before its last hyphen."""
    ids = {id_of(usage) for usage in runs}
    ids |= {_stem(id_) for id_ in ids if _stem(id_)}
    found: dict[str, Entry] = {}
    for some in chunks(sorted(ids)):
        documents = services.documents.get(*(f"charges/{id_}" for id_ in some))
        found |= {document.id: entry(document) for document in documents if document is not None}
    return found


def _whole_runs(runs: Sequence[Usage], charges: Mapping[str, Entry]) -> dict[str, Usage]:
    """The runs by the id of their charge; one that took several jobs is added up."""
    whole: dict[str, Usage] = {}
    for usage in runs:
        id_ = id_of(usage)
        if id_ not in charges and _stem(id_) in charges:
            id_ = _stem(id_)
        whole[id_] = _added(whole.get(id_), replace(usage, id=id_))
    return whole


def _stem(id_: str) -> str:
    return id_.rpartition("-")[0]


def _added(one: Usage | None, other: Usage) -> Usage:
    if one is None:
        return other
    return replace(
        one,
        started_at=min(one.started_at, other.started_at),
        duration_ms=one.duration_ms + other.duration_ms,
        rows=max(one.rows, other.rows),
        bytes_processed=one.bytes_processed + other.bytes_processed,
        bytes_billed=one.bytes_billed + other.bytes_billed,
        slot_ms=one.slot_ms + other.slot_ms,
        done=one.done and other.done,
    )


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
    batch = pa.RecordBatch.from_pylist([_row(each) for each in bills], schema=schema)
    return services.warehouse.replace(Dataset.COSTS, day, [batch], {"day": day})


def _row(found: Entry) -> Mapping[str, object]:
    return {
        **found.model_dump(include=set(COLUMNS[Dataset.COSTS]) - {"repositories", "started_at"}),
        "started_at": datetime.fromisoformat(found.started_at or found.reserved_at),
        "repositories": json.dumps(found.repositories),
    }
