"""Money and the budget as pages show them."""

from __future__ import annotations

from dataclasses import dataclass

from functions.dashboard.charts import Gauge, gauge
from shared.budget_status import Standing, Status
from shared.context import Services
from shared.limits import shown
from shared.models import iso


@dataclass(frozen=True, slots=True)
class BudgetGauge:
    """A day or month against its limit; amounts in words, ``renews_at`` as a stored time."""

    title: str
    name: str
    gauge: Gauge
    spent: str
    reserved: str
    limit: str
    remaining: str
    percent: str
    renews_at: str
    warning: bool


@dataclass(frozen=True, slots=True)
class BudgetShown:
    """The budget now. ``metered`` is False where bytes cost nothing: then the rest is empty.

    ``forecast`` says what the month will have cost, None before there is a whole day to go by.
    """

    metered: bool
    gauges: tuple[BudgetGauge, ...] = ()
    forecast: str | None = None
    pace: str = ""
    capped: bool = False
    warn_percent: int = 0


def usd(micro_usd: int) -> str:
    """Micro-dollars for people, as everywhere: rounded up."""
    return shown(micro_usd)


def budget(services: Services) -> BudgetShown:
    """How the budget stands. Where nothing is metered only the limits are read."""
    if not services.budget.limits().metered:
        return BudgetShown(metered=False)
    return of_status(services.budget.status())


def of_status(status: Status) -> BudgetShown:
    """The budget as gauges, with the forecast as a mark on the month's."""
    found = status.forecast
    percent = status.limits.warning_percent
    return BudgetShown(
        metered=status.limits.metered,
        gauges=(
            _gauge("Today", status.day, percent, None),
            _gauge("This month", status.month, percent, found.month if found else None),
        ),
        forecast=None if found is None else usd(found.month),
        pace="" if found is None else usd(found.per_day),
        capped=found is not None and found.capped,
        warn_percent=percent,
    )


def _gauge(title: str, standing: Standing, warn_percent: int, expected: int | None) -> BudgetGauge:
    return BudgetGauge(
        title=title,
        name=standing.name,
        gauge=gauge(standing.spent, standing.reserved, standing.limit, warn_percent, expected),
        spent=usd(standing.spent),
        reserved=usd(standing.reserved),
        limit=usd(standing.limit),
        remaining=shown(standing.remaining, left=True),
        percent=f"{standing.hundredths // 100}.{standing.hundredths % 100:02d}",
        renews_at=iso(standing.renews_at),
        warning=standing.warning,
    )
