"""API keys from the owner's side: made, listed, replaced and revoked.

``shared/auth.py`` checks them.
A key is never deleted, so that the audit trail's ids keep their meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

from shared import audit, auth
from shared.auth import SCOPES, Role
from shared.context import Caller, Services
from shared.errors import Conflict, NotFound, Rejected
from shared.models import iso
from shared.ports import Document, Fields, Json, Query, Transaction, Write

ALLOWED: dict[Role, tuple[str, ...]] = {
    Role.ADMIN: tuple(dict.fromkeys(scope for scopes in SCOPES.values() for scope in scopes)),
    Role.USER: SCOPES[Role.USER],
    Role.READONLY: SCOPES[Role.READONLY],
}
"""The scopes that a key of a role may have."""

LONGEST_NAME = 100
LONGEST_GRACE = timedelta(days=7)
_MOST_RETIRED = 5

KeyState = Literal["active", "expired", "revoked"]


class StoredKey(BaseModel):
    """A key as an admin sees it: without its hash. Times are RFC 3339 texts in UTC.

    ``last_used_at`` is exact to ten minutes. ``former_until`` is when the last former secret that
    is still taken ends, None if there is none.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    role: Role
    scopes: tuple[str, ...]
    state: KeyState
    created_at: str
    created_by: str | None
    expires_at: str | None
    last_used_at: str | None
    rotated_at: str | None
    revoked_at: str | None
    former_until: str | None


@dataclass(frozen=True, slots=True)
class Made:
    """A key and its text, which is not kept anywhere."""

    key: StoredKey
    text: str


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Keys by id, and the cursor of the next page or None at the end."""

    keys: tuple[StoredKey, ...]
    cursor: str | None


def create(
    services: Services,
    caller: Caller,
    name: str,
    role: Role,
    scopes: Sequence[str] | None = None,
    expires_at: datetime | None = None,
) -> Made:
    """Make a key. Without ``scopes`` it has those of its role. Raises Rejected naming the field."""
    label = name.strip()
    if not label or len(label) > LONGEST_NAME or not label.isprintable():
        raise Rejected(
            f"A key has a name of 1 to {LONGEST_NAME} printable characters.",
            details={"field": "name"},
        )
    wrong = sorted(set(scopes or ()) - set(ALLOWED[role]))
    if wrong or scopes == []:
        raise Rejected(
            f"A key of the role {role.value} has one or more of the scopes "
            f"{', '.join(ALLOWED[role])}.",
            details={"field": "scopes", "allowed": list(ALLOWED[role])},
        )
    if expires_at is not None and expires_at <= services.now():
        raise Rejected("A key expires in the future.", details={"field": "expires_at"})
    wanted = None if scopes is None else list(dict.fromkeys(scopes))
    text, write = auth.new_key(services, label, role, wanted, by=caller, expires_at=expires_at)
    made = _read(services, write.path, write.fields or {})
    created = _audited(services, caller, "key.created", made, "API key made", new=_told(made))
    services.documents.write([write, created])
    return Made(made, text)


def get(services: Services, key_id: str) -> StoredKey:
    """A key. Raises NotFound."""
    (document,) = services.documents.get(f"keys/{key_id}")
    return _found(services, key_id, document)


def listed(services: Services, *, after: str | None = None, limit: int = 100) -> KeyPage:
    """All keys, with those that admit nobody any more."""
    page = services.documents.query(Query("keys", after=after, limit=limit))
    found = tuple(_read(services, document.path, document.fields) for document in page.documents)
    return KeyPage(found, page.cursor)


def rotate(
    services: Services, caller: Caller, key_id: str, grace: timedelta = timedelta(0)
) -> Made:
    """Give a key another secret. Former ones are taken for the ``grace``, or no more at all.

    With a grace a repeat is safe: what was valid before the first attempt is valid after the
    second. Raises NotFound, Conflict for a key that has expired or was revoked.
    """
    if not timedelta(0) <= grace <= LONGEST_GRACE:
        raise Rejected("A grace is seven days at most.", details={"field": "grace_minutes"})
    secret = auth.new_secret()

    def write(transaction: Transaction) -> StoredKey:
        document = transaction.get(f"keys/{key_id}")
        before = _found(services, key_id, document)
        if before.state != "active":
            raise Conflict(f"Key {key_id} is {before.state}. Make a new one.")
        fields: Fields = {} if document is None else document.fields
        now = services.now()
        former: list[Json] = []
        if grace:
            former += auth.retired(fields, now)
            former.append({"hash": fields["hash"], "until": iso(now + grace)})
        changed: Fields = {
            **fields,
            "hash": auth.digest(secret),
            "retired": former[-_MOST_RETIRED:],
            "rotated_at": iso(now),
        }
        after = _read(services, f"keys/{key_id}", changed)
        transaction.write(Write(f"keys/{key_id}", changed))
        transaction.write(
            _audited(
                services,
                caller,
                "key.rotated",
                after,
                "API key given another secret",
                old={"rotated_at": before.rotated_at},
                new={"rotated_at": after.rotated_at, "former_until": after.former_until},
            )
        )
        return after

    return Made(services.documents.transact(write), auth.text_of(key_id, secret))


def revoke(services: Services, caller: Caller, key_id: str) -> StoredKey:
    """End a key for good, at once. A repeat changes nothing. Raises NotFound."""

    def write(transaction: Transaction) -> StoredKey:
        document = transaction.get(f"keys/{key_id}")
        before = _found(services, key_id, document)
        if document is None or before.revoked_at is not None:
            return before
        changed: Fields = {**document.fields, "revoked_at": iso(services.now()), "retired": []}
        after = _read(services, document.path, changed)
        transaction.write(Write(document.path, changed))
        transaction.write(
            _audited(
                services,
                caller,
                "key.revoked",
                after,
                "API key revoked",
                old={"state": before.state},
                new={"state": after.state},
            )
        )
        return after

    return services.documents.transact(write)


def _found(services: Services, key_id: str, document: Document | None) -> StoredKey:
    if document is None:
        raise NotFound(f"There is no key {key_id[:60]!r}.", details={"key": key_id[:60]})
    return _read(services, document.path, document.fields)


def _read(services: Services, path: str, fields: Fields) -> StoredKey:
    now = services.now()
    former = [str(each["until"]) for each in auth.retired(fields, now)]
    return StoredKey.model_validate(
        {
            "created_by": None,
            "expires_at": None,
            "last_used_at": None,
            "rotated_at": None,
            **{name: value for name, value in fields.items() if name in StoredKey.model_fields},
            "id": path.rsplit("/", 1)[1],
            "state": auth.ended(fields, now) or "active",
            "former_until": max(former, default=None),
        }
    )


def _told(key: StoredKey) -> Json:
    """What the audit trail says of a key."""
    found: Json = key.model_dump(
        mode="json", include={"name", "role", "scopes", "expires_at", "created_by"}
    )
    return found


def _audited(
    services: Services,
    caller: Caller,
    action: str,
    key: StoredKey,
    description: str,
    *,
    old: Json = None,
    new: Json = None,
) -> Write:
    return audit.record(services, caller, action, ("key", key.id), description, old=old, new=new)
