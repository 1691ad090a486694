"""Costs and the budget in requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from functions.api.activity import Day
from functions.api.parameters import ListQuery, Query
from functions.api.schemas import (
    CursorLinks,
    Envelope,
    Links,
    ListMeta,
    Percent,
    Shape,
    Time,
    two_places,
)
from shared import limits
from shared.budget_books import Entry
from shared.budget_config import Configured
from shared.budget_status import Forecast, Standing
from shared.cost_summaries import NOBODY, Sums
from shared.models import iso

Usd = Annotated[Decimal, Field(description="US dollars with six places", examples=[0.012345])]
DayName = Annotated[str, Field(description="A day in UTC", examples=["2025-03-20"])]
PeriodName = Literal["day", "month", "range"]

_REPOSITORIES_SHOWN = 10


# --- requests -----------------------------------------------------------------------------------


class PeriodQuery(Query):
    """Which days: today, this month up to now, or a range."""

    period: PeriodName | None = Field(None, description="Default month; range with start and end")
    start: Day | None = Field(None, description="Of a range: its first day (UTC)")
    end: Day | None = Field(None, description="The first day that is not in the range")


class CostsQuery(PeriodQuery):
    """Which days, and how many repositories."""

    limit: int = Field(100, ge=1, le=1000, description="The dearest repositories shown")


class LedgerQuery(ListQuery):
    """Which charges."""


class BudgetQuery(Query):
    """Which version."""

    version: int | None = Field(None, ge=0, description="Default: the one in force")


class NewBudget(limits.Overrides):
    """Limits in place of all that were set before. What is left out is the environment's again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int | None = Field(
        None, ge=0, description="The version that you saw: another one in force is a conflict"
    )

    @property
    def overrides(self) -> limits.Overrides:
        return limits.Overrides.model_validate(self.model_dump(exclude={"version"}))


# --- answers ------------------------------------------------------------------------------------


class Cost(Shape):
    """What some runs cost together."""

    usd: Usd
    runs: int
    bytes_billed: int
    bytes_processed: int
    rows: int
    duration_ms: int
    slot_ms: int


class StatementCost(Cost):
    """What a statement cost, or the reading of an archive table."""

    statement: str


class RepositoryCost(Cost):
    """What a repository cost. What several share is shared out equally, and a run counts for each.

    ``repository`` is null for what ran for no single one.
    """

    repository: str | None


class DayCost(Cost):
    """What a day cost. A run belongs to the day on which it was reserved."""

    day: DayName


class BudgetStanding(Shape):
    """A day or month against its limit. ``percent`` is the share that is spent."""

    name: str = Field(description="Its date", examples=["2025-03-20", "2025-03"])
    limit_usd: Usd
    spent_usd: Usd
    reserved_usd: Usd
    remaining_usd: Usd
    percent: Percent
    warning: bool
    renews_at: Time


class BudgetNow(Shape):
    """Today and this month, whatever period was asked for."""

    day: BudgetStanding
    month: BudgetStanding


class CostForecast(Shape):
    """What this month will have cost if it goes on as in the last whole days.

    ``per_day_usd`` is the mean of ``days`` of them, at most seven. ``capped`` says that the limit
    would stop it before.
    """

    month_usd: Usd
    per_day_usd: Usd
    days: int
    capped: bool


class LimitsShown(Shape):
    """Limits in force. ``metered`` is false where bytes cost nothing: then nothing is booked."""

    daily_usd: Usd
    monthly_usd: Usd
    warning_percent: int
    price_per_tib_usd: Usd
    free_tib_per_month: Decimal
    metered: bool


class CostsOfPeriod(Shape):
    """What was billed in a period, and how the budget stands."""

    summary: Cost
    days: list[DayCost]
    by_statement: list[StatementCost]
    by_repository: list[RepositoryCost]
    budget: BudgetNow
    forecast: CostForecast | None
    limits: LimitsShown


class PeriodMeta(Shape):
    """``end`` is the first day that is not in the period."""

    period: PeriodName
    start: DayName
    end: DayName


class CostsMeta(PeriodMeta):
    """``repositories`` is how many had costs."""

    repositories: int


class CostsAnswer(Envelope[CostsOfPeriod, CostsMeta, Links]):
    """Costs of a period."""


