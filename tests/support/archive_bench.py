"""The public archive over rows in memory: it counts scans and bills them as BigQuery does."""

from __future__ import annotations

import calendar
from collections.abc import Collection, Iterable
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from infra.archive_rows import ArchiveRows
from shared.budget import Budget
from shared.forgetting import without
from shared.metering import MeteredWarehouse
from shared.models import iso
from shared.planning import DAY, day_start, days_between
from shared.ports import (
    Allowance,
    ArchiveTable,
    Extraction,
    Fields,
    Selection,
    Unit,
    Usage,
    Warehouse,
)
from shared.tables import Dataset
from tests.support.lines import Line, write_gz

DAY_BYTES = 14 * 10**9
"""What a day of the archive is billed: about what it really is."""
SLIM_BYTES = 10**9
"""What the estimate of gathering says for a day, whoever is gathered."""
GATHERED_BYTES = 20 * 10**6
"""What gathering is billed, since the days are clustered by repository."""


class ArchiveBench:
    """The port ``Archive``: rows by the day of their time, and a table for each day of a span."""

    def __init__(self, rows: pa.Table, first: date, last: date, warehouse: Warehouse) -> None:
        self._rows = rows
        self._first, self._last = first, last
        self._warehouse = warehouse
        self._extracted: set[date] = set()
        self.scanned: list[str] = []
        self.usages: dict[str, Usage] = {}

    @property
    def billed(self) -> int:
        return sum(usage.bytes_billed for usage in self.usages.values())

    def tables(self, first: date, last: date) -> tuple[ArchiveTable, ...]:
        days = [d for d in days_between(first, last) if self._first <= d <= self._last]
        found = [ArchiveTable(f"day.{d:%Y%m%d}", d, d, DAY_BYTES) for d in days]
        for year, month in sorted({(d.year, d.month) for d in days}):
            length = calendar.monthrange(year, month)[1]
            begin, end = date(year, month, 1), date(year, month, length)
            if begin in days and end in days:
                size = DAY_BYTES * length
                found.append(ArchiveTable(f"month.{begin:%Y%m}", begin, end, size))
        return tuple(found)

    def extraction_bytes(self, table: ArchiveTable) -> int:
        return table.size_bytes

    def extract(
        self, table: ArchiveTable, allowance: Allowance, removed: Collection[int] = ()
    ) -> Extraction:
        del removed  # the days are read from the rows, and gathered without them
        if self._bill(allowance, "extract_events", table.size_bytes):
            self.scanned.append(table.name)
        self._extracted |= set(days_between(table.first, table.last))
        rows = self._between(table.first, table.last)
        times: list[datetime] = rows["created_at"].to_pylist()
        hours = {moment.replace(minute=0, second=0, microsecond=0) for moment in times}
        return Extraction(table.name, rows.num_rows, tuple(sorted(hours)), max(times, default=None))

    def gathering_bytes(
        self,
        of: Selection,
        first: date,
        last: date,
        table: ArchiveTable | None,
    ) -> int:
        return table.size_bytes if table else SLIM_BYTES * len(days_between(first, last))

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
        rows = self._between(first, last)
        if removed:
            left = [without(batch, removed) for batch in rows.to_batches()]
            rows = pa.Table.from_batches(left, rows.schema)
        if table is None:
            assert set(days_between(first, last)) <= self._extracted
            self._bill(allowance, "gather_events", GATHERED_BYTES)
        else:
            if self._bill(allowance, "read_archive", table.size_bytes):
                self.scanned.append(table.name)
        noted = {**about, **_measured(rows, first, last)}
        return self._warehouse.replace(Dataset.EVENTS, unit, _of(rows, of).to_batches(), noted)

    def _between(self, first: date, last: date) -> pa.Table:
        times = self._rows["created_at"]
        begin, end = pa.scalar(day_start(first)), pa.scalar(day_start(last + DAY))
        return self._rows.filter(pc.and_(pc.greater_equal(times, begin), pc.less(times, end)))

    def _bill(self, allowance: Allowance, statement: str, size: int) -> bool:
        """False for a run that is known already: nobody pays twice for it."""
        if allowance.id in self.usages:
            return False
        assert size <= allowance.max_bytes
        moment = datetime.fromisoformat("2025-03-20T12:00:00+00:00")
        self.usages[allowance.id] = Usage(
            statement, moment, 1, 1, size, size, job=allowance.job, id=allowance.id
        )
        return True


class BenchWarehouse(MeteredWarehouse):
    """A metered warehouse whose books have the runs of the bench as well."""

    def __init__(self, inner: Warehouse, budget: Budget, bench: ArchiveBench) -> None:
        super().__init__(inner, budget, lambda: "unused")
        self._bench = bench

    def usage(self, id_: str) -> Usage | None:
        return self._bench.usages.get(id_) or super().usage(id_)


def rows_of(lines: Iterable[Line], folder: Path, now: datetime) -> pa.Table:
    """Archive rows as slim events."""
    folder.mkdir(parents=True, exist_ok=True)
    write_gz(folder / "rows.json.gz", lines)
    reader = ArchiveRows(folder / "rows.json.gz", now=now)
    return pa.Table.from_batches(list(reader))


def _of(rows: pa.Table, of: Selection) -> pa.Table:
    named = pc.is_in(pc.utf8_lower(rows["repo_name"]), pa.array(of.names, pa.string()))
    by_id = pc.is_in(rows["repo_id"], pa.array(of.repo_ids, pa.int64()))
    return rows.filter(pc.or_(named, by_id))


def _measured(rows: pa.Table, first: date, last: date) -> Fields:
    times: list[datetime] = rows["created_at"].to_pylist()
    return {
        "claims": [iso(day_start(first)), iso(day_start(last + DAY))],
        "hours": [iso(m.replace(minute=0, second=0, microsecond=0)) for m in times],
        "last_at": iso(max(times)) if times else None,
        "broken": {},
        "before_2015": 0,
    }
