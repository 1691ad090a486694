"""The command ``costs``: what statements read, what that cost, and how the budget stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import click

from infra.cli.app import App, command
from infra.cli.tables import table
from infra.cli.texts import minute, plural
from shared import costs
from shared.budget_books import day_name
from shared.budget_status import Standing, Status
from shared.limits import dollars, shown
from shared.models import iso
from shared.ports import Usage


@dataclass
class _Cost:
    statement: str
    runs: int = 0
    rows: int = 0
    bytes_processed: int = 0
    bytes_billed: int = 0
    duration_ms: int = 0
    dollars: str = "0.00"

    def add(self, usage: Usage) -> None:
        self.runs += 1
        self.rows += usage.rows
        self.bytes_processed += usage.bytes_processed
        self.bytes_billed += usage.bytes_billed
        self.duration_ms += usage.duration_ms


def add_to(group: click.Group) -> None:
    """Add the commands of this file."""

    @command(group, "costs")
    @click.option(
        "--days", type=click.IntRange(1, 3650), default=30, show_default=True, help="How far back."
    )
    def costs_(app: App, days: int) -> None:
        """Add up what statements read and cost, and show what the budget leaves.

        The embedded warehouse costs nothing unless a price is set.
        """
        found, total = _summed(app, days)
        status = app.services.budget.status()
        if app.emit(
            [asdict(cost) for cost in found], total=asdict(total), days=days, budget=_budget(status)
        ):
            return
        numbers = ("runs", "rows", "read", "took", "USD")
        made = table(f"Costs, last {plural(days, 'day')}", "statement", *numbers, right=numbers)
        for cost in (*found, total):
            made.add_row(
                cost.statement,
                f"{cost.runs:,}",
                f"{cost.rows:,}",
                _bytes(cost.bytes_processed),
                f"{cost.duration_ms / 1000:,.1f} s",
                cost.dollars,
                style="bold" if cost is total else None,
            )
        app.show(made)
        for line in _lines(status):
            app.say(line, "yellow" if status.warning else None)


def _summed(app: App, days: int) -> tuple[list[_Cost], _Cost]:
    """What the warehouse's books say was read, with the money of ours."""
    since = app.services.now() - timedelta(days=days)
    summed: dict[str, _Cost] = {}
    for usage in app.services.warehouse.ledger(since, costs.LEDGER_ROWS):
        summed.setdefault(usage.statement, _Cost(usage.statement)).add(usage)
    booked = costs.since(app.services, day_name(since))
    for statement, sums in booked.by_statement.items():
        summed.setdefault(statement, _Cost(statement)).dollars = _usd(sums.micro_usd)
    found = sorted(summed.values(), key=lambda cost: -cost.duration_ms)
    return found, _total(found, booked.total.micro_usd)


def _total(found: Sequence[_Cost], micro_usd: int) -> _Cost:
    total = _Cost("total", dollars=_usd(micro_usd))
    for cost in found:
        total.runs += cost.runs
        total.rows += cost.rows
        total.bytes_processed += cost.bytes_processed
        total.bytes_billed += cost.bytes_billed
        total.duration_ms += cost.duration_ms
    return total


def _budget(status: Status) -> dict[str, object]:
    forecast = status.forecast
    return {
        "metered": status.limits.metered,
        "day": _standing(status.day),
        "month": _standing(status.month),
        "forecast_usd": None if forecast is None else float(dollars(forecast.month)),
        "warning": status.warning,
    }


def _standing(found: Standing) -> dict[str, object]:
    return {
        "name": found.name,
        "limit_usd": float(dollars(found.limit)),
        "spent_usd": float(dollars(found.spent)),
        "reserved_usd": float(dollars(found.reserved)),
        "remaining_usd": float(dollars(found.remaining)),
        "renews_at": iso(found.renews_at),
    }


def _lines(status: Status) -> list[str]:
    if not status.limits.metered:
        return ["Nothing is metered: bytes cost nothing here (PRICE_PER_TIB_USD)."]
    lines = [
        f"{word}: {shown(found.spent)} of {shown(found.limit)} spent, "
        f"{shown(found.reserved)} reserved, {shown(found.remaining, left=True)} left "
        f"until {minute(iso(found.renews_at))} UTC."
        for word, found in (("Today", status.day), ("This month", status.month))
    ]
    if forecast := status.forecast:
        pace = plural(forecast.days, "whole day")
        lines.append(
            f"Forecast of the month: {shown(forecast.month)}, at {shown(forecast.per_day)} a day "
            f"as in the last {pace}{' (the limit stops it there)' if forecast.capped else ''}."
        )
    return lines


def _usd(micro_usd: int) -> str:
    return shown(micro_usd).removesuffix(" USD")


def _bytes(count: int) -> str:
    amount: Any = count
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"
        amount /= 1000
    return f"{amount:,.1f} TB"
