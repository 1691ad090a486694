"""Whatever several workers do in whatever order: no limit is passed, and the books end exact."""

from __future__ import annotations

import tempfile
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.local.documents import SqliteDocuments
from shared.budget import Budget
from shared.budget_books import Charge, Entry, day_name, period
from shared.cost_summaries import Sums, shared_out, summary
from shared.errors import BudgetRefused, BudgetWaits
from shared.limits import LEAST_BYTES, TIB, price_of
from shared.metering import MeteredWarehouse
from shared.ports import Query, Usage, Write
from shared.settings import Settings
from tests.support.billed_warehouse import BilledWarehouse
from tests.support.manual_clock import ManualClock

PRICE = 6_250_000
DAILY = 5_000_000
MONTHLY = 12_000_000
REPOSITORIES = ("a/a", "b/b", "c/c", "d/d")


@dataclass
class Model:
    """What the books have to say: charges by id, and bills by day."""

    open: dict[str, tuple[str, int]] = field(default_factory=dict)
    bills: dict[str, list[int]] = field(default_factory=dict)

    def spent(self, day: str = "") -> int:
        return sum(sum(b) for d, b in self.bills.items() if d.startswith(day))

    def reserved(self, day: str = "") -> int:
        return sum(money for d, money in self.open.values() if d.startswith(day))


