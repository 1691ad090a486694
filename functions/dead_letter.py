"""Pub/Sub: messages that could not be delivered are kept for a person to look at."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import functions_framework
import structlog
from cloudevents.http import CloudEvent

from functions import edge
from shared.context import Services
from shared.errors import Conflict
from shared.models import iso
from shared.ports import ABSENT, Write

log = structlog.get_logger()


@functions_framework.cloud_event
def record_dead_letter(event: CloudEvent) -> None:
    """Store the message under its id, once."""
    message = event.data["message"]

    def store(services: Services, data: Mapping[str, Any]) -> None:
        letter = {
            "message_id": message["messageId"],
            "failed_at": iso(services.now()),
            "reason": "undeliverable_event",
            "data": dict(data),
            "attributes": dict(message.get("attributes") or {}),
            "settled_at": None,
        }
        new = Write(f"dead_letters/message-{message['messageId']}", letter, if_version=ABSENT)
        with suppress(Conflict):  # a repeat: somebody may have settled it meanwhile
            services.documents.write([new])
        log.error("dead_letter_recorded", message_id=message["messageId"])

    edge.event(event, store)
