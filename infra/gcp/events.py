"""Events by Pub/Sub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.api_core import exceptions

from infra.delivery_rules import check_message
from infra.gcp.clients import Once, open_channel
from infra.gcp.failures import CALL_SECONDS, PATIENCE_SECONDS, as_our_errors, repeated
from shared.errors import Rejected
from shared.ports import Fields

_SERVICE = "Pub/Sub"


class PubSubEvents:
    """The port ``Events`` on the topics of a project.

    One call a message, which returns when Pub/Sub has kept it: a function may be frozen as soon
    as it has answered, so nothing is left to be sent in the background. A call that fails on the
    way is repeated for ``patience`` seconds, then RetryLater; that can make two messages of one.
    """

    def __init__(
        self,
        project: str,
        *,
        emulator_host: str | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._project = project
        self._emulator_host = emulator_host
        self._repeated = repeated(patience)
        self._client = Once(self._connect)

    def close(self) -> None:
        """End the connection. A later call opens another."""
        client = self._client.take()
        if client is not None:
            client.transport.close()

    def publish(self, topic: str, data: Fields, attributes: Mapping[str, str]) -> None:
        message = {
            "data": check_message(topic, data, attributes),
            "attributes": dict(attributes),
        }
        request = {"topic": f"projects/{self._project}/topics/{topic}", "messages": [message]}
        with as_our_errors(_SERVICE):
            try:
                self._repeated(self._client().publish)(request, retry=None, timeout=CALL_SECONDS)
            except exceptions.NotFound as error:
                raise Rejected(
                    f"There is no topic {topic!r} in project {self._project}.",
                    details={"topic": topic},
                ) from error

    def _connect(self) -> Any:
        # Imported here: most functions never publish, and start a second sooner without.
        from google.pubsub_v1.services.publisher import PublisherClient
        from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

        if self._emulator_host is None:
            return PublisherClient()
        return PublisherClient(
            transport=PublisherGrpcTransport(channel=open_channel(self._emulator_host))
        )
