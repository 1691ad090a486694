"""Reading the public archive: each table once for everybody, newest first, within the budget.

A step of stage CAPTURE does a slice of what all registered repositories lack, and names the next.
One job does so at a time (``shared/job_places.py``), the others find it done. With the scope
``all`` an archive table is extracted whole, and the registered repositories' events are then
gathered from what was extracted; with ``registered`` they are read from the archive itself, which
has to be scanned anew for whoever is registered later.

Every run is named by what it does, so a repeat after a kill attaches to it and pays nothing.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from datetime import date

import structlog

from shared import (
    extractions,
    gathered,
    job_steps,
    jobs,
    people,
    planning,
    removals,
    repositories,
    scraping,
)
from shared.archive_fields import EXTRACTION_VERSION
from shared.budget_books import Charge
from shared.context import Services
from shared.errors import BudgetWaits, RunExpired
from shared.extractions import Extracted
from shared.gathered import Missing
from shared.jobs import Job, Stage
from shared.metering import Meter
from shared.metrics import EVENTS
from shared.planning import Plan, Purchase
from shared.ports import Allowance, Archive, ArchiveTable, Json, Selection
from shared.repositories import Repository
from shared.tables import Dataset

log = structlog.get_logger()

TABLES_AT_ONCE = 5
"""Tables of a slice, read side by side. BigQuery jobs at once are five at most (DESIGN)."""

_SHARE = 10
"""The estimate of a gathering knows nothing of clustering and is far too high: it is cut into
stretches of which none reserves more than this part of what is left."""


def capture(services: Services, job: Job) -> tuple[Stage | None, dict[str, Json]]:
    """The step of stage CAPTURE. The next is another slice of it, or SYNC, or SCRAPE.

    What does not fit into the budget waits, and the boards are made of what there is; a repository
    of which there is nothing at all yet, and of which GitHub tells nothing, waits itself. Raises
    BudgetWaits, BudgetRefused, RetryLater, NotFound for a repository that was removed meanwhile.
    """
    repository = scraping.begin(services, job)
    days = wanted(services, (repository,))
    if services.archive is None or not _lacking(services, repository, days):
        return jobs.stage_after_capture(services), {}
    plan = _slice(_Capture(services, services.archive, job), services.settings.archive_scope)
    if plan.now:
        return Stage.CAPTURE, {}
    github = services.github
    told = github is not None and github.reads_contributions
    if plan.waiting and not told and _is_unseen(services, repository, days):
        until = services.budget.room().renews_at
        raise BudgetWaits(
            f"Reading the archive waits for the budget, until {until:%Y-%m-%d %H:%M} UTC.",
            not_before=until,
        )
    counts: dict[str, Json] = {
        "days_waiting": len(plan.waiting),
        "days_missing": len(plan.missing),
    }
    return jobs.stage_after_capture(services), counts


def _is_unseen(services: Services, repository: Repository, days: Sequence[date]) -> bool:
    """True if no day was read for it, or none in which it did anything."""
    if _lacking(services, repository, days) == frozenset(days):
        return True
    return repository.github_id is None and scraping.find(services, repository) is None


def _slice(archive: _Capture, scope: str) -> Plan:
    """What a step does: tables as long as there are any to read, and then, at once, the rest."""
    if scope == "registered":
        return archive.read()
    plan = archive.extract()
    return plan if plan.now else archive.gather(plan)


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


def _lacking(services: Services, repository: Repository, days: Sequence[date]) -> frozenset[date]:
    units = services.warehouse.units(Dataset.EVENTS)
    return frozenset(days) - gathered.covered_days(units, repository.number)


class _Capture:
    """A slice of what the registered repositories lack, for the job that has the archive now."""

    def __init__(self, services: Services, archive: Archive, job: Job) -> None:
        self._services = services
        self._archive = archive
        self._job = job
        self._everyone = repositories.everyone(services)
        self._days = wanted(services, self._everyone)
        self._meter = Meter(services.budget, services.warehouse.usage)

    # --- scope all: tables whole, then from what was extracted --------------------------------

    def extract(self) -> Plan:
        """Extract the newest tables that are wanted, were not extracted yet and can be paid."""
        read = {day for line in self._ledger() for day in line.days}
        plan = self._plan(read, self._archive.extraction_bytes)
        return self._carry_out(plan, self._extract_one)

    def _extract_one(self, purchase: Purchase) -> None:
        table = purchase.table
        name = f"extract-v{EXTRACTION_VERSION}-{table.name}"

        def work(allowance: Allowance) -> None:
            removed = people.current(self._services).removed
            extraction = self._archive.extract(table, allowance, removed)
            removals.drop_newly_removed(self._services, removed)
            extractions.note(self._services, table, extraction, allowance.id)
            self._services.telemetry.measure(EVENTS, extraction.rows, source="archive")
            log.info("archive_table_extracted", table=table.name, rows=extraction.rows)

        self._run(name, purchase.max_bytes, "extract_events", self._everyone, work)

    def gather(self, plan: Plan) -> Plan:
        """Bring the repositories' events of extracted days together, where they lack some.

        Gives the plan with the days that wait for the budget nevertheless.
        """
        extracted = {day for line in self._ledger() for day in line.days} & set(self._days)
        units = self._services.warehouse.units(Dataset.EVENTS)
        groups = gathered.missing(self._everyone, units, extracted)
        left = [(group, run) for group in groups for run in reversed(gathered.runs(group.days))]
        try:
            while left:
                group, (first, last) = left[0]
                self._gather_stretch(group, first, last)
                left.pop(0)
        except BudgetWaits as error:
            log.info("gathering_waits", reason=error.message)
        waiting = {day for _, run in left for day in planning.days_between(*run)}
        return replace(plan, waiting=tuple(sorted({*plan.waiting, *waiting}, reverse=True)))

    def _gather_stretch(self, group: Missing, first: date, last: date) -> None:
        """By as few statements as their estimates allow, newest first."""
        of = _selection(group.repositories)
        while last >= first:
            begin = first
            size = self._archive.gathering_bytes(of, begin, last, None)
            most = self._services.budget.room().bytes // _SHARE
            while size > most and begin < last:
                begin += (last - begin + planning.DAY) // 2
                size = self._archive.gathering_bytes(of, begin, last, None)
            self._gather_days(group, of, planning.days_between(begin, last), size)
            last = begin - planning.DAY

    def _gather_days(self, group: Missing, of: Selection, days: Sequence[date], size: int) -> None:
        unit = _unit_name(days, group.after, group.until)
        about = gathered.note_of(days, group.after, group.until)

        def work(allowance: Allowance) -> None:
            removed = people.current(self._services).removed
            self._archive.gather(unit, of, days[0], days[-1], None, about, allowance, removed)
            removals.drop_newly_removed(self._services, removed)

        name = f"gather-v{EXTRACTION_VERSION}-{unit}"
        self._run(name, size, "gather_events", group.repositories, work)
        log.info("events_gathered", unit=unit, repositories=len(group.repositories))

    def _ledger(self) -> tuple[Extracted, ...]:
        return extractions.read(self._services.documents)

    # --- scope registered: from the archive itself --------------------------------------------

    def read(self) -> Plan:
        """Read the newest tables of which somebody lacks the days, for all who are registered."""
        units = self._services.warehouse.units(Dataset.EVENTS)
        groups = gathered.missing(self._everyone, units, self._days)
        of = _selection(self._everyone)
        lacking = {day for group in groups for day in group.days}
        plan = self._plan(
            set(self._days) - lacking,
            lambda table: self._archive.gathering_bytes(of, table.first, table.last, table),
        )
        return self._carry_out(plan, lambda purchase: self._read_one(purchase, of))

    def _read_one(self, purchase: Purchase, of: Selection) -> None:
        table = purchase.table
        days = planning.days_between(table.first, table.last)
        until = max(repository.number for repository in self._everyone)
        about = gathered.note_of(days, 0, until)

        def work(allowance: Allowance) -> None:
            # Named by the table: what is read for more repositories takes the place of what was.
            removed = people.current(self._services).removed
            first, last = table.first, table.last
            unit = self._archive.gather(
                table.name, of, first, last, table, about, allowance, removed
            )
            self._services.telemetry.measure(EVENTS, unit.rows, source="archive")
            removals.drop_newly_removed(self._services, removed)

        name = f"read-v{EXTRACTION_VERSION}-{table.name}-{until}"
        self._run(name, purchase.max_bytes, "read_archive", self._everyone, work)
        log.info("archive_table_read", table=table.name, repositories=len(self._everyone))

    # --- both ---------------------------------------------------------------------------------

    def _plan(self, read: Iterable[date], cost: Callable[[ArchiveTable], int]) -> Plan:
        tables = self._archive.tables(self._days[0], self._days[-1])
        room = self._services.budget.room().bytes
        return planning.plan(self._days, read, tables, cost, room, TABLES_AT_ONCE)

    def _carry_out(self, plan: Plan, work: Callable[[Purchase], None]) -> Plan:
        """Work on the tables side by side. Gives the plan with those that were read.

        If somebody else has used up the budget meanwhile, the others wait.
        """
        if not plan.now:
            return plan
        job_steps.report(
            self._services,
            self._job,
            0,
            1,
            f"reading the archive back to {plan.now[-1].table.first}",
        )
        with ThreadPoolExecutor(len(plan.now)) as pool:
            running = [pool.submit(copy_context().run, work, one) for one in plan.now]
        read: list[Purchase] = []
        for purchase, one in zip(plan.now, running, strict=True):
            try:
                one.result()
            except BudgetWaits as error:
                log.info("archive_waits", table=purchase.table.name, reason=error.message)
            else:
                read.append(purchase)
        return replace(plan, now=tuple(read))

    def _run(
        self,
        name: str,
        max_bytes: int,
        statement: str,
        whose: Sequence[Repository],
        work: Callable[[Allowance], None],
    ) -> None:
        """Run within the budget, under a name that finds the run again after a kill."""
        names = tuple(repository.name for repository in whose)
        # A run that failed, or is too long ago to be taken up, is followed by one under a new name.
        for number in itertools.count(1):
            id_ = f"{name.replace('.', '-')}-{number}"
            usage = self._services.warehouse.usage(id_)
            if usage is not None and usage.failed:
                continue
            with contextlib.suppress(RunExpired):
                self._meter.run(Charge(id_, max_bytes, statement, self._job.id, names), work)
                return


def _selection(whose: Iterable[Repository]) -> Selection:
    """By id where it is known, else by name."""
    ids = {r.github_id for r in whose if r.github_id is not None}
    names = {r.registered_as.full.lower() for r in whose if r.github_id is None}
    return Selection(tuple(sorted(ids)), tuple(sorted(names)))


def _unit_name(days: Sequence[date], after: int, until: int) -> str:
    return f"{days[0]:%Y%m%d}-{days[-1]:%Y%m%d}-{after}-{until}"
