"""Secrets that an owner may set, and that are made once and kept in the documents otherwise."""

from __future__ import annotations

import secrets
from contextlib import suppress

from shared.context import Services
from shared.errors import Conflict
from shared.ports import ABSENT, Write


def kept_secret(services: Services, name: str, set_by_owner: str | None) -> str:
    """The owner's secret, else the one in ``state/<name>``, made there by whoever is first.

    Raises Conflict if it is removed at this very moment.
    """
    if set_by_owner:
        return set_by_owner
    path = f"state/{name}"
    (kept,) = services.documents.get(path)
    if kept is None:
        made = Write(path, {"secret": secrets.token_hex(32)}, if_version=ABSENT)
        with suppress(Conflict):  # of somebody who was first: theirs holds
            services.documents.write([made])
        (kept,) = services.documents.get(path)
    if kept is None:
        raise Conflict(f"The secret {name} was removed meanwhile.")
    return str(kept.fields["secret"])
