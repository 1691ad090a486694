"""What the warehouse cost, and the limits of what it may cost."""

from __future__ import annotations

from datetime import timedelta

from functions.api.access import ADMIN
from functions.api.cost_period_schemas import (
    CostsOfRepository,
    MonthsAnswer,
    MonthsMeta,
    MonthsQuery,
    RepositoryCostsAnswer,
    by_month,
)
from functions.api.cost_schemas import (
    BudgetAnswer,
    BudgetConfig,
    BudgetMeta,
    BudgetNow,
    BudgetQuery,
    Cost,
    CostsAnswer,
    CostsMeta,
    CostsOfPeriod,
    CostsQuery,
    LedgerAnswer,
    LedgerQuery,
    NewBudget,
    PeriodMeta,
    PeriodName,
    PeriodQuery,
    by_day,
    charge,
    cost,
    forecast,
    limits_shown,
    repositories,
    standing,
    statements,
    version,
)
from functions.api.links import here, with_cursor
from functions.api.parsing import continuing_at
from functions.api.resource import Call, Reply, Resource
from functions.api.schemas import ListMeta
from shared import budget_config, costs, repository_records
from shared.budget_config import Configured
from shared.cost_summaries import Summary, Sums
from shared.errors import Conflict, NotFound, Rejected, RetryLater
from shared.models import RepositoryName

resource = Resource("costs")


@resource.operation("GET", "/api/v1/costs", key_elsewhere=True, errors=(RetryLater,))
def show_costs(call: Call, query: CostsQuery) -> Reply[CostsAnswer]:
    """What was billed in a period, by day, statement and repository, and how the budget stands."""
    call.need_key_elsewhere()
    services = call.services
    period, days = _days(call, query)
    found = costs.summaries(services, days)
    total = sum(found.values(), Summary())
    status = services.budget.status()
    data = CostsOfPeriod(
        summary=Cost.model_validate(cost(total.total)),
        days=by_day({day: each.total for day, each in found.items()}),
        by_statement=statements(total.by_statement),
        by_repository=repositories(total.by_repository, query.limit),
        budget=BudgetNow(day=standing(status.day), month=standing(status.month)),
        forecast=forecast(status.forecast),
        limits=limits_shown(status.limits),
    )
    end = costs.day_after(days[-1])
    meta = CostsMeta(period=period, start=days[0], end=end, repositories=len(total.by_repository))
    return Reply(CostsAnswer(data=data, meta=meta, links=here()))


@resource.operation("GET", "/api/v1/costs/monthly", key_elsewhere=True, errors=(RetryLater,))
def list_costs_of_months(call: Call, query: MonthsQuery) -> Reply[MonthsAnswer]:
    """What was billed in each of the last months, up to this one."""
    call.need_key_elsewhere()
    days = costs.months_until(call.services.now().date(), query.months)
    found = costs.summaries(call.services, days)
    data = by_month({day: each.total for day, each in found.items()})
    return Reply(MonthsAnswer(data=data, meta=MonthsMeta(start=days[0]), links=here()))


@resource.operation(
    "GET",
    "/api/v1/costs/repositories/<owner>/<name>",
    key_elsewhere=True,
    errors=(NotFound, RetryLater),
)
def show_costs_of_repository(
    call: Call, owner: str, name: str, query: PeriodQuery
) -> Reply[RepositoryCostsAnswer]:
    """What a repository cost in a period, by day, under all names that it had."""
    call.need_key_elsewhere()
    named = RepositoryName.parse(f"{owner}/{name}")
    repository = repository_records.get(call.services, named)
    period, days = _days(call, query)
    found = costs.of_repository(call.services, repository, days)
    data = CostsOfRepository(
        repository=repository.name,
        summary=Cost.model_validate(cost(sum(found.values(), Sums()))),
        days=by_day(found),
    )
    meta = PeriodMeta(period=period, start=days[0], end=costs.day_after(days[-1]))
    return Reply(RepositoryCostsAnswer(data=data, meta=meta, links=here()))


@resource.operation("GET", "/api/v1/costs/ledger", key_elsewhere=True, errors=(RetryLater,))
def list_charges(call: Call, query: LedgerQuery) -> Reply[LedgerAnswer]:
    """Every run with what it was reserved and billed, newest first."""
    call.need_key_elsewhere()
    with continuing_at(query.cursor):
        found, cursor = costs.ledger(call.services, after=query.cursor, limit=query.limit)
    return Reply(
        LedgerAnswer(
            data=[charge(each) for each in found],
            meta=ListMeta(limit=query.limit),
            links=with_cursor(cursor),
        )
    )


@resource.operation(
    "GET", "/api/v1/config/budget", key_elsewhere=True, errors=(NotFound, RetryLater)
)
def show_budget_limits(call: Call, query: BudgetQuery) -> Reply[BudgetAnswer]:
    """The limits of the budget, and who set them when."""
    call.need_key_elsewhere()
    current = budget_config.current(call.services)
    wanted = query.version
    found = current if wanted is None else budget_config.version(call.services, wanted)
    return Reply(_answer(call, found, current))


@resource.operation("PUT", "/api/v1/config/budget", scope=ADMIN, errors=(Conflict, RetryLater))
def set_budget_limits(call: Call, body: NewBudget) -> Reply[BudgetAnswer]:
    """Set the limits of the budget, from the next reservation on.

    Work that waits for the budget is tried again within a minute or two.
    """
    after = budget_config.change(call.services, call.caller, body.overrides, seen=body.version)
    return Reply(_answer(call, after, after))


def _answer(call: Call, found: Configured, current: Configured) -> BudgetAnswer:
    shown = version(found)
    data = BudgetConfig(
        **{name: getattr(shown, name) for name in type(shown).model_fields},
        limits=limits_shown(found.limits(call.services)),
    )
    history = [version(each) for each in budget_config.history(call.services)]
    return BudgetAnswer(
        data=data, meta=BudgetMeta(version=current.version, history=history), links=here()
    )


def _days(call: Call, query: PeriodQuery) -> tuple[PeriodName, list[str]]:
    """The period and its days. Raises Rejected for half a range, or one with another period."""
    today = call.services.now().date()
    tomorrow = today + timedelta(days=1)
    if query.start is None and query.end is None:
        if query.period == "range":
            raise Rejected("A range has a start and an end.", details={"field": "start"})
        if query.period == "day":
            return "day", costs.days_between(today, tomorrow)
        return "month", costs.days_between(today.replace(day=1), tomorrow)
    if query.period not in (None, "range"):
        raise Rejected(
            f"The period {query.period} has no start or end: use period=range, or leave them out.",
            details={"field": "period"},
        )
    if query.start is None or query.end is None:
        missing = "start" if query.start is None else "end"
        raise Rejected(
            f"A range has a start and an end. Add {missing}.", details={"field": missing}
        )
    return "range", costs.days_between(query.start, query.end)
