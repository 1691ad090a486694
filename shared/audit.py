"""The append-only audit trail: who changed what, when, from where, old and new.

A record is written in the same transaction as the change, so neither exists without the other.
``docs/audit.md`` says what is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from shared.audit_records import AuditRecord as AuditRecord
from shared.audit_records import category_of, severity_of
from shared.context import Caller, Services
from shared.errors import Severity
from shared.models import iso
from shared.ports import Document, DocumentPage, Json, Operator, Query, Write


def record(
    services: Services,
    caller: Caller,
    action: str,
    resource: tuple[str, str],
    description: str,
    *,
    old: Json = None,
    new: Json = None,
    severity: Severity | None = None,
) -> Write:
    """The write that puts a change on the trail; it belongs into the change's own transaction.

    ``action`` is ``category.verb``, ``resource`` is (type, id). Without ``severity`` it is that of
    the action.
    """
    return AuditRecord(
        id=services.new_id(),
        timestamp=iso(services.now()),
        actor_id=caller.actor,
        actor_type=caller.actor_type,
        action=action,
        category=category_of(action),
        severity=severity or severity_of(action),
        resource_type=resource[0],
        resource_id=resource[1],
        description=description,
        old_value=old,
        new_value=new,
        ip_address=caller.address,
        user_agent=caller.agent,
        request_id=caller.request_id,
    ).write()


def trail(
    services: Services,
    where: Mapping[str, Json] | None = None,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    after: str | None = None,
    limit: int = 100,
) -> DocumentPage:
    """Records, newest first: those whose fields equal ``where``, or are in its lists.

    ``start`` is the first moment, ``end`` the first that is not among them.
    """
    conditions: list[tuple[str, Operator, Json]] = [
        (name, "in" if isinstance(value, list) else "==", value)
        for name, value in (where or {}).items()
    ]
    if start is not None:
        conditions.append(("timestamp", ">=", iso(start)))
    if end is not None:
        conditions.append(("timestamp", "<", iso(end)))
    return services.documents.query(
        Query("audit", tuple(conditions), "timestamp", descending=True, after=after, limit=limit)
    )


def read(document: Document) -> AuditRecord:
    return AuditRecord.model_validate(document.fields)
