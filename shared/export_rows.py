"""Where the rows of an export come from: a page at a time, to the last one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time

from shared import people
from shared.budget_books import entry
from shared.context import Services
from shared.export_boards import of_activity, of_board
from shared.export_files import Cell, Column, Row
from shared.export_wanted import Filters, Opened, Type, Wanted, check
from shared.models import iso
from shared.ports import Document, Query

_DOCUMENTS_A_PAGE = 300


def opened(services: Services, wanted: Wanted) -> Opened:
    """The rows of an export, none of them read yet.

    Raises Rejected for filters that do not belong to the type or cannot be, NotFound for a board
    or somebody that is not there.
    """
    check(wanted)
    return _SOURCES[wanted.type](services, wanted)


def stays_true(services: Services, source: Opened) -> bool:
    """False if somebody was removed or hidden since the rows were opened."""
    return people.count(services.documents) == source.people


# --- costs and audit ------------------------------------------------------------------------------

_COST_COLUMNS = (
    Column("id"),
    Column("statement"),
    Column("job"),
    Column("reserved_at"),
    Column("settled_at"),
    Column("duration_ms", "integer"),
    Column("rows", "integer"),
    Column("bytes_processed", "integer"),
    Column("bytes_billed", "integer"),
    Column("slot_ms", "integer"),
    Column("cache_hit", "boolean"),
    Column("micro_usd", "integer"),
    Column("repositories"),
    Column("more_repositories", "integer"),
)

_AUDIT_TEXTS = (
    "id", "timestamp", "actor_id", "actor_type", "action", "category", "severity",
    "resource_type", "resource_id", "description", "ip_address", "user_agent", "request_id",
)  # fmt: skip
_AUDIT_COLUMNS = (
    *map(Column, _AUDIT_TEXTS),
    Column("old_value"),
    Column("new_value"),
    Column("seal", "integer"),
)


def _costs(services: Services, wanted: Wanted) -> Opened:
    pages = _documents(services, "charges", "reserved_at", wanted.filters)
    return _of_documents(services, wanted, _COST_COLUMNS, pages, _cost_row)


def _audit(services: Services, wanted: Wanted) -> Opened:
    pages = _documents(services, "audit", "timestamp", wanted.filters)
    return _of_documents(services, wanted, _AUDIT_COLUMNS, pages, _audit_row)


def _of_documents(
    services: Services,
    wanted: Wanted,
    columns: tuple[Column, ...],
    pages: Iterator[Sequence[Document]],
    row: Callable[[Document], Row],
) -> Opened:
    return Opened(
        wanted=wanted,
        columns=columns,
        pages=([row(document) for document in page] for page in pages),
        about={},
        size=None,
        people=people.count(services.documents),
    )


def _cost_row(document: Document) -> Row:
    bill = entry(document)
    return (
        bill.id, bill.statement, bill.job, bill.reserved_at, bill.settled_at, bill.duration_ms,
        bill.rows, bill.bytes_processed, bill.bytes_billed, bill.slot_ms, bill.cache_hit,
        bill.micro_usd, ", ".join(bill.repositories), bill.more,
    )  # fmt: skip


def _audit_row(document: Document) -> Row:
    texts: list[Cell] = []
    for name in _AUDIT_TEXTS:
        value = document.fields.get(name)
        texts.append(None if value is None else str(value))
    values = (document.fields.get(name) for name in ("old_value", "new_value"))
    told = (None if v is None else json.dumps(v, ensure_ascii=False) for v in values)
    seal = document.fields.get("seal")
    return (*texts, *told, seal if isinstance(seal, int) else None)


def _documents(
    services: Services, collection: str, field: str, filters: Filters
) -> Iterator[Sequence[Document]]:
    """All documents of some days, oldest first."""
    # Times are texts that begin with a digit.
    start = "" if filters.start is None else _midnight(filters.start)
    end = "~" if filters.end is None else _midnight(filters.end)
    after: str | None = None
    while True:
        page = services.documents.query(
            Query(
                collection,
                ((field, ">=", start), (field, "<", end)),
                field,
                after=after,
                limit=_DOCUMENTS_A_PAGE,
            )
        )
        if page.documents:
            yield page.documents
        if page.cursor is None:
            return
        after = page.cursor


def _midnight(day: date) -> str:
    return iso(datetime.combine(day, time(), UTC))


_SOURCES: Mapping[Type, Callable[[Services, Wanted], Opened]] = {
    "global": of_board,
    "repository": of_board,
    "activity": of_activity,
    "costs": _costs,
    "audit": _audit,
}
