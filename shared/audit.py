"""The append-only audit trail: who changed what, when, from where, old and new.

Fields as in the original requirements (architecture, section 29). A record is written in the same
transaction as the change, so neither exists without the other.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from shared.context import Caller, Services
from shared.models import iso
from shared.ports import ABSENT, DocumentPage, Fields, Json, Query, Write


class AuditRecord(BaseModel):
    """One entry. ``old_value`` and ``new_value`` are what the change did to the resource."""

    model_config = ConfigDict(frozen=True)

    id: str
    timestamp: str
    actor_id: str
    actor_type: str
    action: str
    category: str
    resource_type: str
    resource_id: str
    description: str
    old_value: Json = None
    new_value: Json = None
    ip_address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None


def record(
    services: Services,
    caller: Caller,
    action: str,
    resource: tuple[str, str],
    description: str,
    *,
    old: Json = None,
    new: Json = None,
) -> Write:
    """The write that puts a change on the trail; it belongs into the change's own transaction.

    ``action`` is ``category.verb``, ``resource`` is (type, id).
    """
    entry = AuditRecord(
        id=services.new_id(),
        timestamp=iso(services.now()),
        actor_id=caller.actor,
        actor_type=caller.actor_type,
        action=action,
        category=action.split(".")[0],
        resource_type=resource[0],
        resource_id=resource[1],
        description=description,
        old_value=old,
        new_value=new,
        ip_address=caller.address,
        user_agent=caller.agent,
        request_id=caller.request_id,
    )
    return Write(f"audit/{entry.id}", entry.model_dump(), if_version=ABSENT)


def trail(services: Services, *, after: str | None = None, limit: int = 100) -> DocumentPage:
    """Records, newest first."""
    return services.documents.query(
        Query("audit", order_by="timestamp", descending=True, after=after, limit=limit)
    )


def fields_of(model: BaseModel) -> Fields:
    """A model as document fields."""
    fields: Fields = model.model_dump(mode="json")
    return fields
