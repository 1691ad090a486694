"""Statements that keep to the budget, and books that come out right whatever fails."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from infra.local.documents import SqliteDocuments
from shared.budget import GRACE, Budget
from shared.budget_books import Charge, Period, day_name, entry, period
from shared.errors import BudgetRefused, BudgetWaits, Rejected, RetryLater
from shared.limits import TIB
from shared.metering import Meter, MeteredWarehouse
from shared.ports import Allowance, Query, Usage
from shared.settings import Settings
from shared.tables import Dataset
from tests.support.billed_warehouse import BilledWarehouse
from tests.support.job_world import Killed
from tests.support.manual_clock import ManualClock

DOLLAR = 1_000_000


@dataclass
class Metered:
    """Statements of 1 USD each, within a budget of 5 USD a day."""

    documents: SqliteDocuments
    clock: ManualClock
    budget: Budget
    bare: BilledWarehouse
    warehouse: MeteredWarehouse

    def day(self) -> Period:
        name = day_name(self.clock())
        return period(self.documents.get(f"budget_days/{name}")[0], name)

    def charges(self) -> list[str]:
        return [d.id for d in self.documents.query(Query("charges")).documents]


def make_metered(folder: Path, **settings: object) -> Metered:
    clock = ManualClock()
    documents = SqliteDocuments(folder / "documents.sqlite")
    chosen = Settings.model_validate({"price_per_tib_usd": "1", **settings})
    budget = Budget(documents, chosen, clock)
    bare = BilledWarehouse(clock, TIB)
    numbers = iter(range(10**9))
    metered = MeteredWarehouse(bare, budget, lambda: f"run-{next(numbers):04}")
    return Metered(documents, clock, budget, bare, metered)


@pytest.fixture
def metered(tmp_path: Path) -> Metered:
    return make_metered(tmp_path)


def test_a_statement_is_reserved_capped_and_settled(metered: Metered) -> None:
    metered.bare.bills["scan"] = TIB // 4
    assert metered.warehouse.query("scan", {}).num_rows == 1
    metered.warehouse.derive("scan", {}, Dataset.STANDINGS, "u", {})
    assert (metered.day().spent, metered.day().reserved) == (DOLLAR // 2, 0)
    assert metered.charges() == ["run-0000", "run-0001"] == list(metered.bare.runs)


def test_a_run_is_for_the_job_and_repository_that_the_context_names(metered: Metered) -> None:
    with structlog.contextvars.bound_contextvars(job_id="j1", repository="octo/engine"):
        metered.warehouse.query("scan", {})
    metered.warehouse.query("scan", {})
    first, second = (entry(d) for d in metered.documents.query(Query("charges")).documents)
    assert (first.job, first.repositories) == ("j1", ("octo/engine",))
    assert (second.job, second.repositories) == (None, ())
    assert metered.bare.runs["run-0000"].job == "j1"


def test_nothing_is_booked_where_bytes_cost_nothing(tmp_path: Path) -> None:
    metered = make_metered(tmp_path, price_per_tib_usd="0")
    metered.warehouse.query("scan", {})
    ran = metered.warehouse.meter.run(Charge("a", 1, "scan"), lambda allowed: allowed)
    assert ran == Allowance("a", 1)
    assert metered.charges() == []
    assert metered.day() == Period(name=metered.day().name)


def test_a_statement_with_an_allowance_of_its_own_is_not_metered_twice(metered: Metered) -> None:
    allowance = metered.budget.reserve(Charge("mine", TIB, "scan"))
    metered.warehouse.query("scan", {}, allowance=allowance)
    assert metered.charges() == ["mine"]


def test_what_does_not_fit_waits_and_runs_nothing(metered: Metered) -> None:
    for _ in range(5):
        metered.warehouse.query("scan", {})
    with pytest.raises(BudgetWaits):
        metered.warehouse.query("scan", {})
    assert len(metered.bare.runs) == 5
    metered.bare.estimates["all"] = 6 * TIB
    with pytest.raises(BudgetRefused):
        metered.warehouse.query("all", {})


def test_data_that_grew_after_the_estimate_is_estimated_again(metered: Metered) -> None:
    metered.bare.bills["scan"] = 2 * TIB
    with pytest.raises(RetryLater, match="more than was estimated") as caught:
        metered.warehouse.query("scan", {})
    assert not isinstance(caught.value, BudgetWaits)
    assert metered.day().committed == 0
    metered.bare.estimates["scan"] = 2 * TIB
    metered.warehouse.query("scan", {})
    assert metered.day().spent == 2 * DOLLAR


@pytest.mark.parametrize(
    ("error", "billed", "spent", "reserved"),
    [
        (Rejected("no such column"), False, 0, 0),
        (Rejected("divided by zero"), True, DOLLAR, 0),
        (RetryLater("503"), True, DOLLAR, 0),
        (RetryLater("the connection broke"), False, 0, DOLLAR),
        (ZeroDivisionError("a defect"), False, 0, DOLLAR),
    ],
)
def test_a_failure_is_settled_by_what_is_known_of_its_run(
    metered: Metered, error: Exception, billed: bool, spent: int, reserved: int
) -> None:
    def fail(allowance: Allowance) -> None:
        if billed:
            metered.bare.query("scan", {}, allowance=allowance)
        raise error

    with pytest.raises(type(error)):
        metered.warehouse.meter.run(Charge("a", TIB, "scan"), fail)
    assert (metered.day().spent, metered.day().reserved) == (spent, reserved)


def test_a_run_that_goes_on_is_met_again_under_its_id(metered: Metered) -> None:
    metered.bare.running.add("long")

    def wait(allowance: Allowance) -> None:
        metered.bare.query("scan", {}, allowance=allowance)
        if allowance.id in metered.bare.running:
            raise RetryLater("it still runs")

    for _ in range(2):
        with pytest.raises(RetryLater):
            metered.warehouse.meter.run(Charge("long", TIB, "scan"), wait)
        assert (metered.day().spent, metered.day().reserved) == (0, DOLLAR)
    metered.bare.running.clear()
    metered.warehouse.meter.run(Charge("long", TIB, "scan"), wait)
    assert (metered.day().spent, metered.day().reserved) == (DOLLAR, 0)
    assert len(metered.bare.runs) == 1


def test_an_answer_is_not_lost_because_its_bill_cannot_be_had(metered: Metered) -> None:
    def unavailable(_: str) -> Usage | None:
        raise RetryLater("503")

    meter = Meter(metered.budget, unavailable)
    ran = meter.run(
        Charge("a", TIB, "scan"), lambda a: metered.bare.query("scan", {}, allowance=a).num_rows
    )
    assert ran == 1
    assert metered.day().reserved == DOLLAR
    metered.clock.advance(GRACE)
    assert metered.budget.sweep(unavailable).unknown == 1
    assert metered.budget.sweep(metered.bare.usage).settled == 1
    assert metered.day().spent == DOLLAR


def test_a_metered_statement_costs_nine_reads_and_seven_writes_of_documents(
    metered: Metered,
) -> None:
    """The day, the month, the charge and the limits twice, and the day's summary once."""
    calls: list[str] = []

    class Counted:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def get(self, path: str) -> Any:
            calls.append(f"read {path.split('/')[0]}")
            return self._inner.get(path)

        def write(self, write: Any) -> None:
            calls.append(f"write {write.path.split('/')[0]}")
            self._inner.write(write)

    transact = metered.documents.transact

    def counted(work: Callable[[Any], Any]) -> Any:
        return transact(lambda transaction: work(Counted(transaction)))

    metered.warehouse.query("first", {})
    metered.documents.transact = counted  # type: ignore[method-assign]
    metered.warehouse.query("scan", {})
    every_time = ["budget_days", "budget_months", "charges"]
    assert sorted(calls) == sorted(
        [f"{verb} {name}" for verb in ("read", "write") for name in every_time * 2]
        + ["read config", "read config", "read cost_days", "write cost_days"]
    )


