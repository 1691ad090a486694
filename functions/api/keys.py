"""API keys: made, listed, replaced and revoked by admins."""

from __future__ import annotations

import re
from datetime import timedelta

from functions.api.access import ADMIN
from functions.api.key_schemas import (
    KeyAccountsAnswer,
    KeyAnswer,
    KeysAnswer,
    KeyWithText,
    KeyWithTextAnswer,
    NewKey,
    RotationQuery,
    shown,
)
from functions.api.links import here, path_to, with_cursor
from functions.api.parameters import ListQuery
from functions.api.parsing import account_id, continuing_at
from functions.api.resource import Call, Reply, Resource
from functions.api.schemas import ListMeta, Nothing
from shared import keys, sign_in
from shared.auth import Role
from shared.errors import Conflict, NotFound, Rejected, RetryLater

resource = Resource("keys")

_ID = re.compile(r"[0-9a-f]{8}")


@resource.operation("POST", "/api/v1/keys", status=201, scope=ADMIN, errors=(RetryLater,))
def create_key(call: Call, body: NewKey) -> Reply[KeyWithTextAnswer]:
    """Make a key. Its text is shown in this answer and never again."""
    made = keys.create(
        call.services,
        call.caller,
        body.name,
        Role(body.role),
        body.scopes,
        body.expires_at,
    )
    return _with_text(made, location=path_to("keys", made.key.id))


@resource.operation("GET", "/api/v1/keys", scope=ADMIN, errors=(RetryLater,))
def list_keys(call: Call, query: ListQuery) -> Reply[KeysAnswer]:
    """All keys, with those that have expired or were revoked."""
    with continuing_at(query.cursor):
        page = keys.listed(call.services, after=query.cursor, limit=query.limit)
    return Reply(
        KeysAnswer(
            data=[shown(key) for key in page.keys],
            meta=ListMeta(limit=query.limit),
            links=with_cursor(page.cursor),
        )
    )


@resource.operation("GET", "/api/v1/keys/<key_id>", scope=ADMIN, errors=(NotFound, RetryLater))
def show_key(call: Call, key_id: str) -> Reply[KeyAnswer]:
    """A key: what it may do, and when it was used last."""
    found = keys.get(call.services, _checked(key_id))
    return Reply(KeyAnswer(data=shown(found), meta=Nothing(), links=here()))


@resource.operation(
    "POST",
    "/api/v1/keys/<key_id>/rotate",
    scope=ADMIN,
    errors=(NotFound, Conflict, RetryLater),
)
def rotate_key(call: Call, key_id: str, query: RotationQuery) -> Reply[KeyWithTextAnswer]:
    """Give a key another text, which is shown in this answer and never again.

    The former one ends at once, or after a grace.
    """
    grace = timedelta(minutes=query.grace_minutes)
    return _with_text(keys.rotate(call.services, call.caller, _checked(key_id), grace))


@resource.operation("DELETE", "/api/v1/keys/<key_id>", scope=ADMIN, errors=(NotFound, RetryLater))
def revoke_key(call: Call, key_id: str) -> Reply[KeyAnswer]:
    """End a key at once and for good. It stays in the list."""
    found = keys.revoke(call.services, call.caller, _checked(key_id))
    return Reply(KeyAnswer(data=shown(found), meta=Nothing(), links=here()))


@resource.operation(
    "GET", "/api/v1/keys/<key_id>/accounts", scope=ADMIN, errors=(NotFound, RetryLater)
)
def list_key_accounts(call: Call, key_id: str) -> Reply[KeyAccountsAnswer]:
    """The accounts on GitHub that stand for a key: their holders sign in to the dashboard as it."""
    found = keys.get(call.services, _checked(key_id))
    return _accounts(call, found.id)


@resource.operation(
    "PUT",
    "/api/v1/keys/<key_id>/accounts/<account>",
    scope=ADMIN,
    errors=(NotFound, Rejected, Conflict, RetryLater),
)
def attach_account(call: Call, key_id: str, account: str) -> Reply[KeyAccountsAnswer]:
    """Let an account on GitHub, by its numeric id, stand for a key and for no other one."""
    sign_in.attach(call.services, call.caller, _checked(key_id), account_id(account))
    return _accounts(call, key_id)


@resource.operation(
    "DELETE",
    "/api/v1/keys/<key_id>/accounts/<account>",
    scope=ADMIN,
    errors=(NotFound, Rejected, RetryLater),
)
def detach_account(call: Call, key_id: str, account: str) -> Reply[KeyAccountsAnswer]:
    """Let an account stand for this key no more. Its sessions end at once."""
    number = account_id(account)
    if sign_in.stands_for(call.services, number) != _checked(key_id):
        raise NotFound("This account does not stand for this key.", details={"account": number})
    sign_in.detach(call.services, call.caller, number)
    return _accounts(call, key_id)


def _accounts(call: Call, key_id: str) -> Reply[KeyAccountsAnswer]:
    found = sign_in.attached(call.services, key_id)
    return Reply(KeyAccountsAnswer(data=found, meta=Nothing(), links=here()))


def _checked(key_id: str) -> str:
    if not _ID.fullmatch(key_id):
        raise NotFound(f"There is no key {key_id[:60]!r}.", details={"key": key_id[:60]})
    return key_id


def _with_text(made: keys.Made, location: str | None = None) -> Reply[KeyWithTextAnswer]:
    data = KeyWithText(key=made.text, about=shown(made.key))
    return Reply(KeyWithTextAnswer(data=data, meta=Nothing(), links=here()), location=location)
