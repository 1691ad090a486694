"""What the embedded Events do beyond the port: exact times, single deliveries, an end of tries.

The suite gets an ``exact`` fixture: a bench with a hold on time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from tests.contract.events_suite import EventsBench, data, tries

_LONGEST_BACKOFF = timedelta(minutes=10)


class ExactEventsBench(EventsBench, Protocol):
    def advance(self, by: timedelta) -> None:
        """Let that much time pass for the implementation."""
        ...

    def deliver(self) -> None:
        """Return when everything due now was delivered and answered."""
        ...


def fail(bench: ExactEventsBench, function: str, times: int) -> None:
    """Let a function fail that often, with time enough passing in between."""
    bench.receiver.answer(function, *[500] * times)
    for _ in range(times):
        bench.deliver()
        bench.advance(_LONGEST_BACKOFF)


class ExactEventsSuite:
    def test_only_the_subscription_that_failed_gets_the_message_again(
        self, exact: ExactEventsBench
    ) -> None:
        exact.events.publish("changed", {"n": 1}, {})
        fail(exact, "boards", 1)
        exact.deliver()
        assert tries(exact, "boards") == 2
        assert tries(exact, "exports") == 1

    def test_a_failed_message_is_not_hammered(self, exact: ExactEventsBench) -> None:
        exact.receiver.answer("boards", 500, 500, 500)
        exact.events.publish("changed", {"n": 1}, {})
        for seconds, deliveries in [(0, 1), (9, 1), (1, 2), (19, 2), (1, 3), (39, 3), (1, 4)]:
            exact.advance(timedelta(seconds=seconds))
            exact.deliver()
            assert tries(exact, "boards") == deliveries

    def test_a_dead_letter_ends_the_message(self, exact: ExactEventsBench) -> None:
        exact.events.publish("changed", {"n": 1}, {})
        fail(exact, "boards", 5)
        exact.advance(timedelta(hours=1))
        exact.deliver()
        assert tries(exact, "boards") == 5
        assert tries(exact, "buried") == 1
        assert tries(exact, "exports") == 1

    def test_the_fifth_attempt_can_still_succeed(self, exact: ExactEventsBench) -> None:
        exact.events.publish("changed", {"n": 1}, {})
        fail(exact, "boards", 4)
        exact.deliver()
        assert tries(exact, "boards") == 5
        assert data(exact, "buried") == []

    def test_a_message_is_delivered_when_a_dead_receiver_is_back(
        self, exact: ExactEventsBench
    ) -> None:
        exact.receiver.die()
        exact.events.publish("changed", {"n": 1}, {})
        exact.deliver()
        exact.receiver.start()
        exact.advance(_LONGEST_BACKOFF)
        exact.deliver()
        assert data(exact, "boards") == data(exact, "exports") == [{"n": 1}]

    def test_attempts_survive_a_restart(self, exact: ExactEventsBench) -> None:
        exact.events.publish("changed", {"n": 1}, {})
        fail(exact, "boards", 3)
        exact.restart()
        fail(exact, "boards", 2)
        exact.deliver()
        assert tries(exact, "boards") == 5
        assert data(exact, "buried") == [{"n": 1}]
