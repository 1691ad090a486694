"""A value that is kept: read anew by one at a time, and dropped when somebody changes it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest

from shared.kept_value import KeptValue
from tests.support.eventually import eventually
from tests.support.manual_clock import ManualClock

RENEWED, MOST = timedelta(seconds=5), timedelta(seconds=20)


class Held:
    """A source whose readings wait for a word where they are held, and are counted."""

    def __init__(self) -> None:
        self.value = 1
        self.begun = 0
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self) -> int:
        self.begun += 1
        value = self.value
        assert self.go_on.wait(20)
        return value


class Bench:
    """A value that is kept, its source and the time."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.source = Held()
        self.kept = KeptValue[int](RENEWED, MOST)

    def get(self) -> int:
        return self.kept.get(self.clock, self.source)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def begun(pool: ThreadPoolExecutor, bench: Bench, get: Callable[[], int]) -> Future[int]:
    """A reading that is under way, and waits."""
    before = bench.source.begun
    bench.source.go_on.clear()
    reading = pool.submit(get)
    eventually(lambda: bench.source.begun > before)
    return reading


def test_it_is_read_anew_when_it_is_too_old(bench: Bench) -> None:
    assert not bench.kept.held
    assert [bench.get(), bench.get()] == [1, 1]
    bench.source.value = 2
    bench.clock.advance(RENEWED - timedelta(seconds=1))
    assert bench.get() == 1
    bench.clock.advance(timedelta(seconds=1))
    assert bench.get() == 2
    assert bench.source.begun == 2
    assert bench.kept.held


def test_while_one_reads_the_others_get_the_last_one(bench: Bench) -> None:
    bench.get()
    bench.clock.advance(RENEWED)
    bench.source.value = 2
    with ThreadPoolExecutor(1) as pool:
        reading = begun(pool, bench, bench.get)
        assert bench.get() == 1
        bench.source.go_on.set()
        assert reading.result() == 2
    assert bench.get() == 2
    assert bench.source.begun == 2


def test_who_finds_none_that_is_young_enough_waits_for_the_reading_under_way(bench: Bench) -> None:
    bench.get()
    bench.clock.advance(MOST)
    bench.source.value = 2
    with ThreadPoolExecutor(2) as pool:
        reading = begun(pool, bench, bench.get)
        waiting = pool.submit(bench.get)
        bench.source.go_on.set()
        assert [reading.result(), waiting.result()] == [2, 2]
    assert bench.source.begun == 2


def test_what_was_being_read_when_it_changed_is_not_kept(bench: Bench) -> None:
    with ThreadPoolExecutor(1) as pool:
        reading = begun(pool, bench, bench.get)
        bench.source.value = 2
        bench.kept.forget()
        bench.source.go_on.set()
        assert reading.result() == 1
    assert bench.get() == 2


def test_a_reading_that_fails_is_no_value_and_holds_nobody_up(bench: Bench) -> None:
    def fail() -> int:
        raise ValueError("no")

    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            bench.kept.get(bench.clock, fail)
    assert bench.get() == 1
