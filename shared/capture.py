"""Reading the public archive: each table once for everybody, newest first, within the budget.

A step of stage CAPTURE does a slice of what all registered repositories lack, and names the next.
One job does so at a time (``shared/job_places.py``), the others find it done. With the scope
``all`` an archive table is extracted whole, and the registered repositories' events are then
gathered from what was extracted; with ``registered`` they are read from the archive itself, which
has to be scanned anew for whoever is registered later.

Every run is named by what it does, so a repeat after a kill attaches to it and pays nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import date

import structlog

from shared import extractions, gathered, job_steps, planning, repositories, scraping
from shared.archive_fields import EXTRACTION_VERSION
from shared.budget_books import Charge
from shared.context import Services
from shared.errors import BudgetWaits, RetryLater
from shared.extractions import Extracted
from shared.gathered import Missing
from shared.jobs import Job, Stage
from shared.metering import Meter
from shared.models import iso
from shared.planning import Plan, Purchase
from shared.ports import Allowance, Archive, ArchiveTable, Json, Selection
from shared.repositories import Repository
from shared.tables import Dataset

log = structlog.get_logger()

TABLES_AT_ONCE = 5
"""Tables of a slice, read side by side. BigQuery jobs at once are five at most (DESIGN)."""

_SHARE = 10
"""A gathering's estimate knows nothing of clustering and is far too high, so it is cut into
stretches of which none reserves more than this part of what is left."""


@dataclass(frozen=True)
class _Demand:
    """Who is registered, the days that are wanted for them, and the job that asks."""

    job: Job
    everyone: tuple[Repository, ...]
    days: tuple[date, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(repository.name for repository in self.everyone)


def capture(services: Services, job: Job) -> tuple[Stage | None, dict[str, Json]]:
    """The step of stage CAPTURE. The next is another slice of it, or SCRAPE.

    What does not fit into the budget waits, and the boards are made of what there is; a repository
    of which there is nothing at all waits itself. Raises BudgetWaits, BudgetRefused, RetryLater,
    NotFound for a repository that was removed meanwhile.
    """
    repository = scraping.begin(services, job)
    archive = services.archive
    days = wanted(services, (repository,))
    if archive is None or not _lacks(services, repository, days):
        return Stage.SCRAPE, {}
    everyone = repositories.everyone(services)
    demand = _Demand(job, everyone, wanted(services, everyone))
    if services.settings.archive_scope == "all":
        plan = _extract(services, archive, demand)
        if not plan.more:
            _gather(services, archive, demand)
    else:
        plan = _read_for_registered(services, archive, demand)
    if plan.more:
        return Stage.CAPTURE, {}
    if plan.waiting and _lacks(services, repository, days) == frozenset(days):
        raise _waits(services)
    return Stage.SCRAPE, {"days_waiting": len(plan.waiting), "days_missing": len(plan.missing)}


def wanted(services: Services, everyone: Sequence[Repository]) -> tuple[date, ...]:
    """The days that the boards of these repositories look at."""
    settings = services.settings
    return planning.wanted_days(
        planning.last_final_day(services.now(), settings.archive_settles_hours),
        settings.history_days,
        [
            date.fromisoformat(r.never_rescrape_before[:10]) if r.never_rescrape_before else None
            for r in everyone
        ],
    )


def _lacks(services: Services, repository: Repository, days: Sequence[date]) -> frozenset[date]:
    units = services.warehouse.units(Dataset.EVENTS)
    return frozenset(days) - gathered.covered_days(units, repository.number)


def _waits(services: Services) -> BudgetWaits:
    status = services.budget.status()
    until = status.renews_at
    return BudgetWaits(
        f"The archive is read on when the budget is renewed, {until:%Y-%m-%d %H:%M} UTC.",
        not_before=until,
    )


# --- scope all: tables whole, then from what was extracted ------------------------------------


def _extract(services: Services, archive: Archive, demand: _Demand) -> Plan:
    """Extract the newest tables that are wanted, were not extracted yet and can be paid."""
    read = {day for line in extractions.read(services.documents) for day in line.days}
    plan = _plan(services, demand, archive, read, archive.extraction_bytes)

    def extract(purchase: Purchase) -> None:
        table = purchase.table
        id_ = _run_id(services, f"extract-v{EXTRACTION_VERSION}-{table.name}")

        def work(allowance: Allowance) -> None:
            extraction = archive.extract(table, allowance)
            extractions.note(services.documents, table, extraction, id_)
            log.info("archive_table_extracted", table=table.name, rows=extraction.rows)

        _metered(services, demand, id_, purchase.max_bytes, "extract_events", demand.names, work)

    return _carry_out(services, demand, plan, extract)


def _gather(services: Services, archive: Archive, demand: _Demand) -> None:
    """Bring the registered repositories' events of extracted days together, where they lack."""
    lines = extractions.read(services.documents)
    extracted = {day for line in lines for day in line.days} & set(demand.days)
    units = services.warehouse.units(Dataset.EVENTS)
    for group in gathered.missing(demand.everyone, units, extracted):
        for first, last in reversed(gathered.runs(group.days)):
            _gather_run(services, archive, demand, group, first, last, lines)


