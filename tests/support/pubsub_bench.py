"""Events by Pub/Sub on Google's emulator, pushing to a receiver, for the contract suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from google.pubsub_v1.services.publisher import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from infra.gcp.clients import open_channel
from infra.gcp.events import PubSubEvents
from infra.local.events import Subscription
from tests.support.eventually import eventually
from tests.support.receiver import Receiver


class PubSubBench:
    """Satisfies EventsBench. Time is the machine's.

    Subscriptions have no retry policy, because the emulator then tries again after a second; a
    policy, whatever its backoff, makes it wait for three.
    """

    def __init__(self, host: str, project: str, receiver: Receiver) -> None:
        self.receiver = receiver
        self._host = host
        self._project = project
        self.events = PubSubEvents(project, emulator_host=host)

    def until(self, condition: Callable[[], object]) -> None:
        eventually(condition, within=60)

    def delivering(self) -> AbstractContextManager[None]:
        return nullcontext()

    def restart(self) -> None:
        self.events.close()
        self.events = PubSubEvents(self._project, emulator_host=self._host)


@contextmanager
def pubsub_bench(
    host: str, project: str, subscriptions: Sequence[Subscription], receiver: Receiver
) -> Iterator[PubSubBench]:
    with subscribed(host, project, subscriptions, receiver.url):
        bench = PubSubBench(host, project, receiver)
        try:
            yield bench
        finally:
            bench.events.close()


@contextmanager
def subscribed(
    host: str, project: str, subscriptions: Sequence[Subscription], url: str
) -> Iterator[None]:
    """Topics and push subscriptions, as Terraform makes them, that call functions below ``url``."""
    publisher = PublisherClient(transport=PublisherGrpcTransport(channel=open_channel(host)))
    subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=open_channel(host)))
    for topic in {each.topic for each in subscriptions}:
        publisher.create_topic({"name": f"projects/{project}/topics/{topic}"})
    made = [subscriber.create_subscription(_request(project, each, url)) for each in subscriptions]
    try:
        yield
    finally:
        for each in made:
            subscriber.delete_subscription({"subscription": each.name})
        subscriber.transport.close()  # type: ignore[no-untyped-call]
        publisher.transport.close()  # type: ignore[no-untyped-call]


def _request(project: str, subscription: Subscription, url: str) -> dict[str, object]:
    request: dict[str, object] = {
        "name": f"projects/{project}/subscriptions/{subscription.name}",
        "topic": f"projects/{project}/topics/{subscription.topic}",
        "push_config": {"push_endpoint": f"{url}/{subscription.function}"},
        "ack_deadline_seconds": 60,
    }
    if subscription.dead_letter_topic is not None:
        request["dead_letter_policy"] = {
            "dead_letter_topic": f"projects/{project}/topics/{subscription.dead_letter_topic}",
            "max_delivery_attempts": subscription.max_delivery_attempts,
        }
    return request
