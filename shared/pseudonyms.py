"""Names that stand for people where their own must not: on the audit trail, and on boards.

On the trail somebody is ``person:<hex>``, drawn by lot; ``pseudonyms/<hex>`` says who that is and
goes when they are removed, so that the trail stays whole and tells nobody any more. On boards an
anonymous person has a keyed hash of their id, so that the name stays theirs without being kept.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from shared.context import Services
from shared.ports import Document, Query, Transaction, Write

_KEY = "state/pseudonym_key"


def of(services: Services, account: int) -> str:
    """What an account is called on the audit trail; drawn and noted on first use."""
    found = mappings(services, account)
    if found:
        return f"person:{found[0].id}"
    name = secrets.token_hex(8)
    services.documents.write([Write(f"pseudonyms/{name}", {"account": account})])
    return f"person:{name}"


def mappings(services: Services, account: int) -> tuple[Document, ...]:
    """The documents that say who an account's pseudonyms are."""
    query = Query("pseudonyms", (("account", "==", account),))
    return services.documents.query(query).documents


def on_boards(services: Services, account: int) -> tuple[int, str]:
    """The id (below -1) and the name under which an anonymous account is shown."""
    digest = hmac.new(_key(services), str(account).encode(), hashlib.sha256).digest()
    return -2 - int.from_bytes(digest[:6]), f"anonymous-{digest[:4].hex()}"


def _key(services: Services) -> bytes:
    fresh = secrets.token_hex(32)

    def kept(transaction: Transaction) -> str:
        document = transaction.get(_KEY)
        if document is not None:
            return str(document.fields["key"])
        transaction.write(Write(_KEY, {"key": fresh}))
        return fresh

    return bytes.fromhex(services.documents.transact(kept))
