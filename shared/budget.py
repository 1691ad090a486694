"""The budget: reserved before a run, capped during it, settled by its bill.

A reservation is one transaction over its day, its month and ``charges/<id>``, so that any number of
workers together reserve no more than the limits leave. What is reserved stays on the books of the
day on which it was reserved, also if it runs past midnight. Days and months are those of UTC.
``docs/costs.md`` explains the whole for people.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from shared import audit_records
from shared.budget_books import (
    Charge,
    Entry,
    Money,
    Period,
    day_name,
    entry,
    id_of,
    midnight_after,
    month_after,
    period,
    reserved_entry,
)
from shared.budget_status import Status, status
from shared.cost_summaries import summary
from shared.errors import BudgetRefused, BudgetWaits, LeaderboardError
from shared.limits import CONFIG, LEAST_BYTES, TIB, Limits, dollars, in_force, price_of, shown
from shared.metrics import BILLED_BYTES, BILLED_DOLLARS
from shared.models import iso
from shared.ports import Allowance, Documents, Json, Operator, Query, Transaction, Usage, Write
from shared.settings import Settings
from shared.telemetry import SILENT, Telemetry

log = structlog.get_logger()

GRACE = timedelta(minutes=15)
"""How long a reservation is kept whose run nobody has seen: longer than any worker may live."""

_LIMITS_AGE = timedelta(seconds=30)
_SWEPT_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Swept:
    """What became of open reservations: settled, given back, still running, or not known."""

    settled: int = 0
    released: int = 0
    running: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Room:
    """How many bytes a reservation may have now, and when there will be more."""

    bytes: int
    renews_at: datetime


@dataclass(frozen=True, slots=True)
class _Added:
    """What a settlement books that was not booked before."""

    bytes: int
    micro_usd: int


class Budget:
    """The budget that is kept in ``documents``. ``now`` gives aware UTC."""

    def __init__(
        self,
        documents: Documents,
        settings: Settings,
        now: Callable[[], datetime],
        telemetry: Telemetry = SILENT,
    ) -> None:
        self._documents = documents
        self._settings = settings
        self._now = now
        self._telemetry = telemetry
        self._read: tuple[datetime, Limits] | None = None

    def limits(self) -> Limits:
        """The limits in force, at most half a minute old. Reservations read them anew."""
        read, now = self._read, self._now()
        if read is None or not timedelta(0) <= now - read[0] < _LIMITS_AGE:
            (stored,) = self._documents.get(CONFIG)
            read = self._read = (now, in_force(self._settings, stored))
        return read[1]

    def room(self) -> Room:
        """What is left of the day and the month, as bytes. Without a price that has no end."""
        limits, moment = self.limits(), self._now()
        today = day_name(moment)
        paths = (f"budget_days/{today}", f"budget_months/{today[:7]}")
        found_day, found_month = self._documents.get(*paths)
        day, month = period(found_day, today), period(found_month, today[:7])
        of_day, of_month = limits.daily - day.committed, limits.monthly - month.committed
        renews_at = month_after(moment) if of_month < of_day else midnight_after(moment)
        if not limits.metered:
            return Room(sys.maxsize, renews_at)
        money = max(0, min(of_day, of_month))
        return Room(month.free_left(limits.free_bytes) + money * TIB // limits.price, renews_at)

    def reserve(self, charge: Charge) -> Allowance:
        """Set aside what a run may cost at most, and allow it exactly that.

        An id that is reserved gets the allowance it was given first, and is known to be worked at.
        One that is settled is reserved for what its run may still be billed: a repeat attaches to
        the run, and where that is over, gives it all back. Raises BudgetWaits with the time of
        renewal if it does not fit into what is left, BudgetRefused if it is dearer than a whole
        limit.
        """
        moment = self._now()
        reserved, is_new = self._documents.transact(lambda t: self._reserved(t, charge, moment))
        if is_new:
            log.debug(
                "budget_check", charge=charge.id, statement=charge.statement,
                bytes=reserved.max_bytes, usd=str(dollars(reserved.reserved)),
            )  # fmt: skip
        return reserved.allowance

    def settle(self, usage: Usage) -> bool:
        """Book what a run was billed and give back the rest. Returns False if there is nothing new.

        A repeat changes nothing, nor does a run that is still going on; one that was billed more
        than is booked adds the difference. A run that never was reserved, or whose reservation was
        given back, is booked on the day it started.
        """
        if not usage.done:
            return False
        moment = self._now()
        settled = self._documents.transact(lambda t: self._settled(t, usage, moment))
        if settled is None:
            return False
        bill, added, warnings = settled
        self._telemetry.measure(BILLED_BYTES, added.bytes, statement=bill.statement)
        usd = float(dollars(added.micro_usd))
        self._telemetry.measure(BILLED_DOLLARS, usd, statement=bill.statement)
        log.info(
            "cost_recorded", charge=bill.id, statement=bill.statement, day=bill.day,
            bytes_billed=bill.bytes_billed, usd=str(dollars(bill.micro_usd)),
        )  # fmt: skip
        if bill.bytes_billed > bill.max_bytes:
            log.error("budget_overrun", charge=bill.id, allowed=bill.max_bytes)
        for name, spent, limit in warnings:
            log.warning(
                "budget_warning", period=name, spent_usd=str(dollars(spent)),
                limit_usd=str(dollars(limit)),
            )  # fmt: skip
        return True

    def release(self, id_: str) -> bool:
        """Give back a reservation whose run never started. False if there is no open one."""

        def give_back(transaction: Transaction) -> bool:
            document = transaction.get(f"charges/{id_}")
            charge = entry(document) if document is not None else None
            if charge is None or not charge.open:
                return False
            day, month = _periods(transaction, charge.held_on)
            never_ran = charge.settled_at is None
            for write in (
                day.moved(reserved=-charge.held).write(),
                month.moved(reserved=-charge.held, free_reserved=-charge.held_free).write(),
                Write(f"charges/{id_}", None) if never_ran else charge.closed().write(),
            ):
                transaction.write(write)
            return True

        return self._documents.transact(give_back)

    def sweep(self, usage_of: Callable[[str], Usage | None]) -> Swept:
        """Settle reservations whose workers have died, by asking the warehouse.

        Those are looked at that no worker has reserved or repeated for as long as a step may run.
        A run that goes on is left; one that the warehouse never saw is given back after ``GRACE``.
        What cannot be asked or settled now is left for the next sweep.
        """
        lease = timedelta(seconds=self._settings.lease_seconds)
        old: tuple[tuple[str, Operator, Json], ...] = (
            ("open_since", "<=", iso(self._now() - lease)),
        )
        counts = {"settled": 0, "released": 0, "running": 0, "unknown": 0}
        cursor: str | None = None
        while True:
            page = self._documents.query(
                Query("charges", old, "open_since", after=cursor, limit=_SWEPT_AT_ONCE)
            )
            for document in page.documents:
                try:
                    counts[self._looked_after(entry(document), usage_of)] += 1
                except LeaderboardError as error:
                    log.warning("charge_unknown", charge=document.id, reason=error.message)
                    counts["unknown"] += 1
            cursor = page.cursor
            if cursor is None:
                return Swept(**counts)

    def status(self) -> Status:
        """How the day and the month stand now, and a forecast."""
        return status(self._documents, self._settings, self._now())

    # --- how ------------------------------------------------------------------------------------

    def _reserved(
        self, transaction: Transaction, charge: Charge, moment: datetime
    ) -> tuple[Entry, bool]:
        document = transaction.get(f"charges/{charge.id}")
        known = entry(document) if document is not None else None
        if known is not None and known.open:
            transaction.write(known.renewed(moment).write())
            return known, False
        if known is not None and not known.unbilled:
            return known, False
        limits = in_force(self._settings, transaction.get(CONFIG))
        day, month = _periods(transaction, day_name(moment))
        size = max(charge.max_bytes, LEAST_BYTES) if known is None else known.unbilled
        free = min(size, month.free_left(limits.free_bytes))
        money = Money(price_of(size - free, limits.price), free, limits.price)
        _check_that_it_fits(limits, day, month, (size, money.reserved), moment)
        if known is None:
            reserved = reserved_entry(charge, moment, size, money)
        else:
            reserved = known.reopened(moment, money)
        since = {"since": month.since or reserved.held_on}
        month = month.moved(reserved=money.reserved, free_reserved=free)
        for write in (
            day.moved(reserved=money.reserved).model_copy(update=since).write(),
            month.model_copy(update=since).write(),
            reserved.write(),
        ):
            transaction.write(write)
        return reserved, True

    def _settled(
        self, transaction: Transaction, usage: Usage, moment: datetime
    ) -> tuple[Entry, _Added, list[tuple[str, int, int]]] | None:
        document = transaction.get(f"charges/{id_of(usage)}")
        limits = in_force(self._settings, transaction.get(CONFIG))
        charge = entry(document) if document is not None else _unreserved(usage, limits)
        extra = max(0, usage.bytes_billed - charge.bytes_billed)
        if charge.settled_at is not None and not charge.open and not extra:
            return None
        day, month = _periods(transaction, charge.held_on)
        summed = summary(transaction.get(f"cost_days/{charge.held_on}"))
        # What was set aside free stays free, also where the setting was lowered meanwhile.
        left = month.moved(free_reserved=-charge.held_free).free_left(limits.free_bytes)
        free = min(extra, max(charge.held_free, left))
        cost = price_of(extra - free, charge.price)
        bill = charge.billed(usage, cost, moment)
        day = day.moved(spent=cost, reserved=-charge.held)
        month = month.moved(
            spent=cost, reserved=-charge.held, free_used=free, free_reserved=-charge.held_free
        )
        warnings: list[tuple[str, int, int]] = []
        for each, limit in ((day, limits.daily), (month, limits.monthly)):
            near = each.spent >= max(limits.warns_at(limit), 1)
            if near and each.warned_on != day_name(moment):
                warnings.append((each.name, each.spent, limit))
                transaction.write(_crossed(charge.id, each, limit, moment))
                each = each.model_copy(update={"warned_on": day_name(moment)})
            transaction.write(each.write())
        transaction.write(bill.write())
        transaction.write(summed.with_bill(charge, bill).write(charge.held_on))
        return bill, _Added(extra, cost), warnings

    def _looked_after(self, charge: Entry, usage_of: Callable[[str], Usage | None]) -> str:
        usage = usage_of(charge.id)
        if usage is not None:
            if not usage.done:
                return "running"
            self.settle(usage)
            return "settled"
        if iso(self._now() - GRACE) < (charge.open_since or ""):
            return "running"
        self.release(charge.id)
        log.warning("charge_released", charge=charge.id, reason="the warehouse never saw its run")
        return "released"


def _periods(transaction: Transaction, day: str) -> tuple[Period, Period]:
    """A day's money, and that of its month."""
    month = day[:7]
    return (
        period(transaction.get(f"budget_days/{day}"), day),
        period(transaction.get(f"budget_months/{month}"), month),
    )


