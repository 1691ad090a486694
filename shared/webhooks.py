"""Signed calls from outside: who knows the secret may have something begun, each call once."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import timedelta

from shared import audit, pipeline_runs
from shared.context import Caller, Services
from shared.errors import Conflict, Forbidden, NotFound
from shared.pipeline_runs import Started

TIMESTAMP_HEADER = "X-Leaderboard-Timestamp"
SIGNATURE_HEADER = "X-Leaderboard-Signature"
DELIVERY_HEADER = "X-Leaderboard-Delivery"

TOLERANCE = timedelta(minutes=5)
"""How far the clocks of both sides may differ, and how long a call may travel."""

_TIMESTAMP = re.compile(r"\d{1,12}")


@dataclass(frozen=True, slots=True)
class SignedCall:
    """A call as it came: the two headers, None where there is none, and the body's bytes."""

    timestamp: str | None
    signature: str | None
    body: bytes


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """``sha256=`` and the HMAC-SHA256 of timestamp, a dot and the body, in hexadecimal."""
    message = timestamp.encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def start_pipeline(services: Services, caller: Caller, call: SignedCall) -> Started:
    """Start a run for a signed call, or find the one that such a call has started.

    Raises NotFound where no secret is set, Forbidden for a call that is not signed with it or is
    too old (which goes on the audit trail), Conflict for one that came before.
    """
    _check(services, caller, call)
    named = Caller("webhook", "user", caller.address, caller.agent, caller.request_id)
    started = pipeline_runs.start(services, named, "webhook", once=f"webhook {call.signature}")
    if started.repeated:
        raise Conflict(
            "This call came before. Sign each call anew, with the time as it is then.",
            details={"run": started.run.id},
        )
    return started


def _check(services: Services, caller: Caller, call: SignedCall) -> None:
    secret = services.settings.webhook_secret
    if secret is None:
        raise NotFound("There is no such address: WEBHOOK_SECRET is not set.")
    reason = _wrong(services, secret, call)
    if reason is not None:
        refused = audit.record(services, caller, "webhook.refused", ("webhook", "pipeline"), reason)
        services.documents.write([refused])
        raise Forbidden(reason)


def _wrong(services: Services, secret: str, call: SignedCall) -> str | None:
    """What is wrong with a call, None if nothing is."""
    timestamp = call.timestamp or ""
    # Always computed and compared, so that how long it takes says nothing.
    expected = signature(secret, timestamp, call.body)
    fits = hmac.compare_digest(expected.encode(), (call.signature or "").encode())
    if not _TIMESTAMP.fullmatch(timestamp) or not fits:
        return f"The call is not signed: see {TIMESTAMP_HEADER} and {SIGNATURE_HEADER}."
    if abs(services.now().timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
        return f"{TIMESTAMP_HEADER} is more than five minutes off."
    return None
