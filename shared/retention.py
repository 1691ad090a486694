"""What is removed when its time has come, in slices that each name the next.

Every slice may be repeated: what is gone is not found again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from shared import (
    audit_expiry,
    auth_failures,
    forgotten,
    github_pages,
    jobs,
    orphans,
    pipeline_runs,
)
from shared.budget_books import day_name, entry
from shared.context import Services
from shared.models import iso
from shared.ports import Document, Json, Query, Transaction, Write
from shared.tables import Dataset

OCCASIONS_KEPT = timedelta(days=7)
"""Longer than any delivery or signed call can be late."""

_SLICE = 200
_STATE = "state/retention"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Slice:
    """What to look at: the name of a sweep, and where in it to go on."""

    sweep: str
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Swept:
    """What a slice removed, and the one that follows, None after the last."""

    removed: int
    following: Slice | None


def first() -> Slice:
    """Where a round begins."""
    return Slice(next(iter(_SWEEPS)))


def apply_slice(services: Services, slice_: Slice, round_: str) -> Swept:
    """Remove what is due of one slice of a round, and note it in ``state/retention``.

    Raises KeyError for a sweep that there is not.
    """
    removed, cursor = _SWEEPS[slice_.sweep](services, slice_.after)
    names = list(_SWEEPS)
    later = names[names.index(slice_.sweep) + 1 :]
    following = Slice(slice_.sweep, cursor) if cursor else Slice(later[0]) if later else None
    _note(services, round_, slice_.sweep, removed, ended=following is None)
    log.info("retention_slice", sweep=slice_.sweep, removed=removed, more=following is not None)
    return Swept(removed, following)


def apply(services: Services, round_: str) -> dict[str, int]:
    """A whole round at once. Returns how many were removed by each sweep."""
    counts = dict.fromkeys(_SWEEPS, 0)
    slice_: Slice | None = first()
    while slice_ is not None:
        swept = apply_slice(services, slice_, round_)
        counts[slice_.sweep] += swept.removed
        slice_ = swept.following
    return counts


# --- the sweeps: each removes some from a cursor on, and returns how many and the next cursor -----

_Sweep = Callable[[Services, str | None], tuple[int, str | None]]


def _jobs(services: Services, after: str | None) -> tuple[int, str | None]:
    oldest = iso(_oldest(services))

    def is_due(document: Document) -> bool:
        job = jobs.read(document)
        return job.ended and (job.finished_at or job.created_at) < oldest

    return _older(services, "jobs", "created_at", after, oldest, is_due)


def _runs(services: Services, after: str | None) -> tuple[int, str | None]:
    oldest = iso(_oldest(services))

    def is_due(document: Document) -> bool:
        run = pipeline_runs.read(document)
        return not run.open and (run.finished_at or run.created_at) < oldest

    return _older(services, "pipelines", "created_at", after, oldest, is_due)


def _letters(services: Services, after: str | None) -> tuple[int, str | None]:
    oldest = iso(_oldest(services))

    def is_due(document: Document) -> bool:
        return document.fields.get("settled_at") is not None or _was_outlived(services, document)

    return _older(services, "dead_letters", "failed_at", after, oldest, is_due)


def _was_outlived(services: Services, letter: Document) -> bool:
    """True if its repository was scraped since, or is not registered any more.

    That is told by its job; without it the letter says nothing that anybody could act on.
    """
    if "job_id" not in letter.fields:
        return False
    (found,) = services.documents.get(f"jobs/{letter.fields['job_id']}")
    key = None if found is None else jobs.read(found).repository_key
    if key is None:
        return found is None
    (repository,) = services.documents.get(f"repositories/{key}")
    if repository is None:
        return True
    return str(repository.fields["last_scraped_at"] or "") > str(letter.fields["failed_at"])


def _occasions(services: Services, after: str | None) -> tuple[int, str | None]:
    oldest = iso(services.now() - OCCASIONS_KEPT)
    return _older(services, "pipeline_occasions", "created_at", after, oldest, lambda _: True)


def _failures(services: Services, after: str | None) -> tuple[int, str | None]:
    oldest = iso(services.now() - auth_failures.WITHIN)
    return _older(services, "auth_failures", "last_at", after, oldest, lambda _: True)


def _generations(services: Services, after: str | None) -> tuple[int, str | None]:
    return orphans.remove_orphans(services, after, _SLICE)


def _warehouse(services: Services, _after: str | None) -> tuple[int, str | None]:
    return sum(services.warehouse.sweep(each) for each in Dataset if each != Dataset.EVENTS), None


def _events(services: Services, _after: str | None) -> tuple[int, str | None]:
    return forgotten.sweep_events(services), None


def _charges(services: Services, after: str | None) -> tuple[int, str | None]:
    kept = _ledger_days(services)

    def is_due(document: Document) -> bool:
        bill = entry(document)
        return not bill.open and bill.day in kept

    return _older(services, "charges", "reserved_at", after, iso(_oldest_cost(services)), is_due)


def _cost_days(services: Services, after: str | None) -> tuple[int, str | None]:
    kept = _ledger_days(services)
    oldest = day_name(_oldest_cost(services))
    return _older(services, "cost_days", "day", after, oldest, lambda each: each.id in kept)


def _ledger_days(services: Services) -> frozenset[str]:
    """The days whose bills stand in the warehouse, where they are kept for good."""
    return frozenset(unit.name for unit in services.warehouse.units(Dataset.COSTS))


def _oldest_cost(services: Services) -> datetime:
    return services.now() - timedelta(days=services.settings.costs_days)


def _exports(services: Services, after: str | None) -> tuple[int, str | None]:
    return _older(services, "exports", "created_at", after, iso(_oldest(services)), lambda _: True)


def _blobs(services: Services, _after: str | None) -> tuple[int, str | None]:
    removed = services.blobs.sweep(_SLICE)
    return removed, "more" if removed == _SLICE else None


def _audit(services: Services, _after: str | None) -> tuple[int, str | None]:
    return audit_expiry.expire(services, _SLICE)


_SWEEPS: Mapping[str, _Sweep] = {
    # Letters before jobs, which tell whether a letter is settled.
    "dead_letters": _letters,
    "jobs": _jobs,
    "pipelines": _runs,
    "occasions": _occasions,
    "auth_failures": _failures,
    "generations": _generations,
    "github": github_pages.sweep,
    "charges": _charges,
    "cost_days": _cost_days,
    "events": _events,
    "warehouse": _warehouse,
    "exports": _exports,
    "blobs": _blobs,
    "audit": _audit,
}


# --- how ------------------------------------------------------------------------------------


def _oldest(services: Services) -> datetime:
    return services.now() - timedelta(days=services.settings.retention_days)


def _older(
    services: Services,
    collection: str,
    field: str,
    after: str | None,
    than: str,
    is_due: Callable[[Document], bool],
) -> tuple[int, str | None]:
    """Remove those documents of a slice that are older than a time, by a field, and due."""
    page = services.documents.query(
        Query(collection, ((field, "<", than),), field, after=after, limit=_SLICE)
    )
    due = [Write(document.path, None) for document in page.documents if is_due(document)]
    if due:
        services.documents.write(due)
    return len(due), page.cursor


def _note(services: Services, round_: str, sweep: str, removed: int, *, ended: bool) -> None:
    now = iso(services.now())

    def note(transaction: Transaction) -> None:
        before = transaction.get(_STATE)
        fields: dict[str, Json] = {"round": round_, "started_at": now, "removed": {}}
        if before is not None and before.fields["round"] == round_:
            fields = dict(before.fields)
        counts = fields["removed"]
        counts = dict(counts) if isinstance(counts, dict) else {}
        counts[sweep] = int(str(counts.get(sweep, 0))) + removed
        finished = {"finished_at": now} if ended else {}
        transaction.write(Write(_STATE, {**fields, "removed": counts, **finished}))

    services.documents.transact(note)
