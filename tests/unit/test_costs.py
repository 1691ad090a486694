"""The cost ledger held against the warehouse's own books, and the nightly report."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from structlog.testing import capture_logs

from shared import costs, retention
from shared.budget import GRACE, Budget
from shared.budget_books import Charge
from shared.context import Services
from shared.limits import TIB
from shared.metering import MeteredWarehouse
from shared.ports import Allowance
from shared.retention import Slice
from shared.tables import COLUMNS, Dataset
from tests.support.billed_warehouse import BilledWarehouse
from tests.support.job_world import World

DAY = "2025-03-20"
DOLLAR = 1_000_000


@dataclass
class Priced:
    """Services where a TiB costs 1 USD."""

    world: World
    services: Services
    bare: BilledWarehouse

    def run(self, id_: str, usd: float = 1, *, settle: bool = True, reserve: bool = True) -> None:
        size = int(usd * TIB)
        self.bare.bills["scan"] = size
        charge = Charge(id_, size, "scan", "job-1", ("octo/engine",))
        if reserve:
            self.services.budget.reserve(charge)
        self.bare.query("scan", {}, allowance=Allowance(id_, size, "job-1"))
        if settle:
            assert self.services.budget.settle(self.bare.runs[id_])

    def spent(self) -> int:
        return costs.summaries(self.services, [DAY])[DAY].total.micro_usd


@pytest.fixture
def priced(world: World) -> Priced:
    return make_priced(world)


def make_priced(world: World, price: int = 1) -> Priced:
    services = world.services
    settings = services.settings.model_copy(update={"price_per_tib_usd": Decimal(price)})
    budget = Budget(services.documents, settings, services.now)
    bare = BilledWarehouse(services.now, TIB)
    metered = MeteredWarehouse(bare, budget, services.new_id)
    chosen = replace(services, settings=settings, budget=budget, warehouse=metered)
    return Priced(world, chosen, bare)


def test_books_that_agree_need_nothing(priced: Priced) -> None:
    priced.run("a")
    priced.run("b", 0.5)
    found = costs.reconcile(priced.services, DAY)
    assert (found.runs, found.micro_usd) == (2, 1_500_000)
    assert (found.booked, found.differing, found.unseen) == ((), (), ())
    assert found.complete


def test_what_is_missing_is_booked_once_and_what_cost_nothing_is_not(priced: Priced) -> None:
    priced.run("ours")
    priced.run("open", settle=False)
    priced.run("foreign", 0.5, settle=False, reserve=False)
    priced.run("cached", 0, settle=False, reserve=False)
    priced.bare.query("scan", {})
    found = costs.reconcile(priced.services, DAY)
    assert found.booked == ("foreign",)
    assert priced.spent() == found.micro_usd == 1_500_000
    again = costs.reconcile(priced.services, DAY)
    assert (again.booked, again.micro_usd) == ((), 1_500_000)
    priced.world.clock.advance(timedelta(seconds=330))
    assert costs.sweep(priced.services).settled == 1
    assert costs.reconcile(priced.services, DAY).micro_usd == 2_500_000


def test_what_differs_is_reported_and_what_was_billed_more_is_booked(priced: Priced) -> None:
    for id_ in ("more", "less", "gone"):
        priced.run(id_)
    for id_, usd in (("more", 2), ("less", 0)):
        runs = priced.bare.runs
        runs[id_] = replace(runs[id_], bytes_billed=usd * TIB)
    del priced.bare.runs["gone"]
    found = costs.reconcile(priced.services, DAY)
    assert found.differing == (
        costs.Difference("more", TIB, 2 * TIB), costs.Difference("less", TIB, 0),
    )  # fmt: skip
    assert found.unseen == ("gone",)
    assert priced.spent() == 4 * DOLLAR
    assert [d.id for d in costs.reconcile(priced.services, DAY).differing] == ["less"]


def test_a_charge_whose_run_took_several_jobs_is_compared_with_their_sum(priced: Priced) -> None:
    priced.run("table", 2)
    whole = priced.bare.runs["table"]
    priced.bare.runs["table"] = replace(whole, bytes_billed=3 * TIB // 2)
    priced.bare.runs["table-described"] = replace(
        whole, id="table-described", bytes_billed=TIB // 2
    )
    found = costs.reconcile(priced.services, DAY)
    assert (found.booked, found.differing, found.runs) == ((), (), 1)


def test_a_run_past_midnight_belongs_to_the_day_it_was_reserved(priced: Priced) -> None:
    priced.world.clock.now = datetime(2025, 3, 20, 23, 59, 59, tzinfo=UTC)
    allowance = priced.services.budget.reserve(Charge("late", TIB, "scan"))
    priced.world.clock.advance(timedelta(seconds=2))
    priced.bare.query("scan", {}, allowance=allowance)
    priced.services.budget.settle(priced.bare.runs["late"])
    assert costs.reconcile(priced.services, DAY).unseen == ()
    after = costs.reconcile(priced.services, "2025-03-21")
    assert (after.runs, after.booked) == (0, ())


def test_a_day_is_a_unit_of_the_warehouse_that_a_repeat_replaces(
    priced: Priced, tmp_path: Path
) -> None:
    priced.run("a")
    services = replace(
        priced.services,
        warehouse=_Loading(priced.bare, priced.world.services.warehouse),
    )
    for _ in range(2):
        costs.reconcile(services, DAY)
    (unit,) = services.warehouse.units(Dataset.COSTS)
    assert (unit.name, unit.rows) == (DAY, 1)
    tables = [pq.read_table(path) for path in tmp_path.rglob("costs/*.parquet")]
    (row,) = tables[0].to_pylist()
    assert row == {
        "id": "a", "statement": "scan", "started_at": priced.world.clock(), "duration_ms": 5,
        "rows": 1, "bytes_processed": TIB, "bytes_billed": TIB, "slot_ms": 7, "cache_hit": False,
        "job": "job-1", "repositories": '["octo/engine"]', "micro_usd": DOLLAR,
    }  # fmt: skip
    assert list(row) == list(COLUMNS[Dataset.COSTS])


class _Loading(BilledWarehouse):
    """Bills of one warehouse, units of another."""

    def __init__(self, bills: BilledWarehouse, loaded: object) -> None:
        super().__init__(bills._now)
        self.runs = bills.runs
        self.replace = loaded.replace  # type: ignore[attr-defined,method-assign]
        self.units = loaded.units  # type: ignore[attr-defined,method-assign]


def test_many_charges_are_loaded_whole(priced: Priced) -> None:
    for number in range(650):
        priced.run(f"r{number:03}", 0.001)
    assert costs.reconcile(priced.services, DAY).runs == 650
    loaded = priced.bare.loaded[Dataset.COSTS, DAY]
    assert loaded.num_rows == 650
    assert sum(loaded["micro_usd"].to_pylist()) == priced.spent()


def test_the_report_settles_reconciles_and_says_how_it_stands(priced: Priced) -> None:
    priced.run("a", 4.5)
    priced.run("dead", 0.25, settle=False)
    priced.services.budget.reserve(Charge("never", TIB // 8, "scan"))
    priced.world.clock.now = datetime(2025, 3, 21, 0, 10, tzinfo=UTC)
    with capture_logs() as logged:
        costs.report(priced.services)
    (line,) = [each for each in logged if each["event"] == "budget_report"]
    assert line["yesterday"] == DAY
    assert (line["yesterday_usd"], line["runs"]) == ("4.750000", 2)
    assert (line["settled"], line["released"], line["booked"]) == (1, 1, 0)
    assert (line["daily_spent_usd"], line["monthly_spent_usd"]) == ("0.000000", "4.750000")
    assert line["monthly_percent"] == 9.5
    assert line["warning"] is False
    assert line["forecast_usd"] == "50.000000"
    assert timedelta(hours=12) > GRACE


def test_where_bytes_are_free_the_report_reads_and_books_nothing(world: World) -> None:
    priced = make_priced(world, price=0)
    with capture_logs() as logged:
        costs.report(priced.services)
    (line,) = [each for each in logged if each["event"] == "budget_report"]
    assert line["metered"] is False
    assert priced.bare.loaded == {}


# --- the forecast -------------------------------------------------------------------------------


def test_the_forecast_goes_by_whole_days_since_the_first_run(priced: Priced) -> None:
    budget = priced.services.budget
    assert budget.status().forecast is None
    priced.run("a", 1.4)
    assert budget.status().forecast is None
    priced.world.clock.now = datetime(2025, 3, 21, tzinfo=UTC)
    first = budget.status().forecast
    assert first is not None
    assert (first.days, first.per_day, first.month) == (1, 1_400_000, 1_400_000 * 12)
    # Days without any run count: six of them, and the first.
    priced.world.clock.now = datetime(2025, 3, 27, tzinfo=UTC)
    later = budget.status().forecast
    assert later is not None
    assert (later.days, later.per_day, later.month) == (7, 200_000, 1_400_000 + 5 * 200_000)
    # In the next month the pace of the last one still holds, until seven days have passed.
    priced.world.clock.now = datetime(2025, 4, 1, tzinfo=UTC)
    quiet = budget.status().forecast
    assert quiet is not None
    assert (quiet.days, quiet.month) == (7, 0)


def test_a_forecast_beyond_the_limit_ends_there(priced: Priced) -> None:
    for day in range(1, 8):
        priced.world.clock.now = datetime(2025, 3, day, 12, tzinfo=UTC)
        priced.run(f"a{day}", 4.9)
    status = priced.services.budget.status()
    assert status.warning
    assert status.day.hundredths == 9_800
    assert status.forecast is not None
    assert (status.forecast.month, status.forecast.capped) == (50 * DOLLAR, True)


# --- retention ------------------------------------------------------------------------------------


def test_bills_go_when_they_are_old_and_the_ledger_has_their_day(priced: Priced) -> None:
    kept = timedelta(days=priced.services.settings.costs_days)
    priced.run("settled")
    priced.run("open", settle=False)

    def there() -> set[str]:
        found = priced.services.documents.get("charges/settled", "charges/open", f"cost_days/{DAY}")
        return {document.path for document in found if document is not None}

    def apply(round_: str) -> None:
        for sweep in ("charges", "cost_days"):
            retention.apply_slice(priced.services, Slice(sweep), round_)

    everything = there()
    assert len(everything) == 3
    priced.world.clock.advance(kept - timedelta(days=1))
    costs.reconcile(priced.services, DAY)
    apply("1")
    assert there() == everything
    priced.world.clock.advance(timedelta(days=2))
    priced.services.warehouse.remove(Dataset.COSTS, DAY)
    apply("2")
    assert there() == everything
    costs.reconcile(priced.services, DAY)
    apply("3")
    assert there() == {"charges/open"}
    assert priced.services.warehouse.unit(Dataset.COSTS, DAY) is not None
