"""Signing in with an account on GitHub instead of typing a key: accounts that stand for keys.

An admin says which account stands for which key (``key_accounts/<account>``); what somebody may do
is what that key may, and ends with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from shared import audit, auth, keys, pseudonyms
from shared.auth import Key
from shared.context import SYSTEM, Caller, Services
from shared.errors import Conflict, NotFound, Unauthenticated
from shared.models import iso
from shared.ports import Fields, Json, Query, Transaction, Write


def admitted(services: Services, account: int, caller: Caller) -> tuple[Key, str]:
    """The key that an account stands for, and its fingerprint as ``auth.named`` has it.

    Raises Unauthenticated for an account that stands for none, which is on the audit trail.
    """
    (document,) = services.documents.get(_path(account))
    found = None if document is None else auth.named(services, str(document.fields["key"]))
    if found is None:
        refused = "An account on GitHub that stands for no key"
        services.documents.write(
            [audit.record(services, caller, "auth.refused", ("key", "github"), refused)]
        )
        raise Unauthenticated(
            "This account on GitHub stands for no key here. An admin can change that: "
            f"python -m infra.cli key attach KEY {account}"
        )
    return found


def attach(services: Services, caller: Caller, key_id: str, account: int) -> None:
    """Let an account stand for a key, in place of another one. Safe to repeat.

    Raises NotFound, Conflict for a key that has expired or was revoked.
    """
    key = keys.get(services, key_id)
    if key.state != "active":
        raise Conflict(f"Key {key_id} is {key.state}. Make a new one.")
    who = pseudonyms.of(services, account)
    fields: Fields = {"key": key_id, "at": iso(services.now()), "by": caller.actor}
    _change(services, caller, account, fields, f"An account on GitHub stands for it: {who}", who)


def detach(services: Services, caller: Caller, account: int) -> None:
    """Let an account stand for no key any more. Its sessions end. Raises NotFound."""
    who = pseudonyms.of(services, account)
    _change(services, caller, account, None, f"An account on GitHub stood for it: {who}", who)


def _change(
    services: Services,
    caller: Caller,
    account: int,
    fields: Fields | None,
    description: str,
    who: str,
) -> None:
    def change(transaction: Transaction) -> None:
        before = transaction.get(_path(account))
        if fields is None and before is None:
            raise NotFound("This account stands for no key.", details={"account": account})
        key_id = str((fields or (before.fields if before else {}))["key"])
        if before is not None and fields is not None and before.fields["key"] == fields["key"]:
            return
        whose: Json = {"account": who}
        old, new = (whose, None) if fields is None else (None, whose)
        action = "key.detached" if fields is None else "key.attached"
        transaction.write(Write(_path(account), fields))
        transaction.write(
            audit.record(services, caller, action, ("key", key_id), description, old=old, new=new)
        )

    services.documents.transact(change)


def attached(services: Services, key_id: str) -> list[int]:
    """The accounts that stand for a key."""
    query = Query("key_accounts", (("key", "==", key_id),), limit=1000)
    return sorted(int(each.id) for each in services.documents.query(query).documents)


def stands_for(services: Services, account: int) -> str | None:
    """The id of the key that an account stands for."""
    (document,) = services.documents.get(_path(account))
    return None if document is None else str(document.fields["key"])


def of_person(services: Services, accounts: Sequence[int]) -> list[Json]:
    """What is kept of some accounts here."""
    found = services.documents.get(*map(_path, accounts)) if accounts else ()
    return [dict(document.fields) for document in found if document is not None]


def forget(services: Services, accounts: Sequence[int]) -> None:
    """Let none of some accounts stand for a key any more. Safe to repeat."""
    for account in accounts:
        # Nobody gets a pseudonym for an account that stands for none.
        if stands_for(services, account) is not None:
            with suppress(NotFound):  # somebody else was quicker
                detach(services, SYSTEM, account)


def _path(account: int) -> str:
    return f"key_accounts/{account}"
