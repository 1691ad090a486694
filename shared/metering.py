"""Runs that cost money: estimated, reserved, capped while they run, and settled by their bill."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import TypeVar

import pyarrow as pa
import structlog

from shared.budget import Budget
from shared.budget_books import Charge
from shared.errors import BudgetRefused, LeaderboardError, RetryLater
from shared.ports import Allowance, Fields, Parameter, Unit, Usage, Warehouse
from shared.tables import Dataset

log = structlog.get_logger()

T = TypeVar("T")


class Meter:
    """Carries out runs within the budget. ``usage_of`` asks the warehouse what became of one."""

    def __init__(self, budget: Budget, usage_of: Callable[[str], Usage | None]) -> None:
        self._budget = budget
        self._usage_of = usage_of

    @property
    def on(self) -> bool:
        """False where bytes cost nothing: then there is nothing to meter."""
        return self._budget.limits().metered

    def run(self, charge: Charge, work: Callable[[Allowance], T]) -> T:
        """Reserve what a run may cost, carry it out, and settle it by what it was billed.

        Under the id of a charge that is open or settled, the run is the one of then: ``work``
        attaches to it, and nothing is reserved again. Where bytes cost nothing, nothing is booked.

        Raises BudgetWaits and BudgetRefused before ``work`` is called, and whatever ``work``
        raises. A run that failed is settled, too. Where nobody can say what became of it, its
        reservation stays for ``Budget.sweep``.
        """
        if not self.on:
            return work(Allowance(charge.id, charge.max_bytes, charge.job))
        allowance = self._budget.reserve(charge)
        try:
            result = work(allowance)
        except Exception as error:
            self._after_failure(allowance, error)
            if isinstance(error, BudgetRefused):
                # Its estimate fitted, so it is no dearer than a limit: the data grew meanwhile.
                raise RetryLater(
                    f"{charge.statement} would read more than was estimated just before."
                ) from error
            raise
        self._settled(allowance)
        return result

    def _settled(self, allowance: Allowance) -> bool:
        """Book the run if its bill is to be had. Never the reason why its result is lost."""
        try:
            usage = self._usage_of(allowance.id)
            if usage is None:
                return False
            self._budget.settle(usage)
        except LeaderboardError as error:
            log.warning("charge_unknown", charge=allowance.id, reason=error.message)
        return True

    def _after_failure(self, allowance: Allowance, error: Exception) -> None:
        seen = self._settled(allowance)
        # What may pass may also have been said of a run that starts all the same.
        refused = isinstance(error, LeaderboardError) and not isinstance(error, RetryLater)
        if not seen and refused:
            try:
                self._budget.release(allowance.id)
            except LeaderboardError as failure:
                log.warning("charge_unknown", charge=allowance.id, reason=failure.message)


class MeteredWarehouse:
    """Implements ``shared.ports.Warehouse``: another one, whose statements keep to the budget.

    A statement that comes with an allowance was reserved by its caller and passes as it is. Others
    are for the job and repository that the logs' context names (``shared.job_steps.run`` binds
    them). ``new_id`` names their runs. ``inner`` is the other warehouse.
    """

    def __init__(self, warehouse: Warehouse, budget: Budget, new_id: Callable[[], str]) -> None:
        self.inner = warehouse
        self.meter = Meter(budget, self.usage)
        self._new_id = new_id

    def replace(
        self, dataset: Dataset, unit: str, batches: Iterable[pa.RecordBatch], about: Fields
    ) -> Unit:
        """Loading costs nothing. See the port."""
        return self.inner.replace(dataset, unit, batches, about)

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
        """Within the budget. Raises BudgetWaits, BudgetRefused. See the port."""

        def work(allowed: Allowance | None) -> Unit:
            return self.inner.derive(statement, parameters, dataset, unit, about, allowance=allowed)

        return self._metered(statement, parameters, allowance, work)

    def remove(self, dataset: Dataset, unit: str) -> None:
        """See the port."""
        self.inner.remove(dataset, unit)

    def unit(self, dataset: Dataset, name: str) -> Unit | None:
        """See the port."""
        return self.inner.unit(dataset, name)

    def units(self, dataset: Dataset) -> tuple[Unit, ...]:
        """See the port."""
        return self.inner.units(dataset)

    def query(
        self,
        statement: str,
        parameters: Mapping[str, Parameter],
        *,
        allowance: Allowance | None = None,
    ) -> pa.Table:
        """Within the budget. Raises BudgetWaits, BudgetRefused. See the port."""

        def work(allowed: Allowance | None) -> pa.Table:
            return self.inner.query(statement, parameters, allowance=allowed)

        return self._metered(statement, parameters, allowance, work)

    def estimate(self, statement: str, parameters: Mapping[str, Parameter]) -> int:
        """See the port."""
        return self.inner.estimate(statement, parameters)

    def usage(self, id_: str) -> Usage | None:
        """See the port."""
        return self.inner.usage(id_)

    def forgetting_bytes(self, dataset: Dataset) -> int:
        """See the port."""
        return self.inner.forgetting_bytes(dataset)

    def forget(
        self, dataset: Dataset, accounts: Collection[int], *, allowance: Allowance | None = None
    ) -> int:
        """Within the budget. Raises BudgetWaits, BudgetRefused. See the port."""
        if allowance is not None or not self.meter.on:
            return self.inner.forget(dataset, accounts, allowance=allowance)
        charge = charge_of(self._new_id(), "forget", self.inner.forgetting_bytes(dataset))
        return self.meter.run(
            charge, lambda given: self.inner.forget(dataset, accounts, allowance=given)
        )

    def sweeping_bytes(self, dataset: Dataset, *, forgotten: Collection[int] = ()) -> int:
        """See the port."""
        return self.inner.sweeping_bytes(dataset, forgotten=forgotten)

    def sweep(
        self,
        dataset: Dataset,
        *,
        forgotten: Collection[int] = (),
        allowance: Allowance | None = None,
    ) -> int:
        """Within the budget. Raises BudgetWaits, BudgetRefused. See the port."""

        def work(given: Allowance | None) -> int:
            return self.inner.sweep(dataset, forgotten=forgotten, allowance=given)

        if allowance is not None or not self.meter.on:
            return work(allowance)
        size = self.inner.sweeping_bytes(dataset, forgotten=forgotten)
        return self.meter.run(charge_of(self._new_id(), "sweep", size), work)

    def ledger(self, since: datetime, limit: int) -> tuple[Usage, ...]:
        """See the port."""
        return self.inner.ledger(since, limit)

    def _metered(
        self,
        statement: str,
        parameters: Mapping[str, Parameter],
        given: Allowance | None,
        work: Callable[[Allowance | None], T],
    ) -> T:
        if given is not None or not self.meter.on:
            return work(given)
        size = self.inner.estimate(statement, parameters)
        return self.meter.run(charge_of(self._new_id(), statement, size), work)


def unmetered(warehouse: Warehouse) -> Warehouse:
    """The warehouse behind the meter, if there is one."""
    return warehouse.inner if isinstance(warehouse, MeteredWarehouse) else warehouse


def charge_of(id_: str, statement: str, max_bytes: int) -> Charge:
    """A charge for the job and repository that the context names, if it names any."""
    bound = structlog.contextvars.get_contextvars()
    job, repository = bound.get("job_id"), bound.get("repository")
    return Charge(
        id_,
        max_bytes,
        statement,
        job=str(job) if job else None,
        repositories=(str(repository),) if repository else (),
    )