# --- kills --------------------------------------------------------------------------------------

Spy = Callable[[str, Callable[[], Any]], Any]


class _Spied:
    """An object whose every call passes through ``spy``."""

    def __init__(self, inner: object, spy: Spy) -> None:
        self._inner, self._spy = inner, spy

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        return lambda *a, **n: self._spy(name, lambda: method(*a, **n))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("how", [Killed, RetryLater, Rejected])
def test_the_books_equal_the_bills_whichever_call_fails(
    tmp_path: Path, how: type[BaseException], after: bool
) -> None:
    """Each call of documents and warehouse fails in turn, before or after it took effect."""
    number = 0
    while True:
        folder = tmp_path / str(number)
        metered = make_metered(folder)
        made = 0

        def spy(_: str, call: Callable[[], Any], number: int = number) -> Any:
            nonlocal made
            made += 1
            if made == number + 1 and not after:
                raise how("now")
            found = call()
            if made == number + 1:
                raise how("now")
            return found

        documents: Any = _Spied(metered.documents, spy)
        warehouse: Any = _Spied(metered.bare, spy)
        settings = metered.budget._settings
        budget = Budget(documents, settings, metered.clock)
        doomed = MeteredWarehouse(warehouse, budget, lambda: "run")
        with contextlib.suppress(Killed, RetryLater, Rejected):
            doomed.query("scan", {})
        metered.clock.advance(GRACE)
        metered.budget.sweep(metered.bare.usage)
        books = (metered.day().spent, metered.day().reserved)
        assert books == (metered.bare.billed // TIB * DOLLAR, 0), f"after call {number}"
        if made <= number:
            break
        number += 1
    assert number >= 5


def test_the_books_equal_the_bills_after_a_worker_slower_than_the_grace(metered: Metered) -> None:
    def dawdle(allowance: Allowance) -> None:
        metered.clock.advance(GRACE + timedelta(seconds=1))
        metered.budget.sweep(metered.bare.usage)
        metered.bare.query("scan", {}, allowance=allowance)

    metered.warehouse.meter.run(Charge("slow", TIB, "scan"), dawdle)
    assert (metered.day().spent, metered.day().reserved) == (DOLLAR, 0)