_size = st.integers(1, TIB) | st.sampled_from([1, LEAST_BYTES, TIB])
_share = st.fractions(0, 1, max_denominator=97)
_actor = st.sampled_from("xyz")
_step = st.one_of(
    st.tuples(st.just("reserve"), _actor, _size, st.sets(st.sampled_from(REPOSITORIES))),
    st.tuples(st.just("settle"), _actor, _share),
    st.tuples(st.just("release"), _actor),
    st.tuples(st.just("sweep"), _share),
    st.tuples(st.just("later"), st.integers(1, 40)),
    st.tuples(st.just("limit"), st.integers(0, 6)),
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(_step, max_size=40))
def test_no_sequence_passes_a_limit_and_the_sums_are_exact(steps: list[tuple[object, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _play(Path(folder), steps)


def _play(folder: Path, steps: list[tuple[object, ...]]) -> None:
    clock = ManualClock()
    documents = SqliteDocuments(folder / "documents.sqlite")
    chosen = Settings(price_per_tib_usd=Decimal("6.25"), budget_monthly_usd=Decimal(12))
    budget = Budget(documents, chosen, clock)
    model, daily, number = Model(), DAILY, 0

    def settled(id_: str, share: object) -> Usage:
        (found,) = documents.get(f"charges/{id_}")
        assert found is not None
        size = int(int(str(found.fields["max_bytes"])) * share)  # type: ignore[operator]
        day, _ = model.open.pop(id_)
        model.bills.setdefault(day, []).append(price_of(size, PRICE))
        return Usage("scan", clock(), 1, 1, size, size, id=id_)

    for kind, *rest in steps:
        today = day_name(clock())
        ours = [id_ for id_ in model.open if id_.startswith(str(rest[0]))]
        if kind == "reserve":
            actor, size, repositories = rest
            number += 1
            id_ = f"{actor}-{number}"
            money = price_of(max(int(str(size)), LEAST_BYTES), PRICE)
            charge = Charge(id_, int(str(size)), "scan", None, tuple(sorted(repositories)))  # type: ignore[call-overload]
            this_day = model.spent(today) + model.reserved(today) + money
            this_month = model.spent(today[:7]) + model.reserved(today[:7]) + money
            try:
                budget.reserve(charge)
            except BudgetRefused:
                assert money > min(daily, MONTHLY)
            except BudgetWaits:
                assert this_day > daily or this_month > MONTHLY
            else:
                assert this_day <= daily
                assert this_month <= MONTHLY
                model.open[id_] = (today, money)
        elif kind == "settle" and ours:
            usage = settled(ours[0], rest[1])
            assert budget.settle(usage)
            assert not budget.settle(usage)
        elif kind == "release" and ours:
            model.open.pop(ours[0])
            assert budget.release(ours[0])
            assert not budget.release(ours[0])
        elif kind == "sweep":
            share = rest[0]
            clock.advance(timedelta(seconds=330))
            asked = {id_: settled(id_, share) for id_ in tuple(model.open)[::2]}
            budget.sweep(
                lambda id_, asked=asked: asked.get(  # type: ignore[misc]
                    id_, Usage("scan", clock(), 0, 0, 0, 0, id=id_, done=False)
                )
            )
        elif kind == "later":
            clock.advance(timedelta(hours=int(str(rest[0]))))
        elif kind == "limit":
            daily = int(str(rest[0])) * 1_000_000
            documents.write([Write("config/budget", {"overrides": {"daily_usd": str(rest[0])}})])
        _check(documents, model)
    documents.close()


def _check(documents: SqliteDocuments, model: Model) -> None:
    days = {*model.bills, *(day for day, _ in model.open.values())}
    for name in days | {day[:7] for day in days}:
        collection = "budget_days" if len(name) == 10 else "budget_months"
        found = period(documents.get(f"{collection}/{name}")[0], name)
        assert (found.spent, found.reserved) == (model.spent(name), model.reserved(name))
    for day, bills in model.bills.items():
        summed = summary(documents.get(f"cost_days/{day}")[0])
        assert (summed.total.micro_usd, summed.total.runs) == (sum(bills), len(bills))
        for parts in (summed.by_repository, summed.by_statement):
            assert sum(part.micro_usd for part in parts.values()) == sum(bills)
            total = sum(part.bytes_billed for part in parts.values())
            assert total == summed.total.bytes_billed


@given(amount=st.integers(0, 10**12), names=st.lists(st.text(max_size=3)), more=st.integers(0, 9))
def test_shares_add_up_and_differ_by_the_remainder_only(
    amount: int, names: list[str], more: int
) -> None:
    charge = Entry(
        id="a", statement="s", job=None, day="d", held_on="d", reserved_at="t", open_since=None,
        max_bytes=1, reserved=1, free=0,
        price=1, repositories=tuple(dict.fromkeys(names)), more=more if names else 0,
    )  # fmt: skip
    shares = shared_out(Sums(runs=1, micro_usd=amount, bytes_billed=amount), charge)
    assert sum(share.micro_usd for share in shares.values()) == amount
    assert sum(share.bytes_billed for share in shares.values()) == amount


# --- many at once -------------------------------------------------------------------------------


@pytest.mark.parametrize("lowered", [False, True])
def test_of_fifty_at_once_exactly_what_fits_runs_and_the_rest_waits_with_a_date(
    tmp_path: Path, lowered: bool
) -> None:
    clock = ManualClock()
    documents = SqliteDocuments(tmp_path / "documents.sqlite")
    chosen = Settings(price_per_tib_usd=Decimal(1), budget_daily_usd=Decimal(5))
    bare = BilledWarehouse(clock, TIB)
    outcomes: list[object] = []
    start = threading.Barrier(50)

    def work(number: int) -> None:
        # Each has a budget of its own, as processes have.
        budget = Budget(documents, chosen, clock)
        warehouse = MeteredWarehouse(bare, budget, lambda: f"run-{number}")
        start.wait()
        if lowered and number == 25:
            documents.write([Write("config/budget", {"overrides": {"daily_usd": "3"}})])
        try:
            outcomes.append(warehouse.query("scan", {}).num_rows)
        except BudgetWaits as error:
            outcomes.append(error.not_before)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    ran = outcomes.count(1)
    assert len(outcomes) == 50
    assert 3 <= ran <= 5 if lowered else ran == 5
    waits = {each for each in outcomes if each != 1}
    assert {str(each) for each in waits} == {"2025-03-21 00:00:00+00:00"}
    assert bare.billed == ran * TIB
    day = period(documents.get("budget_days/2025-03-20")[0], "2025-03-20")
    assert (day.spent, day.reserved) == (ran * 1_000_000, 0)
    assert documents.query(Query("charges", order_by="open_since")).documents == ()
    assert len(documents.query(Query("charges")).documents) == ran
    documents.close()
