"""Telling that an export is ready, where ``NOTIFY_WEBHOOK_URL`` says to whom."""

from __future__ import annotations

import json
from collections.abc import Mapping

import structlog

from shared.context import Services
from shared.errors import LeaderboardError, RetryLater
from shared.jobs import Job
from shared.ports import Json
from shared.webhooks import DELIVERY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signature

log = structlog.get_logger()


def is_wanted(services: Services) -> bool:
    """True if there is somebody to tell, and a secret to sign with."""
    settings = services.settings
    return settings.notify_webhook_url is not None and settings.notify_webhook_secret is not None


def tell(services: Services, job: Job, notice: Mapping[str, Json]) -> None:
    """Send a notice, signed as those of the pipeline. At least once.

    Raises RetryLater while the job has attempts left: a file is not lost for a notice that was.
    """
    url, secret = services.settings.notify_webhook_url, services.settings.notify_webhook_secret
    if url is None or secret is None:
        return
    body = json.dumps(notice, ensure_ascii=False).encode()
    timestamp = str(int(services.now().timestamp()))
    headers = {
        "Content-Type": "application/json",
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: signature(secret, timestamp, body),
        DELIVERY_HEADER: job.id,
    }
    try:
        services.breaker.guard("notices", lambda: services.outward.post(url, body, headers))
    except RetryLater as error:
        if job.failures < len(services.settings.retry_seconds):
            raise
        log.warning("notice_given_up", reason=error.message)
    except LeaderboardError as error:
        log.warning("notice_refused", reason=error.message)
