"""E-mail addresses as HMACs: the same address is found again, and no address is stored."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from shared.context import Services
from shared.ports import Transaction, Write

_KEPT = "state/mail_secret"


def mail_digest(secret: str, mail: str) -> str:
    """HMAC-SHA256 of the trimmed address in lower case, hexadecimal."""
    return hmac.new(secret.encode(), mail.strip().lower().encode(), hashlib.sha256).hexdigest()


def mail_secret(services: Services) -> str:
    """What addresses are hashed with: the setting, else made once and kept."""
    if services.settings.mail_secret is not None:
        return services.settings.mail_secret
    (found,) = services.documents.get(_KEPT)
    if found is not None:
        return str(found.fields["secret"])
    made = secrets.token_hex(32)

    def keep(transaction: Transaction) -> str:
        kept = transaction.get(_KEPT)
        if kept is not None:
            return str(kept.fields["secret"])
        transaction.write(Write(_KEPT, {"secret": made}))
        return made

    return services.documents.transact(keep)
