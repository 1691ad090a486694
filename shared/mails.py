"""E-mail addresses as keyed hashes: comparable with each other, and not to be read."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from contextlib import suppress

from shared.context import Services
from shared.errors import Conflict
from shared.ports import ABSENT, Write

_PATH = "state/mail_secret"


def mail_digest(secret: str, mail: str) -> str:
    """HMAC-SHA256 in hex over the trimmed address in lower case."""
    return hmac.new(secret.encode(), mail.strip().lower().encode(), hashlib.sha256).hexdigest()


def mail_secret(services: Services) -> str:
    """The secret that addresses are hashed with: the owner's, else one made once and kept."""
    if services.settings.mail_secret:
        return services.settings.mail_secret
    (kept,) = services.documents.get(_PATH)
    if kept is None:
        made = Write(_PATH, {"secret": secrets.token_hex(32)}, if_version=ABSENT)
        with suppress(Conflict):  # of somebody who was first: theirs holds
            services.documents.write([made])
        (kept,) = services.documents.get(_PATH)
    if kept is None:
        raise Conflict("The secret for e-mail addresses was removed meanwhile.")
    return str(kept.fields["secret"])
