"""A service that fails again and again is left alone, then probed once."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.local.documents import SqliteDocuments
from shared.breaker import FAILURES, PAUSE, PROBE, Breaker
from shared.errors import LeaderboardError, Rejected, RetryLater
from tests.support.fast_folder import fast_folder
from tests.support.manual_clock import ManualClock

SOON = timedelta(seconds=6)
"""Beyond what an instance remembers."""


class World:
    """A service whose calls do what a test says, and breakers of several instances."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock()
        self.documents = SqliteDocuments(folder / "documents.sqlite")
        self.breaker = self.another()
        self.calls = 0

    def another(self) -> Breaker:
        return Breaker(self.documents, now=self.clock)

    def call(self, error: Exception | None = None, breaker: Breaker | None = None) -> str:
        def made() -> str:
            self.calls += 1
            if error is not None:
                raise error
            return "answered"

        return (breaker or self.breaker).guard("mail", made)

    def fail(self, times: int = 1, breaker: Breaker | None = None) -> None:
        for _ in range(times):
            with pytest.raises(RetryLater, match="busy"):
                self.call(RetryLater("busy"), breaker)

    def is_left_alone(self, breaker: Breaker | None = None) -> bool:
        before = self.calls
        try:
            self.call(breaker=breaker)
        except RetryLater:
            return self.calls == before
        return False


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_works_is_called_and_costs_one_read(world: World) -> None:
    assert [world.call() for _ in range(3)] == ["answered"] * 3
    assert world.documents.get("breakers/mail") == (None,)


def test_after_five_failures_in_a_row_nobody_calls_for_five_minutes(world: World) -> None:
    world.fail(FAILURES)
    with pytest.raises(RetryLater, match="left alone") as caught:
        world.call()
    assert caught.value.not_before == world.clock() + PAUSE
    assert world.calls == FAILURES
    world.clock.advance(PAUSE - SOON)
    assert world.is_left_alone()
    world.clock.advance(SOON)
    assert world.call() == "answered"


def test_a_success_between_begins_the_count_anew(world: World) -> None:
    for _ in range(3):
        world.fail(FAILURES - 1)
        assert world.call() == "answered"


@pytest.mark.parametrize("error", [RetryLater("busy"), OSError("gone")])
def test_what_may_pass_and_what_is_unexpected_count_as_failures(
    world: World, error: Exception
) -> None:
    for _ in range(FAILURES):
        with pytest.raises(type(error)):
            world.call(error)
    assert world.is_left_alone()


def test_a_refusal_is_an_answer(world: World) -> None:
    for _ in range(FAILURES * 2):
        with pytest.raises(Rejected):
            world.call(Rejected("no"))
    assert world.call() == "answered"


def test_a_probe_that_fails_opens_it_again_and_one_that_works_closes_it(world: World) -> None:
    world.fail(FAILURES)
    world.clock.advance(PAUSE)
    world.fail()
    assert world.is_left_alone()
    world.clock.advance(PAUSE)
    assert world.call() == "answered"
    world.fail(FAILURES - 1)
    assert world.call() == "answered"


def test_while_one_probes_the_others_wait(world: World) -> None:
    world.fail(FAILURES)
    world.clock.advance(PAUSE)
    other = world.another()

    def probing() -> str:
        assert world.is_left_alone(other)
        return "answered"

    assert world.breaker.guard("mail", probing) == "answered"
    world.clock.advance(SOON)
    assert world.call(breaker=other) == "answered"


def test_a_probe_whose_worker_died_is_made_by_another(world: World) -> None:
    class Killed(BaseException):
        pass

    def dies() -> None:
        raise Killed

    world.fail(FAILURES)
    world.clock.advance(PAUSE)
    with pytest.raises(Killed):
        world.breaker.guard("mail", dies)
    assert world.is_left_alone()
    world.clock.advance(PROBE)
    assert world.call() == "answered"


def test_instances_count_together_and_learn_of_each_other_within_seconds(world: World) -> None:
    other = world.another()
    assert world.call(breaker=other) == "answered"
    world.fail(3)
    world.fail(2, other)
    world.clock.advance(SOON)
    assert world.is_left_alone()
    assert world.is_left_alone(other)


def test_services_are_counted_apart(world: World) -> None:
    world.fail(FAILURES)
    assert world.breaker.guard("another", lambda: 1) == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["works", "fails", "waits"]), max_size=40))
def test_it_is_open_exactly_when_the_last_five_calls_failed_less_than_five_minutes_ago(
    steps: list[str],
) -> None:
    with fast_folder() as folder:
        world = World(folder)
        failures, opened = 0, None
        for step in steps:
            if step == "waits":
                world.clock.advance(timedelta(minutes=2))
                continue
            open_now = opened is not None and world.clock() < opened + PAUSE
            before = world.calls
            with contextlib.suppress(LeaderboardError):
                world.call(RetryLater("busy") if step == "fails" else None)
            assert (world.calls == before) == open_now
            if open_now:
                continue
            failures = failures + 1 if step == "fails" else 0
            opened = world.clock() if failures >= FAILURES else None
