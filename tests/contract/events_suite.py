"""What every implementation of Events does. An implementation is named in ``test_events.py``.

The suite gets a ``bench`` fixture with the subscriptions of ``SUBSCRIPTIONS`` and a recording
receiver. Neither order nor a single delivery is promised, so neither is asserted. What a platform
does in its own time (how long it waits, that it stops) is asked of the embedded twin alone, by
``exact_events_suite``.
"""

from __future__ import annotations

from collections.abc import Callable
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


class EventsBench(Protocol):
    """An implementation under test and the means to observe it."""

    @property
    def events(self) -> Events: ...

    @property
    def receiver(self) -> Receiver: ...

    def until(self, condition: Callable[[], object]) -> None:
        """Deliver and let time pass until the condition holds; fail if it never does."""
        ...

    def delivering(self) -> AbstractContextManager[None]:
        """Deliver in the background within the block."""
        ...

    def restart(self) -> None:
        """Throw away every object and open the same state again."""
        ...


def messages(bench: EventsBench, function: str) -> list[Any]:
    """What a function got, each message once."""
    calls = bench.receiver.calls(function)
    return list({call.message["messageId"]: call.message for call in calls}.values())


def data(bench: EventsBench, function: str) -> list[Any]:
    return [message["data"] for message in messages(bench, function)]


def tries(bench: EventsBench, function: str) -> int:
    return len(bench.receiver.calls(function))


class EventsSuite:
    def test_every_subscription_of_a_topic_gets_a_message(self, bench: EventsBench) -> None:
        bench.events.publish("changed", {"repository": 7, "name": "ä/😀"}, {"job": "j-1"})
        bench.until(lambda: data(bench, "boards") and data(bench, "exports"))
        assert data(bench, "boards") == [{"repository": 7, "name": "ä/😀"}]
        assert data(bench, "exports") == [{"repository": 7, "name": "ä/😀"}]
        assert data(bench, "endless") == []

    def test_a_push_has_the_shape_that_pubsub_gives_it(self, bench: EventsBench) -> None:
        bench.events.publish("changed", {"n": 1}, {"job": "j-1"})
        bench.until(lambda: data(bench, "boards"))
        call = bench.receiver.calls("boards")[0]
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
        functions = ("boards", "exports")
        bench.until(lambda: all(len(data(bench, function)) == 3 for function in functions))
        boards, exports = (
            {message["messageId"]: message["data"] for message in messages(bench, function)}
            for function in functions
        )
        assert boards == exports
        assert {item["n"] for item in boards.values()} == {0, 1, 2}

    def test_all_of_many_messages_arrive_in_whatever_order(self, bench: EventsBench) -> None:
        for number in range(30):
            bench.events.publish("changed", {"n": number}, {})
        bench.until(lambda: {item["n"] for item in data(bench, "boards")} == set(range(30)))

    def test_the_same_content_published_twice_is_two_messages(self, bench: EventsBench) -> None:
        bench.events.publish("changed", {"n": 1}, {})
        bench.events.publish("changed", {"n": 1}, {})
        bench.until(lambda: data(bench, "boards") == [{"n": 1}, {"n": 1}])

    def test_a_message_that_failed_or_was_cut_off_comes_again(self, bench: EventsBench) -> None:
        bench.receiver.answer("boards", 503, 0)
        bench.events.publish("changed", {"n": 1}, {})
        bench.until(lambda: tries(bench, "boards") >= 3)
        assert data(bench, "boards") == [{"n": 1}]

    def test_a_stuck_subscription_does_not_hold_up_another(self, bench: EventsBench) -> None:
        for number in range(10):
            bench.events.publish("changed", {"n": number}, {})
        with bench.delivering(), bench.receiver.holding():
            eventually(lambda: bench.receiver.busy["boards"])
            eventually(lambda: bench.receiver.busy["exports"])
        bench.until(lambda: len(data(bench, "boards")) == len(data(bench, "exports")) == 10)

    def test_a_message_that_failed_five_times_goes_to_the_dead_letter_topic(
        self, bench: EventsBench
    ) -> None:
        bench.receiver.answer("boards", *[500] * 5)
        bench.events.publish("changed", {"n": 1}, {"job": "j-1"})
        bench.until(lambda: data(bench, "buried"))
        (buried,), (first,) = messages(bench, "buried"), messages(bench, "boards")
        assert tries(bench, "boards") >= 5
        assert buried["data"] == {"n": 1}
        attributes = buried["attributes"]
        published = attributes.pop("CloudPubSubDeadLetterSourceTopicPublishTime")
        assert abs(parse_time(published) - parse_time(first["publishTime"])) < timedelta(
            milliseconds=1
        )
        assert attributes.pop("CloudPubSubDeadLetterSourceSubscriptionProject")
        assert int(attributes.pop("CloudPubSubDeadLetterSourceDeliveryCount")) >= 5
        assert attributes == {
            "job": "j-1",
            "CloudPubSubDeadLetterSourceSubscription": "boards-sub",
        }
        assert buried["messageId"] != first["messageId"]

    def test_without_a_dead_letter_topic_a_message_is_tried_on(self, bench: EventsBench) -> None:
        bench.receiver.answer("endless", *[500] * 6)
        bench.events.publish("endless", {"n": 1}, {})
        bench.until(lambda: tries(bench, "endless") == 7)
        assert data(bench, "buried") == []

    def test_a_message_survives_a_restart(self, bench: EventsBench) -> None:
        bench.receiver.answer("boards", 500)
        bench.events.publish("changed", {"n": 1}, {})
        bench.until(lambda: tries(bench, "boards") >= 1)
        bench.restart()
        bench.until(lambda: tries(bench, "boards") >= 2)
        bench.events.publish("changed", {"n": 2}, {})
        bench.until(lambda: data(bench, "boards") == [{"n": 1}, {"n": 2}])

    @pytest.mark.parametrize(
        ("topic", "content", "attributes"),
        [
            ("no-such-topic", {}, {}),
            ("not/a topic", {}, {}),
            ("changed", {"text": "x" * 10_500_000}, {}),
            ("changed", {"number": float("inf")}, {}),
            ("changed", {}, {"key": "x" * 1025}),
            ("changed", {}, {"k" * 257: "value"}),
            ("changed", {}, {"": "value"}),
            ("changed", {}, {"key": "\ud800"}),
            ("changed", {}, {f"key-{number}": "" for number in range(101)}),
        ],
        ids=["topic", "name", "large", "not JSON", "value", "key", "no key", "Unicode", "many"],
    )
    def test_a_message_nobody_could_get_is_rejected(
        self, bench: EventsBench, topic: str, content: Any, attributes: dict[str, str]
    ) -> None:
        with pytest.raises(Rejected):
            bench.events.publish(topic, content, attributes)
