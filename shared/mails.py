"""E-mail addresses as keyed hashes: comparable with each other, and not to be read."""

from __future__ import annotations

import hashlib
import hmac

from shared.context import Services
from shared.kept_secrets import kept_secret


def mail_digest(secret: str, mail: str) -> str:
    """HMAC-SHA256 in hex over the trimmed address in lower case."""
    return hmac.new(secret.encode(), mail.strip().lower().encode(), hashlib.sha256).hexdigest()


def mail_secret(services: Services) -> str:
    """The secret that addresses are hashed with: the owner's, else one made once and kept."""
    return kept_secret(services, "mail_secret", services.settings.mail_secret)
