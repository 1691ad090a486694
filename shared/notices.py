"""Notices to the address that an owner has set (``notify_webhook_url``), signed like calls of ours.

A receiver knows a repeat by its delivery id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from shared.context import Services
from shared.webhooks import SIGNATURE_HEADER, TIMESTAMP_HEADER, signature

DELIVERY_HEADER = "X-Leaderboard-Delivery"


def send(services: Services, delivery: str, notice: Mapping[str, object]) -> bool:
    """Send a notice. False, and nothing happens, where no address and secret are set.

    Raises RetryLater for what may pass, Rejected where the receiver refuses it.
    """
    url, secret = services.settings.notify_webhook_url, services.settings.notify_webhook_secret
    if url is None or secret is None:
        return False
    body = json.dumps(notice, ensure_ascii=False).encode()
    timestamp = str(int(services.now().timestamp()))
    headers = {
        "Content-Type": "application/json",
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: signature(secret, timestamp, body),
        DELIVERY_HEADER: delivery,
    }
    services.breaker.guard("notices", lambda: services.outward.post(url, body, headers))
    return True
