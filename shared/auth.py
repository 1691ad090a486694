"""API keys: shown once, stored as a hash, with a role and scopes. ``shared/keys.py`` manages them.

A key reads ``lb_<id>_<secret>``. The id finds the document; the secret (32 random bytes) is
compared by its SHA-256 in constant time. A slow hash would add nothing: nobody can guess it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from shared import audit, auth_failures
from shared.context import SYSTEM, Caller, Services
from shared.errors import Conflict, Forbidden, RetryLater, Unauthenticated
from shared.models import iso, parse_time
from shared.ports import ABSENT, Document, Fields, Json, Transaction, Write

_KEY = re.compile(r"lb_([0-9a-z]{8})_([A-Za-z0-9_-]{43})")


class Role(StrEnum):
    """What a key is for. Scopes say what it may do."""

    ADMIN = "admin"
    USER = "user"
    READONLY = "readonly"


SCOPES: dict[Role, tuple[str, ...]] = {
    Role.ADMIN: ("admin:*",),
    Role.USER: ("read:leaderboard", "write:repository"),
    Role.READONLY: ("read:leaderboard",),
}
"""The scopes of a key that is made without naming any."""

USE_NOTED_EVERY = timedelta(minutes=10)
"""A key's last use is as exact as this, so that most requests write nothing."""


@dataclass(frozen=True, slots=True)
class Key:
    """A known key, without its secret."""

    id: str
    role: Role
    scopes: tuple[str, ...]

    @property
    def is_admin(self) -> bool:
        """True if it allows everything, as often as one likes."""
        return "admin:*" in self.scopes

    def allows(self, scope: str) -> bool:
        return self.is_admin or scope in self.scopes


def create_first_key(services: Services) -> str | None:
    """Make the admin key of a new installation. Returns its text once, None if there is one."""
    text, write = new_key(services, "first admin key", Role.ADMIN)

    def create(transaction: Transaction) -> bool:
        if transaction.get("state/first_key") is not None:
            return False
        transaction.write(Write("state/first_key", {"key": write.path}, if_version=ABSENT))
        transaction.write(write)
        transaction.write(
            audit.record(
                services, SYSTEM, "key.created", ("key", write.path), "First admin key made"
            )
        )
        return True

    return text if services.documents.transact(create) else None


def authenticate(services: Services, text: str | None, caller: Caller) -> Key | None:
    """The key that ``text`` is, None without any. Raises Unauthenticated for one that is wrong.

    A refused attempt goes on the audit trail, which alone says why.
    """
    if not text:
        return None
    match = _KEY.fullmatch(text)
    (document,) = services.documents.get(f"keys/{match[1]}") if match else (None,)
    reason = _refusal(document, match[2] if match else "", services.now())
    if document is None or reason is not None:
        known = None if document is None else document.id
        auth_failures.record(services, caller, known, reason or "Unknown API key")
        raise Unauthenticated("This API key is not known. Send a valid one as X-API-Key.")
    _note_use(services, document, caller)
    scopes = document.fields["scopes"]
    assert isinstance(scopes, list)  # noqa: S101 - written by new_key
    return Key(document.id, Role(str(document.fields["role"])), tuple(map(str, scopes)))


def named(services: Services, key_id: str) -> tuple[Key, str] | None:
    """A key that still holds, found by its id, and a fingerprint of its secret's hash.

    For who has shown the whole key before. None for one that is unknown, revoked or expired. The
    fingerprint is another once the key has another secret.
    """
    (document,) = services.documents.get(f"keys/{key_id}")
    if document is None or ended(document.fields, services.now()) is not None:
        return None
    scopes = document.fields["scopes"]
    assert isinstance(scopes, list)  # noqa: S101 - written by new_key
    key = Key(document.id, Role(str(document.fields["role"])), tuple(map(str, scopes)))
    return key, digest(str(document.fields["hash"]))[:16]


def ended(fields: Fields, now: datetime) -> str | None:
    """``revoked`` or ``expired`` for a stored key that admits nobody any more, else None."""
    if fields["revoked_at"] is not None:
        return "revoked"
    expires_at = fields.get("expires_at")
    return "expired" if expires_at is not None and parse_time(str(expires_at)) <= now else None


def retired(fields: Fields, now: datetime) -> list[dict[str, Json]]:
    """The hashes of a key's former secrets that are still taken, and until when."""
    found = fields.get("retired")
    kept = found if isinstance(found, list) else []
    return [
        each for each in kept if isinstance(each, dict) and parse_time(str(each["until"])) > now
    ]


def _refusal(document: Document | None, secret: str, now: datetime) -> str | None:
    """Why a key is refused, None if it is not. Every secret costs the same comparisons."""
    fields: Fields = {} if document is None else document.fields
    given = digest(secret)
    fits = hmac.compare_digest(str(fields.get("hash", digest("no such key"))), given)
    for former in retired(fields, now):
        fits |= hmac.compare_digest(str(former["hash"]), given)
    if document is None:
        return "Unknown API key" if secret else "Malformed API key"
    if not fits:
        return "API key with a wrong secret, or one that was replaced"
    match ended(fields, now):
        case "revoked":
            return "Revoked API key"
        case "expired":
            return "Expired API key"
    return None


def _note_use(services: Services, document: Document, caller: Caller) -> None:
    """Note when and from where a key was used, now and then. It is no reason to fail a request."""
    used, now = document.fields.get("last_used_at"), services.now()
    if used is not None and now - parse_time(str(used)) < USE_NOTED_EVERY:
        return
    noted = Write(
        document.path, {**document.fields, "last_used_at": iso(now)}, if_version=document.version
    )
    user = replace(
        caller,
        actor=f"key:{document.id}",
        actor_type="admin" if document.fields["role"] == Role.ADMIN else "user",
    )
    minutes = int(USE_NOTED_EVERY.total_seconds() // 60)
    told = audit.record(
        services,
        user,
        "auth.key_used",
        ("key", document.id),
        f"Key accepted; what follows within {minutes} minutes is not noted",
    )
    try:
        services.documents.write([noted, told])
    except (Conflict, RetryLater):
        return


def require(key: Key | None, scope: str) -> Key:
    """The key, if it allows ``scope``. Raises Unauthenticated without one, Forbidden otherwise."""
    if key is None:
        raise Unauthenticated(
            "This needs an API key. Send it as X-API-Key; the first one was shown at set-up."
        )
    if not key.allows(scope):
        raise Forbidden(f"This key may not do that: it lacks the scope {scope}.")
    return key


def new_key(
    services: Services,
    name: str,
    role: Role,
    scopes: Sequence[str] | None = None,
    *,
    by: Caller = SYSTEM,
    expires_at: datetime | None = None,
) -> tuple[str, Write]:
    """A new key's text, and the write that stores it."""
    key_id, secret = secrets.token_hex(4), new_secret()
    fields: Fields = {
        "name": name,
        "role": role.value,
        "scopes": list(SCOPES[role] if scopes is None else scopes),
        "hash": digest(secret),
        "retired": [],
        "created_at": iso(services.now()),
        "created_by": by.actor,
        "expires_at": None if expires_at is None else iso(expires_at),
        "last_used_at": None,
        "rotated_at": None,
        "revoked_at": None,
    }
    return text_of(key_id, secret), Write(f"keys/{key_id}", fields, if_version=ABSENT)


def text_of(key_id: str, secret: str) -> str:
    """A key as its holder sends it."""
    return f"lb_{key_id}_{secret}"


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()
