"""The public archive in BigQuery, and the store of extracted days beside our warehouse."""

from __future__ import annotations

import calendar
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date
from typing import Any

from infra.clock import Clock
from infra.gcp import bigquery_texts as texts
from infra.gcp.archive_days import ArchiveDays, Hour, about_table
from infra.gcp.archive_staging import Staging
from infra.gcp.bigquery_names import archive_dataset, archive_table
from infra.gcp.bigquery_parameters import Value
from infra.gcp.bigquery_runs import DESCRIBED, Order, records_written
from infra.gcp.table_definitions import ARCHIVE_EVENTS, REVISION
from infra.gcp.warehouse import BigQueryWarehouse
from shared.errors import BudgetRefused, NotFound, Rejected
from shared.ports import (
    Allowance,
    ArchiveTable,
    Documents,
    Extraction,
    Fields,
    Json,
    Selection,
    Unit,
)
from shared.tables import Dataset

_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})")
_MONTH = re.compile(r"(\d{4})(\d{2})")


class BigQueryArchive:
    """The port ``Archive`` over ``{project}.day`` and ``{project}.month``.

    Reading a table is two runs: one of the hours it has rows of, under the allowance's id with
    something behind it, and the one that carries the id. Together they keep within the allowance,
    and ``Warehouse.usage`` adds them up.
    """

    def __init__(
        self,
        warehouse: BigQueryWarehouse,
        documents: Documents,
        *,
        now: Clock,
        project: str = "githubarchive",
    ) -> None:
        self._warehouse = warehouse
        self._runs = warehouse.runs
        self._days = ArchiveDays(documents)
        self._staging = Staging(warehouse.client, now)
        self._project = project

    def tables(self, first: date, last: date) -> tuple[ArchiveTable, ...]:
        found = [
            table
            for period, form in (("day", "%Y%m%d"), ("month", "%Y%m"))
            for table in self._listed(period, f"{first:{form}}", f"{last:{form}}")
            if first <= table.first and table.last <= last
        ]
        return tuple(sorted(found, key=lambda table: table.name))

    # --- extraction -------------------------------------------------------------------------

    def extraction_bytes(self, table: ArchiveTable) -> int:
        with self._published(table):
            return sum(
                self._runs.estimate(order)
                for order in (self._description(table), self._extraction(table))
            )

    def extract(
        self, table: ArchiveTable, allowance: Allowance, removed: Collection[int] = ()
    ) -> Extraction:
        done = self._days.extracted(table, allowance.id)
        if done is not None:
            return done
        with self._published(table):
            hours, allowance = self._described(table, allowance)
            order = replace(self._extraction(table, removed), allowance=allowance)
            if table.first == table.last:
                partition = f"{self._store}${table.first:%Y%m%d}"
                job = self._runs.run(replace(order, destination=partition, truncate=True))
            else:
                job = self._by_staging(table, order, allowance)
        extraction = self._days.note(table, allowance.id, records_written(job), hours)
        if table.first != table.last:
            self._staging.remove(allowance.id, self._warehouse.place)
        return extraction

    def _by_staging(self, table: ArchiveTable, order: Order, allowance: Allowance) -> Any:
        """One query for the whole month, and then a copy a day, each in place of a partition."""
        staging = self._staging.prepare(allowance.id, self._warehouse.place)
        job = self._runs.run(replace(order, destination=staging, truncate=True))
        self._staging.spread(staging, self._store, table.first, table.last)
        return job

    # --- gathering --------------------------------------------------------------------------

    def gathering_bytes(
        self, of: Selection, first: date, last: date, table: ArchiveTable | None
    ) -> int:
        orders = [self._gathering(of, first, last, table)]
        if table is not None:
            orders.append(self._description(table))
        with self._published(table):
            return sum(map(self._runs.estimate, orders))

    def gather(
        self,
        unit: str,
        of: Selection,
        first: date,
        last: date,
        table: ArchiveTable | None,
        about: Fields,
        allowance: Allowance,
        removed: Collection[int] = (),
    ) -> Unit:
        order = self._gathering(of, first, last, table, removed)
        held: Mapping[str, Json]
        with self._published(table):
            if table is None:
                held = self._days.about(first, last)
            else:
                hours, allowance = self._described(table, allowance)
                held = about_table(table, first, last, hours)
            job = self._runs.run(replace(order, allowance=allowance))
        return self._warehouse.written_by(
            job, Dataset.EVENTS, unit, {**about, **held}, always_new=True
        )

    # --- orders -----------------------------------------------------------------------------

    @property
    def _store(self) -> str:
        return self._warehouse.place.table(ARCHIVE_EVENTS)

    def _extraction(self, table: ArchiveTable, removed: Collection[int] = ()) -> Order:
        parameters: dict[str, Value] = {**_days_of(table), "removed_ids": sorted(removed)}
        return Order("extract_events", texts.extraction(self._name(table)), parameters)

    def _description(self, table: ArchiveTable) -> Order:
        return Order("describe_archive", texts.description(self._name(table)), {})

    def _gathering(
        self,
        of: Selection,
        first: date,
        last: date,
        table: ArchiveTable | None,
        removed: Collection[int] = (),
    ) -> Order:
        if not of.repo_ids and not of.names:
            raise Rejected("Name at least one repository whose events are to be gathered.")
        parameters: dict[str, Value] = {
            "repo_ids": of.repo_ids,
            "first_day": first,
            "last_day": last,
            REVISION: self._warehouse.new_revision(),
        }
        if of.names:
            parameters["names"] = [name.lower() for name in of.names]
        if table is None:
            source = texts.stored_events(self._warehouse.place)
        else:
            source = texts.extraction(self._name(table))
            parameters |= {**_days_of(table), "removed_ids": sorted(removed)}
        return Order(
            "gather_events",
            texts.gathering(source, by_name=bool(of.names)),
            parameters,
            destination=self._warehouse.place.table(Dataset.EVENTS.value),
        )

    def _described(self, table: ArchiveTable, allowance: Allowance) -> tuple[list[Hour], Allowance]:
        """The hours of a table, and what is left of the allowance for the run itself."""
        order = self._description(table)
        price = self._runs.estimate(order)
        rest = allowance.max_bytes - price
        if rest < 0:
            raise BudgetRefused(
                f"Looking at {table.name} reads {price:,} bytes; {allowance.max_bytes:,} are "
                "allowed.",
                details={"table": table.name, "bytes": price, "max_bytes": allowance.max_bytes},
            )
        own = replace(allowance, id=allowance.id + DESCRIBED, max_bytes=price)
        found = self._runs.rows(replace(order, allowance=own)).to_pylist()
        hours = [Hour(row["hour"].astimezone(UTC), row["last_at"].astimezone(UTC)) for row in found]
        return hours, replace(allowance, max_bytes=rest)

    # --- names ------------------------------------------------------------------------------

    def _name(self, table: ArchiveTable) -> str:
        return archive_table(self._project, table.name)

    def _listed(self, period: str, first: str, last: str) -> Iterator[ArchiveTable]:
        text = texts.archive_sizes(archive_dataset(self._project, period))
        order = Order("list_archive", text, {"first_table": first, "last_table": last})
        for row in self._runs.rows(order).to_pylist():
            span = _span(row["name"])
            if span is not None:
                yield ArchiveTable(f"{period}.{row['name']}", *span, row["size_bytes"])

    @contextmanager
    def _published(self, table: ArchiveTable | None) -> Iterator[None]:
        """A table that the archive does not have is NotFound: it may be published later."""
        try:
            yield
        except Rejected as error:
            named = table is not None and f"{self._project}" in error.message
            if table is None or error.details.get("reason") != "notFound" or not named:
                raise
            raise NotFound(
                f"The archive has no table {table.name}.", details={"table": table.name}
            ) from error


def _days_of(table: ArchiveTable) -> dict[str, Value]:
    return {"table_first": table.first, "table_last": table.last}


def _span(name: str) -> tuple[date, date] | None:
    """The days of a table by its name, None for a name that is no day or month."""
    try:
        if found := _DAY.fullmatch(name):
            day = date(*map(int, found.groups()))
            return day, day
        if found := _MONTH.fullmatch(name):
            year, month = map(int, found.groups())
            return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])
    except ValueError:
        return None
    return None