class Charge(Shape):
    """A run: what was reserved for it, and once it is settled what it was billed.

    ``repositories`` are the first of ``shared_by``.
    """

    id: str
    statement: str
    job: str | None
    repositories: list[str]
    shared_by: int
    state: Literal["reserved", "settled"]
    day: DayName
    reserved_at: Time
    reserved_bytes: int
    reserved_usd: Usd
    settled_at: Time | None
    started_at: Time | None
    duration_ms: int
    rows: int
    bytes_processed: int
    bytes_billed: int
    slot_ms: int
    cache_hit: bool
    usd: Usd


class LedgerAnswer(Envelope[list[Charge], ListMeta, CursorLinks]):
    """Charges, newest first."""


class OverridesShown(Shape):
    """What is set over the environment's values; null where those hold."""

    daily_usd: Usd | None
    monthly_usd: Usd | None
    warning_percent: int | None
    price_per_tib_usd: Usd | None
    free_tib_per_month: Decimal | None


class BudgetVersion(Shape):
    """A version of what is set. Version 0 sets nothing."""

    version: int
    overrides: OverridesShown
    changed_at: Time | None
    changed_by: str | None


class BudgetConfig(BudgetVersion):
    """``limits`` are those that hold with it: what is set, over the environment's values."""

    limits: LimitsShown


class BudgetMeta(Shape):
    """``version`` is in force. ``history`` has the newest versions first."""

    version: int
    history: list[BudgetVersion]


class BudgetAnswer(Envelope[BudgetConfig, BudgetMeta, Links]):
    """Limits of the budget."""


# --- from what is stored ------------------------------------------------------------------------


def cost(sums: Sums) -> dict[str, object]:
    """The fields of a Cost."""
    fields = sums.model_dump()
    return {"usd": limits.dollars(fields.pop("micro_usd")), **fields}


def by_day(found: Mapping[str, Sums]) -> list[DayCost]:
    """Those days on which anything ran."""
    return [
        DayCost.model_validate({"day": day, **cost(sums)})
        for day, sums in found.items()
        if sums.runs
    ]


def statements(found: Mapping[str, Sums]) -> list[StatementCost]:
    """The dearest first."""
    return [StatementCost.model_validate({"statement": n, **cost(s)}) for n, s in _dearest(found)]


def repositories(found: Mapping[str, Sums], limit: int) -> list[RepositoryCost]:
    """The dearest first, at most ``limit``."""
    return [
        RepositoryCost.model_validate({"repository": None if n == NOBODY else n, **cost(s)})
        for n, s in _dearest(found)[:limit]
    ]


def _dearest(found: Mapping[str, Sums]) -> list[tuple[str, Sums]]:
    return sorted(found.items(), key=lambda each: (-each[1].micro_usd, each[0]))


def standing(found: Standing) -> BudgetStanding:
    """A day or month as it is shown."""
    return BudgetStanding(
        name=found.name,
        limit_usd=limits.dollars(found.limit),
        spent_usd=limits.dollars(found.spent),
        reserved_usd=limits.dollars(found.reserved),
        remaining_usd=limits.dollars(found.remaining),
        percent=two_places(found.hundredths / 100),
        warning=found.warning,
        renews_at=iso(found.renews_at),
    )


def forecast(found: Forecast | None) -> CostForecast | None:
    """A forecast as it is shown."""
    if found is None:
        return None
    return CostForecast(
        month_usd=limits.dollars(found.month),
        per_day_usd=limits.dollars(found.per_day),
        days=found.days,
        capped=found.capped,
    )


def limits_shown(found: limits.Limits) -> LimitsShown:
    """Limits as they are shown."""
    return LimitsShown(
        daily_usd=limits.dollars(found.daily),
        monthly_usd=limits.dollars(found.monthly),
        warning_percent=found.warning_percent,
        price_per_tib_usd=limits.dollars(found.price),
        free_tib_per_month=found.free_tib_per_month,
        metered=found.metered,
    )


def charge(found: Entry) -> Charge:
    """A charge as it is shown."""
    same = set(Charge.model_fields) & set(Entry.model_fields) - {"repositories"}
    return Charge.model_validate(
        {
            **found.model_dump(include=same),
            "repositories": list(found.repositories[:_REPOSITORIES_SHOWN]),
            "shared_by": len(found.repositories) + found.more,
            "state": "reserved" if found.open else "settled",
            "reserved_bytes": found.max_bytes,
            "reserved_usd": limits.dollars(found.reserved),
            "usd": limits.dollars(found.micro_usd),
        }
    )


def version(found: Configured) -> BudgetVersion:
    """A version as it is shown."""
    return BudgetVersion(
        version=found.version,
        overrides=OverridesShown.model_validate(found.overrides.model_dump()),
        changed_at=found.changed_at,
        changed_by=found.changed_by,
    )
