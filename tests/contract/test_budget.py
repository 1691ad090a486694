"""The budget on the document stores that it is meant for: two racers, and every query it makes."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from infra.local.documents import SqliteDocuments
from shared.budget import GRACE, Budget
from shared.budget_books import Charge, Period, period
from shared.errors import BudgetWaits, RetryLater
from shared.limits import TIB
from shared.ports import Allowance, Documents, Query, Usage
from shared.settings import Settings
from tests.support.manual_clock import ManualClock

SETTINGS = Settings(price_per_tib_usd=Decimal(1))
DOLLAR = 1_000_000
PATIENCE = 40


T = TypeVar("T")


class Closeable(Documents, Protocol):
    def close(self) -> None: ...


Connect = Callable[[], Closeable]


@pytest.fixture(params=["sqlite", "firestore"])
def connect(request: pytest.FixtureRequest, tmp_path: Path) -> Connect:
    """Opens another connection to the same store."""
    if request.param == "sqlite":
        return lambda: SqliteDocuments(tmp_path / "documents.sqlite")
    from infra.gcp.documents import FirestoreDocuments

    host = request.getfixturevalue("firestore_emulator")
    project = f"test-{uuid.uuid4().hex[:12]}"
    return lambda: FirestoreDocuments(project, emulator_host=host)


@pytest.fixture
def documents(connect: Connect) -> Iterator[Documents]:
    with closing(connect()) as opened:
        yield opened


def day(documents: Documents) -> Period:
    return period(documents.get("budget_days/2025-03-20")[0], "2025-03-20")


def billed(id_: str, usd: float, *, done: bool = True) -> Usage:
    size = int(usd * TIB)
    return Usage("scan", ManualClock()(), 5, 1, size, size, id=id_, done=done)


def test_two_racers_together_reserve_no_more_than_fits(
    connect: Connect, documents: Documents
) -> None:
    allowed: list[Allowance] = []
    waiting: list[object] = []
    start = threading.Barrier(2)

    def race(name: str) -> None:
        with closing(connect()) as own:
            budget = Budget(own, SETTINGS, ManualClock())
            start.wait()
            for number in range(4):
                charge = Charge(f"{name}{number}", TIB, "scan", None, ("octo/engine",))
                try:
                    allowed.append(_persistently(lambda c=charge: budget.reserve(c)))  # type: ignore[misc]
                except BudgetWaits as error:
                    waiting.append(error.not_before)
                else:
                    usage = billed(charge.id, 1)
                    _persistently(lambda u=usage: budget.settle(u))  # type: ignore[misc]

    racers = [threading.Thread(target=race, args=(name,)) for name in "ab"]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(300)
    assert (len(allowed), len(waiting)) == (5, 3)
    assert (day(documents).spent, day(documents).reserved) == (5 * DOLLAR, 0)
    charges = documents.query(Query("charges")).documents
    assert {charge.id for charge in charges} == {each.id for each in allowed}


def _persistently(call: Callable[[], T]) -> T:
    """Lost races are tried again, as the queue would."""
    for _ in range(PATIENCE):
        try:
            return call()
        except BudgetWaits:
            raise
        except RetryLater:
            continue
    raise AssertionError("the race was lost too often")


def test_reservations_live_through_settling_release_and_sweep(documents: Documents) -> None:
    clock = ManualClock()
    budget = Budget(documents, SETTINGS, clock)
    for id_ in ("settled", "released", "ran", "runs", "unseen"):
        budget.reserve(Charge(id_, TIB, "scan", "job", ("octo/engine", "octo/wheels")))
        clock.advance(timedelta(seconds=1))
    with pytest.raises(BudgetWaits):
        budget.reserve(Charge("more", TIB, "scan"))
    assert budget.settle(billed("settled", 0.5))
    assert not budget.settle(billed("settled", 0.5))
    assert budget.release("released")
    seen = {"ran": billed("ran", 0.25), "runs": billed("runs", 0, done=False)}
    clock.advance(GRACE)
    swept = budget.sweep(seen.get)
    assert (swept.settled, swept.released, swept.running, swept.unknown) == (1, 1, 1, 0)
    found = day(documents)
    assert (found.spent, found.reserved) == (DOLLAR * 3 // 4, DOLLAR)
    status = budget.status()
    assert (status.day.spent, status.month.reserved) == (found.spent, DOLLAR)
    query = Query("charges", order_by="reserved_at", descending=True)
    assert [charge.id for charge in documents.query(query).documents] == ["runs", "ran", "settled"]
