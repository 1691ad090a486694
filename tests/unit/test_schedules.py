"""Schedules: each set time once, missed ones made up by a single run."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.clock import utc_now
from infra.local.deliveries import DeliveryStore
from infra.local.dispatch import Dispatcher
from infra.local.schedules import SCHEDULES, Schedule, Schedules
from shared.errors import Rejected
from tests.support.eventually import eventually
from tests.support.manual_clock import ManualClock
from tests.support.receiver import Receiver, receiver

NOON = datetime(2025, 3, 20, 12, 0, tzinfo=UTC)
HOURLY = Schedule("hourly", "15 * * * *", "refresh", {"stale": True})
SOON = timedelta(seconds=20)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> DeliveryStore:
    return DeliveryStore(tmp_path / "queue.sqlite", clock)


@pytest.fixture
def receiving() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def run(store: DeliveryStore, schedules: Schedules, receiving: Receiver) -> list[str]:
    """Deliver what is due; returns the schedule times of all calls so far."""
    dispatcher = Dispatcher(store, (schedules,), base_url=receiving.url, secret="s3cret")
    assert dispatcher.drain(SOON)
    dispatcher.stop()
    calls = receiving.calls("refresh")
    return [call.headers["x-cloudscheduler-scheduletime"] for call in calls]


def test_a_run_is_made_at_its_time_and_says_which_it_is(
    store: DeliveryStore, clock: ManualClock, receiving: Receiver
) -> None:
    schedules = Schedules(store, (HOURLY,))
    assert schedules.tick() == NOON + timedelta(minutes=15)
    assert run(store, schedules, receiving) == []
    clock.advance(timedelta(minutes=15))
    assert schedules.tick() == NOON + timedelta(minutes=75)
    assert run(store, schedules, receiving) == ["2025-03-20T12:15:00.000000Z"]
    (call,) = receiving.calls("refresh")
    assert call.json == {"stale": True}
    assert call.headers["x-cloudscheduler"] == "true"
    assert call.headers["x-cloudscheduler-jobname"] == "hourly"
    assert call.headers["content-type"] == "application/json"


def test_a_schedule_seen_for_the_first_time_makes_up_nothing(
    store: DeliveryStore, receiving: Receiver
) -> None:
    schedules = Schedules(store, (HOURLY,))
    schedules.tick()
    assert run(store, schedules, receiving) == []


def test_runs_missed_while_nobody_watched_are_made_up_once(
    store: DeliveryStore, clock: ManualClock, receiving: Receiver
) -> None:
    Schedules(store, (HOURLY,)).tick()
    clock.advance(timedelta(days=3))
    again = Schedules(store, (HOURLY,))
    again.tick()
    again.tick()
    assert run(store, again, receiving) == ["2025-03-23T11:15:00.000000Z"]


def test_a_laptop_that_slept_makes_up_once_too(
    store: DeliveryStore, clock: ManualClock, receiving: Receiver
) -> None:
    schedules = Schedules(store, (HOURLY,))
    schedules.tick()
    clock.advance(timedelta(days=3))
    schedules.tick()
    assert len(run(store, schedules, receiving)) == 1


def test_a_restart_repeats_no_run(
    store: DeliveryStore, clock: ManualClock, receiving: Receiver
) -> None:
    Schedules(store, (HOURLY,)).tick()
    clock.advance(timedelta(minutes=20))
    for _ in range(3):
        schedules = Schedules(store, (HOURLY,))
        schedules.tick()
    assert len(run(store, schedules, receiving)) == 1


def test_several_who_watch_make_one_run(
    store: DeliveryStore, clock: ManualClock, receiving: Receiver
) -> None:
    watching = [Schedules(store, (HOURLY,)) for _ in range(6)]
    for schedules in watching:
        schedules.tick()
    clock.advance(timedelta(minutes=20))
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(Schedules.tick, watching))
    assert len(run(store, watching[0], receiving)) == 1


def test_a_failed_run_is_repeated_with_the_same_time(
    store: DeliveryStore, clock: ManualClock, receiving: Receiver
) -> None:
    schedules = Schedules(store, (HOURLY,))
    schedules.tick()
    clock.advance(timedelta(minutes=15))
    schedules.tick()
    receiving.answer("refresh", 500)
    run(store, schedules, receiving)
    clock.advance(timedelta(seconds=5))
    times = run(store, schedules, receiving)
    assert times == ["2025-03-20T12:15:00.000000Z"] * 2


def test_the_background_watch_notices_that_time_has_passed(
    store: DeliveryStore, clock: ManualClock
) -> None:
    schedules = Schedules(store, (HOURLY,))
    schedules.tick()
    schedules.start()
    clock.advance(timedelta(minutes=15))
    eventually(lambda: store.count(HOURLY.key) == 1)
    schedules.stop()
    schedules.stop()


@pytest.mark.parametrize("cron", ["", "every day", "61 * * * *", "0 0 2 * * *", "0 0 30 2 *"])
def test_a_cron_expression_that_cannot_be_read_is_rejected(store: DeliveryStore, cron: str) -> None:
    with pytest.raises(Rejected, match="nightly"):
        Schedules(store, (Schedule("nightly", cron, "pipeline"),))


def test_the_declared_schedules_can_be_read(store: DeliveryStore) -> None:
    assert Schedules(store, SCHEDULES).tick() is not None
    assert Schedules(store, ()).tick() is None


@given(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_no_set_time_lies_between_the_latest_and_now(moment: datetime) -> None:
    latest = HOURLY.latest_until(moment)
    assert latest <= moment < HOURLY.next_after(latest)
    assert latest.minute == 15


def test_the_machine_clock_is_aware() -> None:
    assert utc_now().tzinfo is UTC