def _gather_run(
    services: Services,
    archive: Archive,
    demand: _Demand,
    group: Missing,
    first: date,
    last: date,
    lines: Sequence[Extracted],
) -> None:
    """Gather a stretch of days by as few statements as their estimates allow, newest first."""
    of = _selection(group.repositories)
    end = last
    while end >= first:
        begin, size = first, archive.gathering_bytes(of, first, end, None)
        while begin < end and size > services.budget.affordable_bytes() // _SHARE:
            begin = end - (end - begin) // 2
            size = archive.gathering_bytes(of, begin, end, None)
        days = planning.days_between(begin, end)
        unit = _unit_name(days, group)
        about = {**gathered.note_of(days, group.after, group.until), **_about(lines, days)}
        id_ = _run_id(services, f"gather-v{EXTRACTION_VERSION}-{unit}")

        def work(
            allowance: Allowance,
            unit: str = unit,
            days: Sequence[date] = days,
            about: dict[str, Json] = about,
        ) -> None:
            archive.gather(unit, of, days[0], days[-1], None, about, allowance)

        names = tuple(r.name for r in group.repositories)
        _metered(services, demand, id_, size, "gather_events", names, work)
        end = begin - planning.DAY


def _about(lines: Sequence[Extracted], days: Sequence[date]) -> dict[str, Json]:
    """What ``coverage.captured`` wants to know of a unit, from what was noted at extraction."""
    first, last = days[0], days[-1]
    within = [line for line in lines if line.last >= first and line.first <= last]
    begin, end = iso(planning.day_start(first)), iso(planning.day_start(last + planning.DAY))
    return {
        "claims": [begin, end],
        "hours": sorted({h for line in within for h in line.hours if begin <= h < end}),
        "last_at": max((line.last_at for line in within if line.last_at), default=None),
        "broken": {},
        "before_2015": 0,
    }


# --- scope registered: from the archive itself ------------------------------------------------


def _read_for_registered(services: Services, archive: Archive, demand: _Demand) -> Plan:
    """Read the newest tables of which somebody lacks the days, for all who are registered."""
    units = services.warehouse.units(Dataset.EVENTS)
    lacking = {
        d for g in gathered.missing(demand.everyone, units, demand.days) for d in g.days
    }
    of = _selection(demand.everyone)
    whole = Missing(demand.everyone, (), 0, max(r.number for r in demand.everyone))

    def cost(table: ArchiveTable) -> int:
        return archive.gathering_bytes(of, table.first, table.last, table)

    def read(purchase: Purchase) -> None:
        table = purchase.table
        days = planning.days_between(table.first, table.last)
        # Named by the table: what is read for more repositories takes the place of what was.
        about = gathered.note_of(days, whole.after, whole.until)
        id_ = _run_id(services, f"read-v{EXTRACTION_VERSION}-{_unit_name(days, whole)}")

        def work(allowance: Allowance) -> None:
            archive.gather(table.name, of, table.first, table.last, table, about, allowance)

        _metered(services, demand, id_, purchase.max_bytes, "read_archive", demand.names, work)

    plan = _plan(services, demand, archive, set(demand.days) - lacking, cost)
    return _carry_out(services, demand, plan, read)


# --- how --------------------------------------------------------------------------------------


def _plan(services, demand, archive, read, cost):  # type: ignore[no-untyped-def]
    raise NotImplementedError
