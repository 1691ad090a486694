"""The audit trail: records, whether they are what was sealed, and reports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, TypeVar

from functions.api.access import ADMIN
from functions.api.audit_schemas import (
    AccessAnswer,
    AuditAnswer,
    AuditQuery,
    ChangesAnswer,
    CostReportAnswer,
    IntegrityAnswer,
    IntegrityQuery,
    ReportMeta,
    ReportQuery,
    SecurityAnswer,
    integrity,
)
from functions.api.links import here, with_cursor
from functions.api.parsing import continuing_at
from functions.api.resource import Attachment, Call, Reply, Resource
from functions.api.schemas import Envelope, Links, ListMeta, Nothing
from shared import audit, audit_integrity, audit_reports
from shared.audit_reports import Access, Change, DayOfCosts, Row, Suspicion
from shared.context import Services
from shared.errors import Rejected, RetryLater
from shared.export_files import MEDIA_TYPES

resource = Resource("audit")

_CSV = (MEDIA_TYPES["csv"],)

RowT = TypeVar("RowT", bound=Row)


@resource.operation("GET", "/api/v1/audit", scope=ADMIN, errors=(RetryLater,))
def list_audit_records(call: Call, query: AuditQuery) -> Reply[AuditAnswer]:
    """Records by actor, resource, action, category, severity and time, newest first."""
    start, end = query.start, query.end
    if start is not None and end is not None and end <= start:
        raise Rejected("end: It is later than start.", details={"field": "end"})
    with continuing_at(query.cursor):
        page = audit.trail(
            call.services,
            query.where(),
            start=start,
            end=end,
            after=query.cursor,
            limit=query.limit,
        )
    return Reply(
        AuditAnswer(
            data=[audit.read(document) for document in page.documents],
            meta=ListMeta(limit=query.limit),
            links=with_cursor(page.cursor),
        )
    )


@resource.operation("GET", "/api/v1/audit/integrity", scope=ADMIN, errors=(RetryLater,))
def check_audit_trail(call: Call, query: IntegrityQuery) -> Reply[IntegrityAnswer]:
    """Check a slice of the trail against its seals. The link next leads to the next slice."""
    with continuing_at(query.cursor):
        found = audit_integrity.check_slice(call.services, query.cursor)
    return Reply(
        IntegrityAnswer(data=integrity(found), meta=Nothing(), links=with_cursor(found.following))
    )


@resource.operation(
    "GET", "/api/v1/audit/reports/access", scope=ADMIN, files=_CSV, errors=(RetryLater,)
)
def report_access(call: Call, query: ReportQuery) -> Reply[AccessAnswer]:
    """Who was let in for what, and what was taken along, as JSON or CSV."""
    return _report(call, query, "access", Access, audit_reports.access, AccessAnswer)


@resource.operation(
    "GET", "/api/v1/audit/reports/changes", scope=ADMIN, files=_CSV, errors=(RetryLater,)
)
def report_changes(call: Call, query: ReportQuery) -> Reply[ChangesAnswer]:
    """What was changed or asked for, with old and new values, as JSON or CSV."""
    return _report(call, query, "changes", Change, audit_reports.changes, ChangesAnswer)


@resource.operation(
    "GET", "/api/v1/audit/reports/security", scope=ADMIN, files=_CSV, errors=(RetryLater,)
)
def report_security(call: Call, query: ReportQuery) -> Reply[SecurityAnswer]:
    """Refusals, failures, and what changed who gets in, as JSON or CSV."""
    return _report(call, query, "security", Suspicion, audit_reports.security, SecurityAnswer)


@resource.operation(
    "GET", "/api/v1/audit/reports/costs", scope=ADMIN, files=_CSV, errors=(RetryLater,)
)
def report_costs(call: Call, query: ReportQuery) -> Reply[CostReportAnswer]:
    """What each day's statements were billed, as JSON or CSV."""
    return _report(call, query, "costs", DayOfCosts, audit_reports.spent, CostReportAnswer)


def _report(
    call: Call,
    query: ReportQuery,
    name: str,
    row: type[RowT],
    read: Callable[[Services, date, date], Sequence[RowT]],
    answer: type[Envelope[list[RowT], ReportMeta, Links]],
) -> Reply[Any]:
    start, end = query.days(call.services.now().date())
    rows = list(read(call.services, start, end))
    meta = ReportMeta(start=start.isoformat(), end=end.isoformat(), rows=len(rows))
    file = None
    if query.format == "csv":
        file = Attachment(
            audit_reports.as_csv(row, rows), _CSV[0], f"audit-{name}-{start}-{end}.csv", {}
        )
    return Reply(answer(data=rows, meta=meta, links=here()), attachment=file)
