"""A warehouse that reads nothing, sends bills, and keeps books of its own to compare with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from shared.errors import BudgetRefused
from shared.ports import Allowance, Fields, Parameter, Unit, Usage
from shared.tables import Dataset

GIB = 1 << 30


class BilledWarehouse:
    """The port ``Warehouse``. ``estimates`` and ``bills`` are in bytes by statement, else ``size``.

    A run is booked before its answer is given. Whatever is in ``running`` has not ended.
    """

    def __init__(self, now: Callable[[], datetime], size: int = GIB) -> None:
        self._now = now
        self._lock = threading.Lock()
        self.size = size
        self.estimates: dict[str, int] = {}
        self.bills: dict[str, int] = {}
        self.runs: dict[str, Usage] = {}
        self.running: set[str] = set()
        self.loaded: dict[tuple[Dataset, str], pa.Table] = {}

    @property
    def billed(self) -> int:
        """The bytes of all bills."""
        return sum(usage.bytes_billed for usage in self.runs.values())

    def replace(
        self, dataset: Dataset, unit: str, batches: Iterable[pa.RecordBatch], about: Fields
    ) -> Unit:
        table = pa.Table.from_batches(list(batches))
        self.loaded[dataset, unit] = table
        return Unit(dataset, unit, table.num_rows, "digest", about)

    def derive(
        self,
        statement: str,
        parameters: Mapping[str, Parameter],
        dataset: Dataset,
        unit: str,
        about: Fields,
        *,
        allowance: Allowance | None = None,
    ) -> Unit:
        del parameters
        self._run(statement, allowance)
        return Unit(dataset, unit, 0, "digest", about)

    def forgetting_bytes(self, dataset: Dataset) -> int:
        del dataset
        return self.estimate("forget", {})

    def forget(
        self, dataset: Dataset, accounts: Collection[int], *, allowance: Allowance | None = None
    ) -> int:
        del dataset, accounts
        self._run("forget", allowance)
        return 0

    def sweeping_bytes(self, dataset: Dataset, *, forgotten: Collection[int] = ()) -> int:
        del dataset, forgotten
        return self.estimate("sweep", {})

    def sweep(
        self,
        dataset: Dataset,
        *,
        forgotten: Collection[int] = (),
        allowance: Allowance | None = None,
    ) -> int:
        del dataset, forgotten
        self._run("sweep", allowance)
        return 0

    def remove(self, dataset: Dataset, unit: str) -> None:
        self.loaded.pop((dataset, unit), None)

    def unit(self, dataset: Dataset, name: str) -> Unit | None:
        table = self.loaded.get((dataset, name))
        return None if table is None else Unit(dataset, name, table.num_rows, "digest")

    def units(self, dataset: Dataset) -> tuple[Unit, ...]:
        found = (self.unit(*place) for place in sorted(self.loaded) if place[0] is dataset)
        return tuple(unit for unit in found if unit is not None)

    def query(
        self,
        statement: str,
        parameters: Mapping[str, Parameter],
        *,
        allowance: Allowance | None = None,
    ) -> pa.Table:
        del parameters
        self._run(statement, allowance)
        return pa.table({"n": [1]})

    def estimate(self, statement: str, parameters: Mapping[str, Parameter]) -> int:
        del parameters
        return self.estimates.get(statement, self.size)

    def usage(self, id_: str) -> Usage | None:
        usage = self.runs.get(id_)
        return usage and replace(usage, done=id_ not in self.running)

    def ledger(self, since: datetime, limit: int) -> tuple[Usage, ...]:
        found = [usage for usage in self.runs.values() if usage.started_at >= since]
        return tuple(sorted(found, key=lambda u: u.started_at, reverse=True)[:limit])

    def _run(self, statement: str, allowance: Allowance | None) -> None:
        bill = self.bills.get(statement, self.size)
        id_ = f"anonymous-{len(self.runs)}" if allowance is None else allowance.id
        with self._lock:
            if id_ in self.runs:
                return
            if allowance is not None and bill > allowance.max_bytes:
                raise BudgetRefused(f"{bill} bytes are more than {allowance.max_bytes}")
            self.runs[id_] = Usage(
                statement, self._now(), 5, 1, bill, bill,
                job=allowance.job if allowance else None, id=id_, slot_ms=7,
            )  # fmt: skip
