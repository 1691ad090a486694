"""Attempts to authenticate that failed: on the audit trail, and told of when they become many.

They are counted by address and by key, each in a document ``auth_failures/<digest>``, so that all
instances count together. The digest says no address to somebody who reads the collection.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

import structlog

from shared import audit, notices
from shared.context import Caller, Services
from shared.errors import LeaderboardError
from shared.models import iso, parse_time
from shared.ports import Document, Fields, Json, Transaction, Write

WITHIN = timedelta(minutes=10)
"""Failures count for as long, and nobody is told twice of one address or key before."""

log = structlog.get_logger()


def record(services: Services, caller: Caller, key_id: str | None, reason: str) -> None:
    """Put a refused attempt on the trail, and tell of it if there are too many of its kind.

    ``key_id`` is that of a key that exists.
    """
    resource = ("key", key_id or "unknown")
    services.documents.write([audit.record(services, caller, "auth.refused", resource, reason)])
    subjects = {"address": caller.address, "key": key_id}
    for kind, subject in subjects.items():
        if subject is not None:
            _count(services, caller, kind, subject)


def _count(services: Services, caller: Caller, kind: str, subject: str) -> None:
    """Count a failure. The attempt is refused either way, so no failure here changes the answer."""
    path = "auth_failures/" + hashlib.sha256(f"{kind} {subject}".encode()).hexdigest()[:32]

    def note(transaction: Transaction) -> Fields | None:
        """What is to be told now, if anything is."""
        now, most = services.now(), services.settings.auth_failures_alert
        document = transaction.get(path)
        times = [*_recent(document, now), iso(now)]
        told = None if document is None else document.fields["told_at"]
        is_told = told is not None and now - parse_time(str(told)) < WITHIN
        tells = len(times) > most and not is_told
        # No more are kept than it takes to know that they are too many.
        kept: list[Json] = [*times[-most - 1 :]]
        told_at = iso(now) if tells else told
        transaction.write(Write(path, {"times": kept, "told_at": told_at, "last_at": iso(now)}))
        if not tells:
            return None
        details: Fields = {
            "subject": kind,
            kind: subject,
            "failures": len(times),
            "minutes": int(WITHIN.total_seconds() // 60),
        }
        for write in _told(services, caller, details):
            transaction.write(write)
        return details

    try:
        told = services.documents.transact(note)
    except LeaderboardError as error:
        log.warning("auth_failures_not_counted", subject=kind, error=error.code)
        return
    if told is not None:
        # What the alert counts.
        log.warning("auth_failures", **told)


def _recent(document: Document | None, now: datetime) -> list[str]:
    times = [] if document is None else document.fields["times"]
    return [
        str(time)
        for time in (times if isinstance(times, list) else [])
        if now - parse_time(str(time)) < WITHIN
    ]


def _told(services: Services, caller: Caller, details: Fields) -> list[Write]:
    """The record and the notices of too many failures."""
    kind = str(details["subject"])
    subject = str(details[kind])
    title = f"{details['failures']} refused keys within {details['minutes']} minutes"
    told = audit.record(
        services, caller, "auth.many_failures", (kind, subject), title, new=dict(details)
    )
    notice = notices.writes(
        services,
        services.new_id(),
        "auth_failures",
        title,
        text=f"All by the {kind} {subject}. The audit trail says why each was refused.",
        details={**details, "request_id": caller.request_id},
    )
    return [told, *notice]
