"""A record of the audit trail: its fields, and how much each kind of action matters.

Fields as in the original requirements (architecture, section 29), with the severity, and the number
of the seal that a record is under once it has one (``shared/audit_seals.py``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from shared.errors import Severity
from shared.models import iso
from shared.ports import ABSENT, Document, Json, Write

CHANGES = (
    "config", "dead_letter", "enrichment", "identity", "key", "person", "pipeline",
    "recalculation", "repository",
)  # fmt: skip
"""Categories of what people change, or ask for."""

OTHERS = ("audit", "auth", "budget", "error", "export", "job", "leaderboard", "webhook")
"""Categories of what goes by itself, changes nothing, or is refused."""

_SEVERITIES: Mapping[str, Severity] = {
    "audit.expired": Severity.MEDIUM,
    "audit.not_intact": Severity.CRITICAL,
    "auth.forbidden": Severity.MEDIUM,
    "auth.refused": Severity.MEDIUM,
    "auth.many_failures": Severity.HIGH,
    "budget.warning": Severity.MEDIUM,
    "error.in_request": Severity.HIGH,
    "pipeline.failed": Severity.HIGH,
    "webhook.refused": Severity.MEDIUM,
}
"""Actions that are more than LOW; a failure's record takes the severity of its error."""


class AuditRecord(BaseModel):
    """One entry. ``old_value`` and ``new_value`` are what the change did to the resource.

    ``seal`` is None until the record is sealed. Nothing else of it ever changes.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    timestamp: str
    actor_id: str
    actor_type: str
    action: str
    category: str
    severity: Severity = Severity.LOW
    resource_type: str
    resource_id: str
    description: str
    old_value: Json = None
    new_value: Json = None
    ip_address: str | None = None
    user_agent: str | None = None
    request_id: str | None = None
    seal: int | None = None

    def write(self) -> Write:
        """The write that puts it on the trail."""
        return Write(f"audit/{self.id}", self.model_dump(mode="json"), if_version=ABSENT)


def of_system(
    id_: str,
    at: datetime,
    action: str,
    resource: tuple[str, str],
    description: str,
    *,
    new: Json = None,
    severity: Severity | None = None,
) -> AuditRecord:
    """A record of what the system did by itself. ``action`` is ``category.verb``."""
    return AuditRecord(
        id=id_,
        timestamp=iso(at),
        actor_id="system",
        actor_type="system",
        action=action,
        category=category_of(action),
        severity=severity or severity_of(action),
        resource_type=resource[0],
        resource_id=resource[1],
        description=description,
        new_value=new,
    )


def category_of(action: str) -> str:
    """What stands before the dot. Raises ValueError for a category that no report knows."""
    category = action.split(".")[0]
    if category not in CHANGES and category not in OTHERS:
        raise ValueError(f"{category!r} is in neither CHANGES nor OTHERS")
    return category


def severity_of(action: str) -> Severity:
    """How much an action matters where its record does not say."""
    return _SEVERITIES.get(action, Severity.LOW)


def digest(document: Document) -> str:
    """SHA-256 over all of a record but its seal, in hex: the fields as JSON with sorted keys."""
    fields = {name: value for name, value in document.fields.items() if name != "seal"}
    # Values of settings may be fractions, which every store gives back as they were.
    text = json.dumps(
        [document.id, fields], sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return hashlib.sha256(text.encode() + (document.body or b"")).hexdigest()
