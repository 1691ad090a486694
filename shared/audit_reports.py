"""Reports from the audit trail: who had access, what was changed, what is suspicious, what it cost.

Each is of some days, ``start`` the first moment and ``end`` the first that is not in it, and is of
the whole of them: where the trail has more than ``MOST_RECORDS`` for it, that is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from shared import audit, costs
from shared.audit import AuditRecord
from shared.audit_records import CHANGES
from shared.budget_books import moment_of
from shared.context import Services
from shared.errors import Rejected, Severity
from shared.export_files import Cell, Column, Table, written
from shared.limits import dollars
from shared.ports import Json

MOST_RECORDS = 10_000
_AT_ONCE = 500

_ACCESS = (
    "auth.accepted", "auth.key_used", "auth.signed_in", "export.requested", "person.exported",
)  # fmt: skip
_SECURITY = (
    "audit.expired", "audit.not_intact", "auth.forbidden", "auth.many_failures", "auth.refused",
    "error.in_job", "error.in_request", "key.attached", "key.created", "key.detached",
    "key.revoked", "key.rotated", "webhook.refused",
)  # fmt: skip
_CHANGED_JOBS = ("job.cancelled", "job.retried")
_BUDGET = ("budget.warning", "config.changed")


class Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Access(Row):
    """What somebody was let in for, or took along, and how often. The newest comes first."""

    actor_id: str
    actor_type: str
    action: str
    resource_type: str
    resource_id: str
    times: int
    first_at: str
    last_at: str
    ip_addresses: tuple[str, ...]


class Change(Row):
    """What somebody changed or asked for, or a schedule did. The newest comes first."""

    timestamp: str
    actor_id: str
    actor_type: str
    action: str
    resource_type: str
    resource_id: str
    description: str
    old_value: Json
    new_value: Json
    ip_address: str | None
    request_id: str | None
    id: str


class Suspicion(Row):
    """What was refused, went wrong, or changed who gets in. The newest comes first.

    ``description`` is that of the newest.
    """

    severity: Severity
    action: str
    resource_type: str
    resource_id: str
    actor_id: str
    ip_address: str | None
    times: int
    first_at: str
    last_at: str
    description: str


class DayOfCosts(Row):
    """What a day's statements were billed, and what the trail says of the budget."""

    day: str
    runs: int
    bytes_processed: int
    bytes_billed: int
    usd: Decimal
    warnings: int
    limits_changed: int


def access(services: Services, start: date, end: date) -> list[Access]:
    """Who was let in for what, and who took what along."""
    return [
        Access(
            **_of(newest, Access),
            times=len(found),
            first_at=found[-1].timestamp,
            last_at=newest.timestamp,
            ip_addresses=tuple(sorted({r.ip_address for r in found if r.ip_address})),
        )
        for newest, found in _grouped(
            _records(services, "action", _ACCESS, start, end),
            # Exports have an id each, and are told of one by one.
            lambda r: (r.actor_id, r.action, r.resource_type, r.resource_id),
        )
    ]


def changes(services: Services, start: date, end: date) -> list[Change]:
    """Every change, and everything asked for. What jobs do by themselves is left out."""
    found = [
        *_records(services, "category", CHANGES, start, end),
        *_records(services, "action", _CHANGED_JOBS, start, end),
    ]
    found.sort(key=lambda record: (record.timestamp, record.id), reverse=True)
    return [Change(**_of(record, Change)) for record in found]


def security(services: Services, start: date, end: date) -> list[Suspicion]:
    """What was refused or went wrong, and what changed who gets in."""
    return [
        Suspicion(
            **_of(newest, Suspicion),
            times=len(found),
            first_at=found[-1].timestamp,
            last_at=newest.timestamp,
        )
        for newest, found in _grouped(
            _records(services, "action", _SECURITY, start, end),
            lambda r: (r.action, r.resource_type, r.resource_id, r.actor_id, r.ip_address),
        )
    ]


def spent(services: Services, start: date, end: date) -> list[DayOfCosts]:
    """What each day cost, from the first."""
    told = _records(services, "action", _BUDGET, start, end)
    found: list[DayOfCosts] = []
    for day, summary in costs.summaries(services, costs.days_between(start, end)).items():
        of_day = [record for record in told if record.timestamp.startswith(day)]
        total = summary.total
        found.append(
            DayOfCosts(
                day=day,
                runs=total.runs,
                bytes_processed=total.bytes_processed,
                bytes_billed=total.bytes_billed,
                usd=dollars(total.micro_usd),
                warnings=sum(record.action == "budget.warning" for record in of_day),
                limits_changed=sum(
                    (record.action, record.resource_type) == ("config.changed", "budget")
                    for record in of_day
                ),
            )
        )
    return found


def as_csv(model: type[Row], rows: Sequence[Row]) -> bytes:
    """A report as a CSV file, in which no cell is a formula."""
    columns = tuple(map(Column, model.model_fields))
    cells = [[_cell(getattr(row, column.name)) for column in columns] for row in rows]
    return b"".join(written("csv", Table(columns, [cells], {})))


# --- how ------------------------------------------------------------------------------------------


def _records(
    services: Services, field: str, values: Iterable[str], start: date, end: date
) -> list[AuditRecord]:
    """The records of some days whose field has one of some values, newest first."""
    costs.days_between(start, end)
    found: list[AuditRecord] = []
    after: str | None = None
    while True:
        page = audit.trail(
            services,
            {field: [*values]},
            start=moment_of(start.isoformat()),
            end=moment_of(end.isoformat()),
            after=after,
            limit=_AT_ONCE,
        )
        found += map(audit.read, page.documents)
        if len(found) > MOST_RECORDS:
            raise Rejected(
                f"There are more than {MOST_RECORDS:,} records from {start} up to before {end}. "
                "Ask for fewer days, or export the trail.",
                details={"field": "start", "most": MOST_RECORDS},
            )
        if page.cursor is None:
            return found
        after = page.cursor


def _grouped(
    records: Iterable[AuditRecord], key: Callable[[AuditRecord], tuple[object, ...]]
) -> Iterator[tuple[AuditRecord, list[AuditRecord]]]:
    """Records of one key together, with the newest of them; groups by their newest."""
    groups: dict[tuple[object, ...], list[AuditRecord]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    for found in groups.values():
        yield found[0], found


def _of(record: AuditRecord, model: type[Row]) -> dict[str, object]:
    """The record's fields that a row has as well."""
    return {n: getattr(record, n) for n in model.model_fields if n in AuditRecord.model_fields}


def _cell(value: object) -> Cell:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
