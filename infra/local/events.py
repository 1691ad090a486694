"""Topics with push subscriptions on this machine, with the rules of Pub/Sub."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from infra.delivery_rules import check_message
from infra.local.deliveries import DeliveryStore
from infra.local.lanes import PROJECT, Call, Delivery, Draft, Pacing, Retry
from shared.errors import Rejected
from shared.models import iso, parse_time
from shared.ports import Fields

EVENT_TYPE = "google.cloud.pubsub.topic.v1.messagePublished"
DEAD_LETTER_PREFIX = "CloudPubSubDeadLetterSource"

_FOUR_AT_ONCE = Pacing(max_concurrent=4)


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who gets the messages of a topic, and what becomes of those that cannot be delivered.

    Without ``dead_letter_topic`` a message is tried until it is forgotten. ``deadline`` is the
    acknowledgement deadline; ten minutes is the platform's maximum.
    """

    topic: str
    name: str
    function: str
    dead_letter_topic: str | None = None
    max_delivery_attempts: int = 5
    min_backoff: timedelta = timedelta(seconds=10)
    max_backoff: timedelta = timedelta(seconds=600)
    deadline: timedelta = timedelta(minutes=10)
    pacing: Pacing = _FOUR_AT_ONCE

    @property
    def key(self) -> str:
        return f"subscription:{self.name}"

    @property
    def tombstone(self) -> timedelta:
        return timedelta(0)

    @property
    def retry(self) -> Retry:
        limited = self.dead_letter_topic is not None
        attempts = self.max_delivery_attempts if limited else None
        return Retry(self.min_backoff, self.max_backoff, max_attempts=attempts)

    def call(self, delivery: Delivery) -> Call:
        """The POST that Eventarc makes: Pub/Sub's push body as a binary CloudEvent.

        A bare push would be understood too, but loses the topic on its way through the
        functions framework.
        """
        message = json.loads(delivery.content)
        body: dict[str, Any] = {
            "message": message
            | {"message_id": message["messageId"], "publish_time": message["publishTime"]},
            "subscription": f"projects/{PROJECT}/subscriptions/{self.name}",
        }
        if self.dead_letter_topic is not None:
            body["deliveryAttempt"] = delivery.failures + 1
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)",
            "ce-specversion": "1.0",
            "ce-id": message["messageId"],
            "ce-type": EVENT_TYPE,
            "ce-source": f"//pubsub.googleapis.com/projects/{PROJECT}/topics/{self.topic}",
            "ce-time": message["publishTime"],
        }
        return Call(self.function, headers, json.dumps(body).encode())


SUBSCRIPTIONS: tuple[Subscription, ...] = (
    Subscription(
        "repository-scraped", "publish-boards", "recalculate_leaderboards", "dead-letters"
    ),
    Subscription(
        "leaderboard-changed", "publish-global-boards", "recalculate_leaderboards", "dead-letters"
    ),
    Subscription("dead-letters", "keep-dead-letters", "record_dead_letter"),
)
"""All subscriptions. Every topic is one that is named here."""


class SqliteEvents:
    """Topics kept in a DeliveryStore. No order is promised.

    Raises Rejected for a topic that nobody declared or a message that is no JSON or too large,
    RetryLater when the file is busy.
    """

    def __init__(
        self,
        store: DeliveryStore,
        subscriptions: Sequence[Subscription] = SUBSCRIPTIONS,
        *,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self.lanes = tuple(subscriptions)
        self._store = store
        self._new_id = new_id
        self._by_key = {subscription.key: subscription for subscription in subscriptions}
        self._topics = {subscription.topic for subscription in subscriptions} | {
            subscription.dead_letter_topic
            for subscription in subscriptions
            if subscription.dead_letter_topic is not None
        }

    def publish(self, topic: str, data: Fields, attributes: Mapping[str, str]) -> None:
        """Keep a message once for each subscription of its topic, all or none."""
        if topic not in self._topics:
            raise Rejected(
                f"There is no topic {topic!r}. Topics are {', '.join(sorted(self._topics))}.",
                details={"topic": topic},
            )
        encoded = base64.b64encode(check_message(topic, data, attributes)).decode()
        self._store.add(self._drafts(topic, encoded, attributes))

    def bury(self, delivery: Delivery) -> Sequence[Draft]:
        """The message for the dead-letter topic, with the attributes that Pub/Sub adds."""
        subscription = self._by_key[delivery.lane]
        if subscription.dead_letter_topic is None:
            return ()
        message = json.loads(delivery.content)
        attributes = message["attributes"] | {
            f"{DEAD_LETTER_PREFIX}DeliveryCount": str(delivery.failures + 1),
            f"{DEAD_LETTER_PREFIX}Subscription": subscription.name,
            f"{DEAD_LETTER_PREFIX}SubscriptionProject": PROJECT,
            f"{DEAD_LETTER_PREFIX}TopicPublishTime": _with_offset(
                parse_time(message["publishTime"])
            ),
        }
        return self._drafts(subscription.dead_letter_topic, message["data"], attributes)

    def _drafts(self, topic: str, encoded: str, attributes: Mapping[str, str]) -> list[Draft]:
        now = self._store.clock()
        message = {
            "data": encoded,
            "attributes": dict(attributes),
            "messageId": self._new_id(),
            "publishTime": iso(now),
        }
        content = json.dumps(message).encode()
        return [
            Draft(lane=subscription.key, function=subscription.function, content=content, due=now)
            for subscription in self.lanes
            if subscription.topic == topic
        ]


def _with_offset(moment: datetime) -> str:
    """The one place where Pub/Sub writes +00:00 and milliseconds."""
    return moment.isoformat(timespec="milliseconds")
