"""What the budget lets through, what waits, and what the books say afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from infra.local.documents import SqliteDocuments
from shared.budget import GRACE, Budget, Swept
from shared.budget_books import Charge, Period, day_name, month_after, period
from shared.cost_summaries import split
from shared.errors import BudgetRefused, BudgetWaits, Rejected
from shared.limits import LEAST_BYTES, TIB, dollars, limits_of, micro, price_of, shown
from shared.ports import Query, Usage, Write
from shared.settings import Settings
from tests.support.manual_clock import ManualClock

GIB = 1 << 30
DOLLAR = 1_000_000
LEASE = timedelta(seconds=330)


@dataclass
class Books:
    """A budget of 5 USD a day and 50 a month, where a TiB costs 1 USD unless a test says else."""

    documents: SqliteDocuments
    clock: ManualClock
    budget: Budget

    def day(self, name: str | None = None) -> Period:
        name = name or day_name(self.clock())
        return period(self.documents.get(f"budget_days/{name}")[0], name)

    def month(self, name: str | None = None) -> Period:
        name = name or day_name(self.clock())[:7]
        return period(self.documents.get(f"budget_months/{name}")[0], name)

    def reserve(self, id_: str, usd: float, *repositories: str) -> None:
        self.budget.reserve(Charge(id_, int(usd * TIB), "scan", repositories=repositories))

    def bill(self, id_: str, usd: float) -> bool:
        return self.budget.settle(self.usage(id_, usd))

    def usage(self, id_: str, usd: float, *, done: bool = True) -> Usage:
        size = int(usd * TIB)
        return Usage("scan", self.clock(), 5, 1, size, size, id=id_, done=done)

    def set(self, **overrides: str | int) -> None:
        self.documents.write([Write("config/budget", {"overrides": {**overrides}})])


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return make_books(tmp_path)


def make_books(folder: Path, **settings: object) -> Books:
    clock = ManualClock()
    documents = SqliteDocuments(folder / "documents.sqlite")
    chosen = Settings.model_validate({"price_per_tib_usd": "1", **settings})
    return Books(documents, clock, Budget(documents, chosen, clock))


# --- money --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "price", "cost"),
    [
        (0, 6_250_000, 0),
        (1, 6_250_000, 1),
        (TIB, 6_250_000, 6_250_000),
        (TIB + 1, 6_250_000, 6_250_001),
        (LEAST_BYTES, 6_250_000, 60),
        (TIB, 1, 1),
        (TIB // 2, 1, 1),
        (10 * TIB, 0, 0),
    ],
)
def test_bytes_cost_whole_micro_dollars_rounded_up(size: int, price: int, cost: int) -> None:
    assert price_of(size, price) == cost


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0.00 USD"), (1, "0.0001 USD"), (9_999, "0.0100 USD"), (10_000, "0.01 USD"),
     (5 * DOLLAR, "5.00 USD"), (4_990_001, "5.00 USD")],
)  # fmt: skip
def test_people_never_read_less_than_it_costs(amount: int, text: str) -> None:
    assert shown(amount) == text


def test_dollars_come_back_as_they_were() -> None:
    assert micro(Decimal("6.25")) == 6_250_000
    assert micro(Decimal("0.0000001")) == 1
    assert str(dollars(6_250_000)) == "6.250000"


@pytest.mark.parametrize(("amount", "parts"), [(10, 3), (0, 4), (7, 1), (2, 5)])
def test_a_shared_bill_is_exact(amount: int, parts: int) -> None:
    first, each = split(amount, parts)
    assert first + each * (parts - 1) == amount
    assert each == amount // parts


def test_the_cloud_has_its_list_price_and_the_embedded_backend_none() -> None:
    assert limits_of(Settings(backend="gcp")).price == 6_250_000
    assert not limits_of(Settings()).metered
    assert limits_of(Settings(price_per_tib_usd=Decimal(2))).price == 2_000_000
    assert not limits_of(Settings(backend="gcp", price_per_tib_usd=Decimal(0))).metered
    limits = limits_of(Settings())
    assert (limits.daily, limits.monthly, limits.warning_percent) == (5 * DOLLAR, 50 * DOLLAR, 80)


@pytest.mark.parametrize("id_", ["", "_a", "a b", "a/b", "ü", "a" * 901])
def test_an_id_that_the_warehouse_would_refuse_is_rejected(id_: str) -> None:
    with pytest.raises(Rejected):
        Charge(id_, 1, "scan")


# --- reserving ----------------------------------------------------------------------------------


def test_what_fits_is_reserved_and_what_was_billed_is_spent(books: Books) -> None:
    books.reserve("a", 2)
    assert (books.day().reserved, books.day().spent) == (2 * DOLLAR, 0)
    assert books.bill("a", 0.5)
    assert (books.day().reserved, books.day().spent) == (0, DOLLAR // 2)
    assert (books.month().reserved, books.month().spent) == (0, DOLLAR // 2)


def test_an_allowance_is_what_was_reserved_and_ten_mebibytes_at_least(books: Books) -> None:
    assert books.budget.reserve(Charge("a", GIB, "scan", job="j")).max_bytes == GIB
    small = books.budget.reserve(Charge("b", 5, "scan", job="j"))
    assert (small.id, small.max_bytes, small.job) == ("b", LEAST_BYTES, "j")


def test_a_repeat_gets_the_same_allowance_and_reserves_nothing_more(books: Books) -> None:
    first = books.budget.reserve(Charge("a", GIB, "scan"))
    before = books.day()
    assert books.budget.reserve(Charge("a", 5 * GIB, "scan")) == first
    assert books.day() == before
    books.budget.settle(Usage("scan", books.clock(), 1, 1, GIB, GIB, id="a"))
    assert books.budget.reserve(Charge("a", GIB, "scan")) == first
    assert books.day().reserved == 0


def test_a_settled_id_is_reserved_for_what_its_run_may_still_be_billed(books: Books) -> None:
    """Its run may have been only the first part of it, when a sweep took its worker for dead."""
    first = books.budget.reserve(Charge("a", 2 * TIB, "scan"))
    books.bill("a", 0.5)
    books.clock.advance(timedelta(days=1))
    assert books.budget.reserve(Charge("a", 2 * TIB, "scan")) == first
    assert books.day().reserved == DOLLAR * 3 // 2
    assert books.bill("a", 2)
    assert (books.day().spent, books.day().reserved) == (DOLLAR * 3 // 2, 0)
    assert books.day("2025-03-20").spent == DOLLAR // 2
    assert books.month().spent == 2 * DOLLAR
    assert not books.bill("a", 2)


def test_a_settled_id_waits_for_the_rest_of_its_run_like_any_other(books: Books) -> None:
    books.reserve("a", 2)
    books.bill("a", 0.5)
    books.reserve("b", 4)
    with pytest.raises(BudgetWaits):
        books.reserve("a", 2)
    books.budget.release("b")
    books.reserve("a", 2)
    assert books.budget.release("a")
    assert (books.day().spent, books.day().reserved) == (DOLLAR // 2, 0)
    assert not books.bill("a", 0.5)


def test_what_does_not_fit_today_waits_for_midnight(books: Books) -> None:
    books.reserve("a", 3)
    books.bill("a", 3)
    books.reserve("b", 1.5)
    with pytest.raises(BudgetWaits, match=r"day \(5\.00 USD\) has 0\.50 USD left.*1\.00") as caught:
        books.reserve("c", 1)
    assert caught.value.not_before == datetime(2025, 3, 21, tzinfo=UTC)
    books.clock.now = datetime(2025, 3, 21, tzinfo=UTC)
    books.reserve("c", 1)


def test_what_does_not_fit_this_month_waits_for_the_next(books: Books) -> None:
    for day in range(10):
        books.clock.now = datetime(2025, 12, 10 + day, tzinfo=UTC)
        books.reserve(f"r{day}", 5)
    books.clock.advance(timedelta(days=1))
    with pytest.raises(BudgetWaits) as caught:
        books.reserve("more", 1)
    assert caught.value.not_before == datetime(2026, 1, 1, tzinfo=UTC)
    books.clock.now = datetime(2026, 1, 1, tzinfo=UTC)
    books.reserve("more", 1)


def test_only_what_is_dearer_than_a_whole_limit_is_refused(books: Books) -> None:
    books.reserve("whole", 5)
    with pytest.raises(BudgetWaits):
        books.reserve("another", 5)
    with pytest.raises(BudgetRefused, match=r"5\.01 USD.*whole day, 5\.00 USD"):
        books.reserve("never", 5.01)
    books.set(daily_usd="100")
    with pytest.raises(BudgetRefused, match="whole month"):
        books.reserve("never", 51)


def test_lowered_limits_hold_at_once_for_what_is_not_reserved_yet(books: Books) -> None:
    books.budget.limits()
    books.reserve("a", 2)
    books.set(daily_usd="2.5")
    with pytest.raises(BudgetWaits, match=r"0\.50 USD left"):
        books.reserve("b", 1)
    books.set(daily_usd="1")
    with pytest.raises(BudgetWaits, match=r"0\.00 USD left"):
        books.reserve("b", 0.1)
    books.set()
    books.reserve("b", 3)


def test_limits_are_read_anew_within_a_minute(books: Books) -> None:
    assert books.budget.limits().daily == 5 * DOLLAR
    books.set(daily_usd="7", price_per_tib_usd="0")
    books.clock.advance(timedelta(seconds=60))
    assert books.budget.limits().daily == 7 * DOLLAR
    assert not books.budget.limits().metered


def test_a_price_holds_as_it_was_when_reserved(books: Books) -> None:
    books.reserve("a", 2)
    books.set(price_per_tib_usd="3")
    books.bill("a", 1)
    assert books.day().spent == DOLLAR


def test_free_bytes_cost_nothing_until_they_are_used_up(tmp_path: Path) -> None:
    books = make_books(tmp_path, free_tib_per_month="1")
    books.reserve("a", 0.75)
    books.reserve("b", 0.75)
    assert books.month().reserved == DOLLAR // 2
    books.bill("a", 0.25)
    books.bill("b", 0.75)
    assert books.month().spent == 0
    assert books.month().free_used == TIB
    books.reserve("c", 1)
    assert books.month().reserved == DOLLAR
    # More than a day's limit is waited for where next month's free bytes make it fit.
    with pytest.raises(BudgetWaits) as caught:
        books.reserve("d", 5.5)
    assert caught.value.not_before == month_after(books.clock())
    with pytest.raises(BudgetRefused):
        books.reserve("e", 6.5)


def test_free_bytes_that_were_set_aside_stay_free(tmp_path: Path) -> None:
    books = make_books(tmp_path, free_tib_per_month="1")
    books.reserve("a", 1)
    books.set(free_tib_per_month="0")
    books.bill("a", 1)
    assert (books.day().spent, books.month().spent) == (0, 0)


# --- settling -----------------------------------------------------------------------------------


def test_settling_twice_or_while_it_runs_changes_nothing(books: Books) -> None:
    books.reserve("a", 2)
    assert not books.budget.settle(books.usage("a", 1, done=False))
    assert books.day().reserved == 2 * DOLLAR
    assert books.bill("a", 1)
    assert not books.bill("a", 1)
    assert books.day().spent == DOLLAR


def test_a_run_past_midnight_is_settled_on_the_day_it_was_reserved(books: Books) -> None:
    books.clock.now = datetime(2025, 3, 31, 23, 59, tzinfo=UTC)
    books.reserve("a", 2)
    books.clock.now = datetime(2025, 4, 1, 0, 5, tzinfo=UTC)
    books.bill("a", 1)
    assert (books.day("2025-03-31").spent, books.month("2025-03").spent) == (DOLLAR, DOLLAR)
    assert (books.day().committed, books.month().committed) == (0, 0)


def test_what_was_released_can_be_reserved_again_and_was_never_spent(books: Books) -> None:
    books.reserve("a", 5)
    assert books.budget.release("a")
    assert not books.budget.release("a")
    assert books.day().committed == books.month().committed == 0
    books.reserve("a", 1)
    books.bill("a", 1)
    assert not books.budget.release("a")
    assert books.day().spent == DOLLAR


def test_a_run_that_nobody_reserved_is_booked_all_the_same(books: Books) -> None:
    started = books.clock()
    books.clock.advance(timedelta(days=1))
    usage = Usage("scan", started, 5, 1, TIB, TIB)
    assert books.budget.settle(usage)
    assert not books.budget.settle(usage)
    assert books.day(day_name(started)).spent == DOLLAR


def test_crossing_the_warning_is_logged_and_on_the_trail_once_a_day(books: Books) -> None:
    def warned(usd: float, id_: str) -> list[str]:
        books.reserve(id_, usd)
        with capture_logs() as logged:
            books.bill(id_, usd)
        return [line["period"] for line in logged if line["event"] == "budget_warning"]

    assert warned(3.99, "a") == []
    assert warned(0.01, "b") == ["2025-03-20"]
    assert warned(0.5, "c") == []
    books.set(monthly_usd="6")
    books.clock.advance(timedelta(days=1))
    assert warned(0.3, "d") == ["2025-03"]
    assert warned(0.01, "e") == []
    books.clock.advance(timedelta(days=1))
    assert warned(0.01, "f") == ["2025-03"]
    told = [record.fields for record in books.documents.query(Query("audit")).documents]
    assert [(each["action"], each["resource_id"]) for each in told] == [
        ("budget.warning", "2025-03-20"),
        ("budget.warning", "2025-03"),
        ("budget.warning", "2025-03"),
    ]
    assert told[0]["new_value"] == {"spent_usd": "4.000000", "limit_usd": "5.000000"}


# --- sweeping -----------------------------------------------------------------------------------


def test_a_dead_workers_reservation_is_settled_by_asking(books: Books) -> None:
    for id_ in ("ran", "runs", "unseen"):
        books.reserve(id_, 1)
    seen = {"ran": books.usage("ran", 0.5), "runs": books.usage("runs", 0.2, done=False)}
    swept = books.budget.sweep(seen.get)
    assert swept == Swept()
    books.clock.advance(LEASE)
    swept = books.budget.sweep(seen.get)
    assert (swept.settled, swept.released, swept.running) == (1, 0, 2)
    assert (books.day().spent, books.day().reserved) == (DOLLAR // 2, 2 * DOLLAR)

    books.clock.advance(GRACE)
    assert books.budget.sweep(seen.get).released == 1
    assert books.day().reserved == DOLLAR
    seen["runs"] = books.usage("runs", 0.7)
    assert books.budget.sweep(seen.get).settled == 1
    assert (books.day().spent, books.day().reserved) == (1_200_000, 0)
    assert books.budget.sweep(seen.get) == Swept()


def test_a_reservation_that_a_worker_repeats_is_not_swept(books: Books) -> None:
    books.reserve("a", 1)
    for _ in range(5):
        books.clock.advance(LEASE - timedelta(seconds=1))
        books.reserve("a", 1)
        assert books.budget.sweep(lambda _: None) == Swept()


def test_open_charges_are_all_swept_however_many(books: Books) -> None:
    for number in range(230):
        books.reserve(f"c{number:03}", 0.01)
        books.clock.advance(timedelta(seconds=1))
    books.clock.advance(LEASE)
    assert books.budget.sweep(lambda id_: books.usage(id_, 0.001)).settled == 230
    assert books.day().reserved == 0
