"""E-mail addresses, of which only a keyed hash is ever kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from shared.context import Services
from shared.ports import Transaction, Write

_PATH = "state/mail_secret"


def mail_digest(secret: str, mail: str) -> str:
    """HMAC-SHA256 of the trimmed lower-case address, in hexadecimal digits."""
    return hmac.new(secret.encode(), mail.strip().lower().encode(), hashlib.sha256).hexdigest()


def mail_secret(services: Services) -> str:
    """What addresses are hashed with: the setting, else made once and kept in ``state``."""
    if services.settings.mail_secret is not None:
        return services.settings.mail_secret
    made = secrets.token_hex(32)

    def keep(transaction: Transaction) -> str:
        kept = transaction.get(_PATH)
        if kept is not None:
            return str(kept.fields["secret"])
        transaction.write(Write(_PATH, {"secret": made}))
        return made

    return services.documents.transact(keep)
