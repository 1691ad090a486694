"""The dispatcher beyond what the ports promise: leases, kills, several at once, limits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.clock import Clock, utc_now
from infra.local.deliveries import DeliveryStore
from infra.local.dispatch import Dispatcher
from infra.local.lanes import INTERNAL_HEADER, Pacing, Retry
from infra.local.tasks import QUEUES, SqliteTasks, TaskQueue
from shared.errors import IntegrityError, RetryLater
from shared.ports import Task
from tests.support import doomed_dispatcher
from tests.support.eventually import eventually
from tests.support.manual_clock import ManualClock
from tests.support.receiver import Receiver, receiver

SOON = timedelta(seconds=20)
ROOT = Path(__file__).parents[2]
Connect = Callable[..., tuple[DeliveryStore, SqliteTasks, Dispatcher]]


@pytest.fixture
def receiving() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "queue.sqlite"


@pytest.fixture
def connect(path: Path, receiving: Receiver) -> Iterator[Connect]:
    opened: list[Dispatcher] = []

    def make(
        clock: Clock = utc_now, queues: tuple[TaskQueue, ...] = QUEUES
    ) -> tuple[DeliveryStore, SqliteTasks, Dispatcher]:
        store = DeliveryStore(path, clock)
        tasks = SqliteTasks(store, queues)
        opened.append(Dispatcher(store, (tasks,), base_url=receiving.url, secret="s3cret"))
        return store, tasks, opened[-1]

    yield make
    for dispatcher in opened:
        dispatcher.stop()


def later(by: timedelta) -> Clock:
    return lambda: utc_now() + by


def work(name: str) -> Task:
    return Task(name, "work", {"name": name}, "high")


def test_a_dispatcher_killed_between_lease_and_delivery_loses_nothing(
    path: Path, connect: Connect, receiving: Receiver
) -> None:
    _, tasks, _ = connect()
    tasks.add(work("one"))
    with subprocess.Popen(
        [sys.executable, "-m", doomed_dispatcher.__name__, str(path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as doomed:
        assert doomed.stdout is not None
        assert doomed.stdout.readline() == b"leased /work\n"
        os.kill(doomed.pid, signal.SIGKILL)

    _, tasks, again = connect(later(timedelta(minutes=1)))
    assert not tasks.add(work("one"))
    assert again.drain(SOON)
    (call,) = receiving.calls("work")
    # Nobody knows of a failure, so the attempt is not held against the task.
    assert call.headers["x-cloudtasks-taskretrycount"] == "0"


def test_a_lease_holds_others_off_until_it_runs_out(connect: Connect) -> None:
    clock = ManualClock()
    store, tasks, _ = connect(clock)
    tasks.add(work("one"))
    assert len(store.lease(tasks.lanes, timedelta(seconds=15))) == 1
    clock.advance(timedelta(seconds=14))
    assert store.lease(tasks.lanes, timedelta(seconds=15)) == []
    clock.advance(timedelta(seconds=1))
    assert len(store.lease(tasks.lanes, timedelta(seconds=15))) == 1


def test_a_long_call_keeps_its_lease(connect: Connect, receiving: Receiver) -> None:
    clock = ManualClock()
    _, tasks, first = connect(clock)
    _, _, second = connect(clock)
    tasks.add(work("one"))
    first.start()
    with receiving.holding():
        eventually(lambda: receiving.busy["work"] == 1)
        second.start()
        for _ in range(40):
            clock.advance(timedelta(seconds=6))
            first.drain(timedelta(0))
        assert not second.drain(timedelta(seconds=0.3))
    assert first.drain(SOON)
    assert len(receiving.calls("work")) == 1


def test_the_outcome_of_a_lost_lease_counts_only_if_it_is_success(connect: Connect) -> None:
    clock = ManualClock()
    store, tasks, _ = connect(clock)
    tasks.add(work("one"))
    (lost,) = store.lease(tasks.lanes, timedelta(seconds=15))
    clock.advance(timedelta(seconds=16))
    (held,) = store.lease(tasks.lanes, timedelta(seconds=15))
    assert not store.postpone(lost, 500, timedelta(0))
    assert not store.bury(lost, timedelta(0), ())
    store.acknowledge(lost, timedelta(hours=1))
    assert not store.postpone(held, 500, timedelta(0))
    assert tasks.depths()["high"] == 0


def test_stopping_hands_back_what_is_under_way(connect: Connect, receiving: Receiver) -> None:
    _, tasks, first = connect()
    tasks.add(work("one"))
    with receiving.holding():
        first.start()
        eventually(lambda: receiving.busy["work"] == 1)
        first.stop(grace=timedelta(0))
        _, _, second = connect()
        second.start()
        eventually(lambda: receiving.busy["work"] == 2)
    assert second.drain(SOON)
    assert tasks.depths()["high"] == 0


def test_several_dispatchers_deliver_each_task_once(connect: Connect, receiving: Receiver) -> None:
    _, tasks, first = connect()
    _, _, second = connect()
    for number in range(30):
        tasks.add(work(f"task-{number}"))
    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(lambda dispatcher: dispatcher.drain(SOON), (first, second)))
    delivered = [call.json["name"] for call in receiving.calls("work")]
    assert sorted(delivered) == sorted(f"task-{number}" for number in range(30))
    assert receiving.most_busy["work"] <= 2


def test_of_many_who_add_one_name_at_once_one_succeeds(path: Path) -> None:
    barrier = threading.Barrier(8)

    def add(_: int) -> bool:
        tasks = SqliteTasks(DeliveryStore(path, utc_now))
        barrier.wait()
        return tasks.add(work("one"))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(add, range(8))) == 1


def test_a_call_that_takes_too_long_counts_as_failed(connect: Connect, receiving: Receiver) -> None:
    hasty = TaskQueue(
        "high",
        Pacing(1),
        Retry(timedelta(hours=1), timedelta(hours=1)),
        deadline=timedelta(seconds=0.2),
    )
    _, tasks, dispatcher = connect(queues=(hasty,))
    tasks.add(work("one"))
    with receiving.holding():
        assert dispatcher.drain(SOON)
    assert tasks.depths()["high"] == 1


def test_draining_waits_for_what_becomes_due_within_the_horizon(
    connect: Connect, receiving: Receiver
) -> None:
    _, tasks, dispatcher = connect()
    soon = utc_now() + timedelta(seconds=0.3)
    tasks.add(Task("soon", "work", {}, not_before=soon))
    tasks.add(Task("late", "work", {}, not_before=soon + timedelta(hours=1)))
    assert dispatcher.drain(SOON, horizon=timedelta(minutes=1))
    assert len(receiving.calls("work")) == 1


def test_draining_says_when_the_time_was_too_short(connect: Connect, receiving: Receiver) -> None:
    _, tasks, dispatcher = connect()
    tasks.add(work("one"))
    with receiving.holding():
        assert not dispatcher.drain(timedelta(seconds=0.05))
    assert dispatcher.drain(SOON)


def test_every_call_carries_the_secret(connect: Connect, receiving: Receiver) -> None:
    _, tasks, dispatcher = connect()
    tasks.add(work("one"))
    dispatcher.drain(SOON)
    (call,) = receiving.calls("work")
    assert call.headers[INTERNAL_HEADER.lower()] == "s3cret"


def test_what_another_process_adds_is_seen_soon(connect: Connect, receiving: Receiver) -> None:
    _, _, dispatcher = connect()
    _, elsewhere, _ = connect()
    dispatcher.start()
    elsewhere.add(work("one"))
    eventually(lambda: receiving.calls("work"), within=2)


def test_what_cannot_be_delivered_for_a_month_is_forgotten(
    connect: Connect, receiving: Receiver
) -> None:
    clock = ManualClock()
    store, tasks, _ = connect(clock)
    tasks.add(work("one"))
    clock.advance(timedelta(days=32))
    store.purge()
    assert tasks.depths()["high"] == 0


def test_a_file_of_another_version_is_left_alone(path: Path) -> None:
    with DeliveryStore(path, utc_now).transaction() as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(IntegrityError, match="another version"):
        DeliveryStore(path, utc_now)


def test_a_file_that_cannot_be_opened_is_worth_another_try(tmp_path: Path) -> None:
    store = DeliveryStore(tmp_path / "queue.sqlite", utc_now)
    store.path = tmp_path
    with pytest.raises(RetryLater):
        SqliteTasks(store).add(work("one"))


@pytest.mark.parametrize(
    ("retry", "waits"),
    [
        (QUEUES[0].retry, [60, 120, 240, 240]),
        # The example of the platform's own documentation.
        (Retry(timedelta(seconds=10), timedelta(seconds=300), 3), [10, 20, 40, 80, 160, 240, 300]),
    ],
)
def test_waits_double_then_grow_evenly_up_to_the_longest(retry: Retry, waits: list[int]) -> None:
    found = [retry.wait(failures).total_seconds() for failures in range(1, len(waits) + 1)]
    assert found == waits


@given(st.integers(1, 100), st.integers(0, 20), st.floats(0.01, 100), st.floats(0.01, 10_000))
def test_waits_never_shrink_and_never_exceed_the_longest(
    failures: int, doublings: int, shortest: float, longest: float
) -> None:
    retry = Retry(timedelta(seconds=shortest), timedelta(seconds=longest), doublings)
    assert retry.wait(failures) <= retry.wait(failures + 1) <= timedelta(seconds=longest)


def test_the_eta_is_in_seconds_since_1970(connect: Connect, receiving: Receiver) -> None:
    clock = ManualClock(datetime(2025, 1, 1, tzinfo=UTC))
    _, tasks, dispatcher = connect(clock)
    tasks.add(work("one"))
    dispatcher.drain(SOON)
    (call,) = receiving.calls("work")
    assert call.headers["x-cloudtasks-tasketa"] == "1735689600.000000"
