"""What the page of costs shows: budget, trend, where the money went, the ledger.

Of documents it reads eleven for the budget, one for each day of the period and the charges shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from functions.dashboard import charts, money
from functions.dashboard.charts import BarChart, LineChart, Part, Point
from functions.dashboard.money import BudgetShown, usd
from functions.dashboard.widgets import Widget, attempt
from functions.dashboard.words import day_label
from shared import costs
from shared.budget_books import Entry
from shared.context import Services
from shared.cost_summaries import NOBODY, Summary, Sums
from shared.errors import NotFound, Rejected
from shared.repositories import Repository

PERIODS: Mapping[str, tuple[str, int]] = {
    "week": ("7 days", 7),
    "month": ("30 days", 30),
    "quarter": ("90 days", 90),
}
"""What can be looked at, in days that end with today (UTC). More days are more documents."""

CHARGES = 5
LEDGER = 20
REPOSITORIES = 12
OWN_DAYS = 30
"""For how many days a repository's own page tells what it cost."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a repository cost. ``thousandths`` is its share of the dearest one's."""

    name: str | None
    sums: Sums
    shown: str
    thousandths: int


@dataclass(frozen=True, slots=True)
class Spending:
    """What a period cost. ``dearest_first`` repositories; ``more`` are not shown."""

    total: Sums
    shown: str
    by_day: BarChart
    added_up: LineChart
    by_statement: tuple[Part, ...]
    repositories: tuple[Share, ...]
    more: int


@dataclass(frozen=True, slots=True)
class OwnSpending:
    """What one repository cost in the last days, its share of what several share with it."""

    total: Sums
    shown: str
    by_day: BarChart


@dataclass(frozen=True, slots=True)
class Charges:
    """Charges, newest first. ``cursor`` leads on, None at the end."""

    charges: tuple[Entry, ...]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class CostsPage:
    """The page. Where nothing is metered there is no spending and no ledger."""

    period: str
    budget: Widget[BudgetShown]
    spending: Widget[Spending] | None
    charges: Widget[Charges] | None


def read(services: Services, period: str) -> CostsPage:
    """The page as it is now. Raises Rejected for an unknown period."""
    if period not in PERIODS:
        raise Rejected(
            f"period {period[:60]!r} is not known. Use one of: {', '.join(PERIODS)}.",
            details={"field": "period"},
        )
    budget = attempt(lambda: money.budget(services))
    if budget.value is not None and not budget.value.metered:
        return CostsPage(period, budget, None, None)
    return CostsPage(
        period=period,
        budget=budget,
        spending=attempt(lambda: _spending(services, PERIODS[period][1])),
        charges=attempt(lambda: charges(services, "", CHARGES)),
    )


def of_repository(services: Services, repository: Repository) -> OwnSpending:
    """What it cost in the last ``OWN_DAYS``, a document a day.

    Raises NotFound where nothing is metered.
    """
    if not services.budget.limits().metered:
        raise NotFound("Nothing is metered here.")
    end = services.now().date() + timedelta(days=1)
    days = costs.days_between(end - timedelta(days=OWN_DAYS), end)
    found = costs.of_repository(services, repository, days)
    total = sum(found.values(), Sums())
    amounts = [sums.micro_usd for sums in found.values()]
    by_day = charts.bars(_points([day_label(day) for day in found], amounts))
    return OwnSpending(total, usd(total.micro_usd), by_day)


def charges(services: Services, after: str, limit: int = LEDGER) -> Charges:
    """A stretch of the ledger. Raises Rejected for a place that is none."""
    found, cursor = costs.ledger(services, after=after or None, limit=limit)
    return Charges(tuple(found), cursor)


def _spending(services: Services, days: int) -> Spending:
    end = services.now().date() + timedelta(days=1)
    found = costs.summaries(services, costs.days_between(end - timedelta(days=days), end))
    total = sum(found.values(), Summary())
    amounts = [each.total.micro_usd for each in found.values()]
    labels = [day_label(day) for day in found]
    limit = services.budget.limits().daily
    return Spending(
        total=total.total,
        shown=usd(total.total.micro_usd),
        by_day=charts.bars(_points(labels, amounts), limit),
        added_up=charts.line(_points(labels, charts.added_up(amounts))),
        by_statement=charts.stacked(
            [Point(name, value, usd(value)) for name, value in _amounts(total.by_statement, 11)]
        ),
        repositories=_shares(total.by_repository),
        more=max(len(total.by_repository) - REPOSITORIES, 0),
    )


def _points(labels: list[str], amounts: list[int]) -> list[Point]:
    return [Point(label, value, usd(value)) for label, value in zip(labels, amounts, strict=True)]


def _amounts(sums: Mapping[str, Sums], most: int) -> list[tuple[str, int]]:
    return charts.largest({name: each.micro_usd for name, each in sums.items()}, most)


def _shares(by_repository: Mapping[str, Sums]) -> tuple[Share, ...]:
    found = _amounts(by_repository, REPOSITORIES)
    top = found[0][1] if found else 0
    return tuple(
        Share(
            None if name == NOBODY else name,
            by_repository[name],
            usd(value),
            value * 1000 // top if top else 0,
        )
        for name, value in found
    )