def _crossed(id_: str, period: Period, limit: int, moment: datetime) -> Write:
    """The record of a threshold that a charge's bill has crossed: once a day and period."""
    return audit_records.of_system(
        f"{id_}-{period.name}-{day_name(moment)}",
        moment,
        "budget.warning",
        ("budget", period.name),
        f"{shown(period.spent)} of {shown(limit)} are spent",
        new={"spent_usd": str(dollars(period.spent)), "limit_usd": str(dollars(limit))},
    ).write()


def _unreserved(usage: Usage, limits: Limits) -> Entry:
    """The charge of a run that nobody reserved, or whose reservation was given back."""
    charge = Charge(id_of(usage), usage.bytes_billed, usage.statement, usage.job)
    money = Money(0, 0, limits.price)
    return reserved_entry(charge, usage.started_at, usage.bytes_billed, money).closed()


def _check_that_it_fits(
    limits: Limits, day: Period, month: Period, wanted: tuple[int, int], moment: datetime
) -> None:
    """``wanted`` is (bytes, what they cost now). Raises BudgetRefused, BudgetWaits."""
    size, cost = wanted
    at_best = price_of(max(0, size - limits.free_bytes), limits.price)
    least, name = min((limits.daily, "day"), (limits.monthly, "month"))
    if at_best > least:
        log.warning("budget_exceeded", period=name, usd=str(dollars(at_best)))
        raise BudgetRefused(
            f"This would read up to {size:,} bytes for {shown(at_best)}, which is more than the "
            f"limit of a whole {name}, {shown(least)}. Raise the limit, or ask for less.",
            details={"bytes": size, "cost_usd": float(dollars(at_best)), "period": name},
        )
    # What only the month's free bytes make cheap enough waits for those.
    if month.committed + cost > limits.monthly or cost > limits.daily:
        name, each, limit, until = "month", month, limits.monthly, month_after(moment)
    elif day.committed + cost > limits.daily:
        name, each, limit, until = "day", day, limits.daily, midnight_after(moment)
    else:
        return
    log.warning("budget_exceeded", period=each.name, usd=str(dollars(cost)), until=iso(until))
    rest = shown(max(0, limit - each.committed), left=True)
    raise BudgetWaits(
        f"The budget of this {name} ({shown(limit)}) has {rest} left, and this may cost "
        f"{shown(cost)}. It waits for {until:%Y-%m-%d %H:%M} UTC.",
        not_before=until,
        details={"period": name, "cost_usd": float(dollars(cost)), "not_before": iso(until)},
    )
