"""API keys: shown once, stored as a hash, with a role and scopes.

A key reads ``lb_<id>_<secret>``. The id finds the document; the secret (32 random bytes) is
compared by its SHA-256 in constant time. A slow hash would add nothing: nobody can guess it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum

from shared import audit
from shared.context import SYSTEM, Caller, Services
from shared.errors import Forbidden, Unauthenticated
from shared.models import iso
from shared.ports import ABSENT, Transaction, Write

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


@dataclass(frozen=True, slots=True)
class Key:
    """A known key, without its secret."""

    id: str
    role: Role
    scopes: tuple[str, ...]

    def allows(self, scope: str) -> bool:
        return "admin:*" in self.scopes or scope in self.scopes


def create_first_key(services: Services) -> str | None:
    """Make the admin key of a new installation. Returns its text once, None if there is one."""
    text, write = _new_key(services, "first admin key", Role.ADMIN)

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

    A refused attempt goes on the audit trail.
    """
    if not text:
        return None
    match = _KEY.fullmatch(text)
    (document,) = services.documents.get(f"keys/{match[1]}") if match else (None,)
    stored = str(document.fields["hash"]) if document else _hash("no such key")
    secret_fits = hmac.compare_digest(stored, _hash(match[2] if match else ""))
    if document is None or not secret_fits or document.fields["revoked_at"] is not None:
        audit.authentication_failed(services, caller, "Unknown, revoked or malformed API key")
        raise Unauthenticated("This API key is not known. Send a valid one as X-API-Key.")
    scopes = document.fields["scopes"]
    assert isinstance(scopes, list)  # noqa: S101 - written by _new_key
    return Key(document.id, Role(str(document.fields["role"])), tuple(map(str, scopes)))


def named(services: Services, key_id: str) -> tuple[Key, str] | None:
    """A key that still holds, found by its id, and a fingerprint of its secret's hash.

    For who has shown the whole key before. None for one that is unknown, revoked or expired. The
    fingerprint is another once the key has another secret.
    """
    (document,) = services.documents.get(f"keys/{key_id}")
    if document is None or document.fields["revoked_at"] is not None:
        return None
    expires = document.fields.get("expires_at")
    if expires is not None and str(expires) <= iso(services.now()):
        return None
    scopes = document.fields["scopes"]
    assert isinstance(scopes, list)  # noqa: S101 - written by _new_key
    key = Key(document.id, Role(str(document.fields["role"])), tuple(map(str, scopes)))
    return key, _hash(str(document.fields["hash"]))[:16]


def require(key: Key | None, scope: str) -> Key:
    """The key, if it allows ``scope``. Raises Unauthenticated without one, Forbidden otherwise."""
    if key is None:
        raise Unauthenticated(
            "This needs an API key. Send it as X-API-Key; the first one was shown at set-up."
        )
    if not key.allows(scope):
        raise Forbidden(f"This key may not do that: it lacks the scope {scope}.")
    return key


def _new_key(services: Services, name: str, role: Role) -> tuple[str, Write]:
    key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    fields: dict[str, object] = {
        "name": name,
        "role": role.value,
        "scopes": list(SCOPES[role]),
        "hash": _hash(secret),
        "created_at": iso(services.now()),
        "revoked_at": None,
    }
    return f"lb_{key_id}_{secret}", Write(f"keys/{key_id}", fields, if_version=ABSENT)  # type: ignore[arg-type]


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
