"""Costs by month, and those of one repository, in requests and answers."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from functions.api.cost_schemas import Cost, DayCost, DayName, PeriodMeta, cost
from functions.api.parameters import Query
from functions.api.schemas import Envelope, Links, Shape
from shared.cost_summaries import Sums


class MonthsQuery(Query):
    """How many months."""

    months: int = Field(12, ge=1, le=12, description="Up to this one, which is counted")


class MonthCost(Cost):
    """What a month cost; ``days`` of it had a run."""

    month: str = Field(description="A month in UTC", examples=["2025-03"])
    days: int


class MonthsMeta(Shape):
    """``start`` is the first day that was looked at. The last month goes on."""

    start: DayName


class MonthsAnswer(Envelope[list[MonthCost], MonthsMeta, Links]):
    """Costs by month, oldest first. Months without a run are there."""


class CostsOfRepository(Shape):
    """What a repository cost in a period: its equal share of what several share."""

    repository: str
    summary: Cost
    days: list[DayCost]


class RepositoryCostsAnswer(Envelope[CostsOfRepository, PeriodMeta, Links]):
    """Costs of a repository."""


def by_month(found: Mapping[str, Sums]) -> list[MonthCost]:
    """Days added up by their month."""
    months: dict[str, list[Sums]] = {}
    for day, sums in found.items():
        months.setdefault(day[:7], []).append(sums)
    return [
        MonthCost.model_validate(
            {"month": month, "days": sum(each.runs > 0 for each in days), **cost(sum(days, Sums()))}
        )
        for month, days in months.items()
    ]
