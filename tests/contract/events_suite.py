"""What every implementation of Events does. An implementation is named in ``test_events.py``.

The suite gets a ``bench`` fixture with the subscriptions of ``SUBSCRIPTIONS``, a recording
receiver, and a hold on time. No order of messages is promised, so none is asserted.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Protocol

import pytest

from infra.local.events import Subscription
from shared.errors import Rejected
from shared.models import parse_time
from shared.ports import Events
from tests.support.eventually import eventually
from tests.support.receiver import Receiver

SUBSCRIPTIONS = (
    Subscription("changed", "boards-sub", "boards", "dead-letters"),
    Subscription("changed", "exports-sub", "exports", "dead-letters"),
    Subscription("endless", "endless-sub", "endless"),
    Subscription("dead-letters", "dead-sub", "buried"),
)
_LONGEST_BACKOFF = timedelta(minutes=10)


class EventsBench(Protocol):
    """An implementation under test and the means to observe it."""

    @property
    def events(self) -> Events: ...

    @property
    def receiver(self) -> Receiver: ...

    def advance(self, by: timedelta) -> None:
        """Let that much time pass for the implementation."""
        ...

    def deliver(self) -> None:
        """Return when everything due now was delivered and answered."""
        ...

    def delivering(self) -> AbstractContextManager[None]:
        """Deliver in the background within the block."""
        ...

    def restart(self) -> None:
        """Throw away every object and open the same state again."""
        ...


def data(bench: EventsBench, function: str) -> list[Any]:
    return [call.message["data"] for call in bench.receiver.calls(function)]


def fail(bench: EventsBench, function: str, times: int) -> None:
    """Let a function fail that often, with time enough passing in between."""
    bench.receiver.answer(function, *[500] * times)
    for _ in range(times):
        bench.deliver()
        bench.advance(_LONGEST_BACKOFF)


class EventsSuite:
    def test_every_subscription_of_a_topic_gets_a_message(self, bench: EventsBench) -> None:
        bench.events.publish("changed", {"repository": 7, "name": "ä/😀"}, {"job": "j-1"})
        bench.deliver()
        assert data(bench, "boards") == [{"repository": 7, "name": "ä/😀"}]
        assert data(bench, "exports") == [{"repository": 7, "name": "ä/😀"}]
        assert data(bench, "endless") == []

    def test_a_push_has_the_shape_that_pubsub_gives_it(self, bench: EventsBench) -> None:
        bench.events.publish("changed", {"n": 1}, {"job": "j-1"})
        bench.deliver()
        (call,) = bench.receiver.calls("boards")
        assert call.json["subscription"].endswith("/subscriptions/boards-sub")
        message = call.message
        assert message["attributes"] == {"job": "j-1"}
        assert message["messageId"]
        assert parse_time(message["publishTime"])

    def test_subscriptions_see_one_message_and_messages_have_ids_of_their_own(
        self, bench: EventsBench
    ) -> None:
        for number in range(3):
            bench.events.publish("changed", {"n": number}, {})
        bench.deliver()
        ids = {
            function: {call.message["messageId"] for call in bench.receiver.calls(function)}
            for function in ("boards", "exports")
        }
        assert ids["boards"] == ids["exports"]
        assert len(ids["boards"]) == 3

    def test_all_of_many_messages_arrive_in_whatever_order(self, bench: EventsBench) -> None:
        for number in range(30):
            bench.events.publish("changed", {"n": number}, {})
        bench.deliver()
        assert {item["n"] for item in data(bench, "boards")} == set(range(30))

    def test_the_same_content_published_twice_is_two_messages(self, bench: EventsBench) -> None:
        bench.events.publish("changed", {"n": 1}, {})
        bench.events.publish("changed", {"n": 1}, {})
        bench.deliver()
        assert data(bench, "boards") == [{"n": 1}, {"n": 1}]

    def test_only_the_subscription_that_failed_gets_the_message_again(
        self, bench: EventsBench
    ) -> None:
        bench.receiver.answer("boards", 503)
        bench.events.publish("changed", {"n": 1}, {})
        bench.deliver()
        assert len(data(bench, "boards")) == 1
        bench.advance(_LONGEST_BACKOFF)
        bench.deliver()
        assert len(data(bench, "boards")) == 2
        assert len(data(bench, "exports")) == 1

    def test_a_failed_message_is_not_hammered(self, bench: EventsBench) -> None:
        bench.receiver.answer("boards", 500, 500, 500)
        bench.events.publish("changed", {"n": 1}, {})
        for seconds, deliveries in [(0, 1), (9, 1), (1, 2), (19, 2), (1, 3), (39, 3), (1, 4)]:
            bench.advance(timedelta(seconds=seconds))
            bench.deliver()
            assert len(data(bench, "boards")) == deliveries

    def test_a_stuck_subscription_does_not_hold_up_another(self, bench: EventsBench) -> None:
        for number in range(10):
            bench.events.publish("changed", {"n": number}, {})
        with bench.delivering(), bench.receiver.holding():
            eventually(lambda: bench.receiver.busy["boards"])
            eventually(lambda: bench.receiver.busy["exports"])
        bench.deliver()
        assert len(data(bench, "boards")) == len(data(bench, "exports")) == 10

    def test_a_message_that_failed_five_times_goes_to_the_dead_letter_topic(
        self, bench: EventsBench
    ) -> None:
        bench.events.publish("changed", {"n": 1}, {"job": "j-1"})
        fail(bench, "boards", 5)
        bench.deliver()
        (buried,) = bench.receiver.calls("buried")
        first = bench.receiver.calls("boards")[0].message
        assert buried.message["data"] == {"n": 1}
        attributes = buried.message["attributes"]
        published = attributes.pop("CloudPubSubDeadLetterSourceTopicPublishTime")
        assert abs(parse_time(published) - parse_time(first["publishTime"])) < timedelta(
            milliseconds=1
        )
        assert attributes.pop("CloudPubSubDeadLetterSourceSubscriptionProject")
        assert attributes == {
            "job": "j-1",
            "CloudPubSubDeadLetterSourceDeliveryCount": "5",
            "CloudPubSubDeadLetterSourceSubscription": "boards-sub",
        }
        assert buried.message["messageId"] != first["messageId"]

    def test_a_dead_letter_ends_the_message(self, bench: EventsBench) -> None:
        bench.events.publish("changed", {"n": 1}, {})
        fail(bench, "boards", 5)
        bench.advance(timedelta(hours=1))
        bench.deliver()
        assert len(data(bench, "boards")) == 5
        assert len(data(bench, "buried")) == 1
        assert len(data(bench, "exports")) == 1

    def test_the_fifth_attempt_can_still_succeed(self, bench: EventsBench) -> None:
        bench.events.publish("changed", {"n": 1}, {})
        fail(bench, "boards", 4)
        bench.deliver()
        assert len(data(bench, "boards")) == 5
        assert data(bench, "buried") == []

    def test_without_a_dead_letter_topic_a_message_is_tried_on(self, bench: EventsBench) -> None:
        bench.events.publish("endless", {"n": 1}, {})
        fail(bench, "endless", 12)
        bench.deliver()
        assert len(data(bench, "endless")) == 13

    def test_a_message_is_delivered_when_a_dead_receiver_is_back(self, bench: EventsBench) -> None:
        bench.receiver.die()
        bench.events.publish("changed", {"n": 1}, {})
        bench.deliver()
        bench.receiver.start()
        bench.advance(_LONGEST_BACKOFF)
        bench.deliver()
        assert data(bench, "boards") == data(bench, "exports") == [{"n": 1}]

    def test_messages_and_their_attempts_survive_a_restart(self, bench: EventsBench) -> None:
        bench.events.publish("changed", {"n": 1}, {})
        fail(bench, "boards", 3)
        bench.restart()
        fail(bench, "boards", 2)
        bench.deliver()
        assert len(data(bench, "boards")) == 5
        assert data(bench, "buried") == [{"n": 1}]

    def test_a_message_nobody_could_get_is_rejected(self, bench: EventsBench) -> None:
        with pytest.raises(Rejected):
            bench.events.publish("no-such-topic", {}, {})
        with pytest.raises(Rejected):
            bench.events.publish("changed", {"text": "x" * 10_500_000}, {})
        with pytest.raises(Rejected):
            bench.events.publish("changed", {"number": float("inf")}, {})
