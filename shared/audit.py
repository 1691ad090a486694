"""The append-only audit trail: who changed what, when, from where, old and new.

A record is written in the same transaction as the change, so neither exists without the other.
``docs/audit.md`` says what is recorded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from pydantic import ValidationError

from shared.audit_records import AuditRecord as AuditRecord
from shared.audit_records import category_of, severity_of
from shared.context import Caller, Services
from shared.errors import Rejected, Severity
from shared.models import iso, parse_time
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


class RecordShown(AuditRecord):
    """A record as it is there. ``damaged`` names the fields that it lacks, or that hold what none
    of ours does: it is not what was recorded then. Such a text is empty, or the value as JSON.

    Without any it may have been changed all the same: that says ``shared/audit_integrity.py``.
    """

    damaged: tuple[str, ...] = ()


_FIELDS = AuditRecord.model_fields
_TEXTS = frozenset(name for name, field in _FIELDS.items() if field.annotation is str)


def read(document: Document) -> RecordShown:
    """The record, as far as it is still one."""
    fields = {name: value for name, value in document.fields.items() if name in _FIELDS}
    damaged = _FIELDS.keys() - fields.keys()
    empty = {**dict.fromkeys(_TEXTS, ""), "id": document.id}
    try:
        found = RecordShown.model_validate({**empty, **fields})
        parse_time(found.timestamp)
        if not damaged:
            return found
    except ValidationError as error:
        damaged |= {str(each["loc"][0]) for each in error.errors()}
    except Rejected:
        damaged |= {"timestamp"}
    sound = {name: value for name, value in fields.items() if name not in damaged}
    odd = {name: _text(fields[name]) for name in damaged & fields.keys() & _TEXTS}
    return RecordShown.model_validate({**empty, **odd, **sound, "damaged": sorted(damaged)})


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)
