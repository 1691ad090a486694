"""Records of the audit trail that are no longer kept: whole seals of them, the oldest first.

Seals stay, so the chain stays whole. First the chain notes how far records expire, together with a
record that tells of it; then they are removed. A kill between the two leaves the rest to the next
round.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from shared import audit
from shared.audit_seals import CHAIN, Seal, chain_of, path
from shared.context import SYSTEM, Services
from shared.models import iso
from shared.ports import Query, Transaction, Write

_SEALS_AT_ONCE = 100

log = structlog.get_logger()


def expire(services: Services, most: int) -> tuple[int, str | None]:
    """Remove at most ``most`` records older than ``audit_days``. Returns how many.

    Beside that anything but None while there is more to remove.
    """
    due = _due(services)
    if due is not None:
        _note(services, due)
    (document,) = services.documents.get(CHAIN)
    expired = chain_of(document).expired
    page = services.documents.query(
        Query("audit", (("seal", "<=", expired),), order_by="seal", limit=most)
    )
    if page.documents:
        services.documents.write([Write(each.path, None) for each in page.documents])
    return len(page.documents), None if page.cursor is None and due is None else "more"


def _due(services: Services) -> Seal | None:
    """The last of the next seals of which every record is too old, None without any."""
    (document,) = services.documents.get(CHAIN)
    chain = chain_of(document)
    last = min(chain.number, chain.expired + _SEALS_AT_ONCE)
    oldest = iso(services.now() - timedelta(days=services.settings.audit_days))
    due: Seal | None = None
    for found in services.documents.get(*map(path, range(chain.expired + 1, last + 1))):
        seal = None if found is None else Seal.model_validate(found.fields)
        # The time of sealing as well: a record may say of itself what it likes.
        if seal is None or max(seal.newest, seal.sealed_at) >= oldest:
            break
        due = seal
    return due


def _note(services: Services, due: Seal) -> None:
    def note(transaction: Transaction) -> bool:
        document = transaction.get(CHAIN)
        chain = chain_of(document)
        if chain.expired >= due.number:
            return False
        told = audit.record(
            services,
            SYSTEM,
            "audit.expired",
            ("audit", path(due.number)),
            f"Records up to seal {due.number} are no longer kept",
            old={"through": chain.expired},
            new={"through": due.number, "newest": due.newest},
        )
        update = {"expired": due.number, "expiry": told.path}
        transaction.write(Write(CHAIN, chain.model_copy(update=update).model_dump()))
        transaction.write(told)
        return True

    if services.documents.transact(note):
        log.info("audit_expired", seal=due.number, newest=due.newest)
