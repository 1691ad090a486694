"""The warehouse in BigQuery: rows under revisions, and a manifest of those that count.

A unit is written by adding its rows under a revision of their own and then letting that count,
in one transaction of the document store. Readers take the revisions that count along with their
statement, so they see a unit as it was or as it is, and nothing is ever updated in place.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from infra.clock import Clock
from infra.gcp import bigquery_texts as texts
from infra.gcp.bigquery_client import BigQueryClient, Patience
from infra.gcp.bigquery_names import Place, label
from infra.gcp.bigquery_parameters import Value
from infra.gcp.bigquery_runs import PARTS, UNRESERVED, Order, Runs, parameter_of, records_written
from infra.gcp.manifest import Manifest, new_revision, oldest_kept
from infra.gcp.table_definitions import ARCHIVE_EVENTS, REVISION
from shared.breaker import Breaker
from shared.errors import BudgetRefused, RunExpired
from shared.forgetting import check_personal
from shared.ports import Allowance, Documents, Fields, Parameter, Unit, Usage
from shared.tables import COLUMNS, Dataset, arrow_schema

UNRESERVED_MAX_BYTES = 20 << 30
"""What a run may be billed for which no budget was reserved: about 12 cents."""


class BigQueryWarehouse:
    """The port ``Warehouse`` in one dataset of BigQuery, with its manifest in ``documents``.

    A run that was asked for under an id goes on when its caller is gone; who asks again under the
    same id gets that run. One that failed leaves its id taken: RetryLater then says ``over`` in
    its details, and another try wants another id. One that is waited for in vain raises RetryLater.
    The digest of a derived unit is that of the statement and all that it was given to read.
    """

    def __init__(
        self,
        place: Place,
        documents: Documents,
        *,
        now: Clock,
        emulator_host: str | None = None,
        patience: Patience | None = None,
        unreserved_max_bytes: int = UNRESERVED_MAX_BYTES,
    ) -> None:
        self.place = place
        self.client = BigQueryClient(
            place, emulator_host, patience or Patience(), Breaker(documents, now=now)
        )
        self.runs = Runs(self.client, unreserved_max_bytes)
        self.manifest = Manifest(documents, now)
        self._now = now

    def close(self) -> None:
        """End the connection. A later call opens another."""
        self.client.close()

    # --- units ------------------------------------------------------------------------------

    def replace(
        self, dataset: Dataset, unit: str, batches: Iterable[pa.RecordBatch], about: Fields
    ) -> Unit:
        revision = self.new_revision()
        with tempfile.TemporaryFile() as file:
            rows, digest = _write_parquet(file, dataset, batches, revision)
            if rows:
                self._load(dataset, file)
        written = Unit(dataset, unit, rows, digest, about)
        self.manifest.put(written, revision)
        return written

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
        order = Order(
            statement,
            texts.unit_rows(texts.bound(statement, self.place)),
            {**self._bound(statement, parameters), REVISION: self.new_revision()},
            allowance,
            destination=self.place.table(dataset),
        )
        return self.written_by(self.runs.run(order), dataset, unit, about)

    def remove(self, dataset: Dataset, unit: str) -> None:
        self.manifest.remove(dataset, unit)

    def unit(self, dataset: Dataset, name: str) -> Unit | None:
        return self.manifest.unit(dataset, name)

    def units(self, dataset: Dataset) -> tuple[Unit, ...]:
        return self.manifest.units(dataset)

    # --- statements -------------------------------------------------------------------------

    def query(
        self,
        statement: str,
        parameters: Mapping[str, Parameter],
        *,
        allowance: Allowance | None = None,
    ) -> pa.Table:
        return self.runs.rows(self._order(statement, parameters, allowance))

    def estimate(self, statement: str, parameters: Mapping[str, Parameter]) -> int:
        return self.runs.estimate(self._order(statement, parameters, None))

    def usage(self, id_: str) -> Usage | None:
        return self.runs.usage(id_)

    def ledger(self, since: datetime, limit: int) -> tuple[Usage, ...]:
        parameters: dict[str, Value] = {
            "since": since,
            "dataset": label(self.place.dataset),
            "most": limit,
        }
        found = self.runs.rows(Order("list_runs", texts.own_jobs(self.place), parameters))
        return tuple(_booked(row) for row in found.to_pylist())

    # --- retention --------------------------------------------------------------------------

    def sweeping_bytes(self, dataset: Dataset, *, forgotten: Collection[int] = ()) -> int:
        """The most bytes that ``sweep`` would be billed. Free of charge."""
        return self.runs.estimate(self._sweeping(dataset, forgotten, None))

    def sweep(
        self,
        dataset: Dataset,
        *,
        forgotten: Collection[int] = (),
        allowance: Allowance | None = None,
    ) -> int:
        """Remove the rows of revisions that count no more, and say how many there were.

        Rows that were written or replaced within the last hour stay: somebody may be reading them
        or about to let them count. Raises BudgetRefused and RetryLater like a statement.
        """
        job = self.runs.run(self._sweeping(dataset, forgotten, allowance))
        return int(job.num_dml_affected_rows or 0)

    # --- forgetting -------------------------------------------------------------------------

    def forgetting_bytes(self, dataset: Dataset) -> int:
        """What ``forget`` is billed at most for its runs together. Free of charge."""
        check_personal(dataset)
        orders = [self._looking(dataset, ()), *self._forgetting(dataset, ())]
        return sum(map(self.runs.estimate, orders))

    def forget(
        self, dataset: Dataset, accounts: Collection[int], *, allowance: Allowance | None = None
    ) -> int:
        """Look which revisions hold the accounts, note that, then change their rows in place.

        Each run has a part of the allowance. Any row is changed, listed or not; of the events,
        those in the store of extracted days too.
        """
        check_personal(dataset)
        ids = tuple(sorted(accounts))
        looking, *changes = self._within(
            allowance, [self._looking(dataset, ids), *self._forgetting(dataset, ids)]
        )
        found = self.runs.rows(looking).to_pylist()
        # Before the rows change: a repeat after a kill finds no revision that held anybody.
        self.manifest.diminish(
            dataset, {row[REVISION]: row["remaining"] for row in found}, ",".join(map(str, ids))
        )
        for order in changes:
            self.runs.run(order)
        return sum(row["changed"] for row in found)

    def _within(self, allowance: Allowance | None, orders: Sequence[Order]) -> list[Order]:
        """The orders with a part of the allowance each, the last under its very id.

        Raises BudgetRefused if together they may need more.
        """
        if allowance is None:
            return list(orders)
        prices = [self.runs.estimate(order) for order in orders]
        if sum(prices) > allowance.max_bytes:
            raise BudgetRefused(
                f"Forgetting reads up to {sum(prices):,} bytes; {allowance.max_bytes:,} are "
                "allowed.",
                details={"bytes": sum(prices), "max_bytes": allowance.max_bytes},
            )
        ids = [*(allowance.id + part for part in PARTS[: len(orders) - 1]), allowance.id]
        return [
            replace(order, allowance=replace(allowance, id=id_, max_bytes=price))
            for order, id_, price in zip(orders, ids, prices, strict=True)
        ]

    def _looking(self, dataset: Dataset, ids: Sequence[int]) -> Order:
        text = texts.held(self.place.table(dataset), dataset)
        return Order(f"find_in_{dataset}", text, {"account_ids": ids})

    def _forgetting(self, dataset: Dataset, ids: Sequence[int]) -> list[Order]:
        tables = [dataset.value, *([ARCHIVE_EVENTS] if dataset is Dataset.EVENTS else ())]
        return [
            Order(f"forget_{table}", text, {"account_ids": ids})
            for table in tables
            for text in texts.forgotten(self.place.table(table), dataset)
        ]

    # --- for the archive --------------------------------------------------------------------

    def new_revision(self) -> str:
        """The name of a writing that begins now."""
        return new_revision(self._now(), lambda: uuid.uuid4().hex[:12])

    def written_by(
        self, job: Any, dataset: Dataset, unit: str, about: Fields, *, always_new: bool = False
    ) -> Unit:
        """Let the revision count that a job has written. Raises RunExpired if it is too old.

        The rows of a revision that nobody lists are swept after an hour. ``always_new`` is for
        texts that read more than units, so that what they were given does not tell the content.
        """
        revision = str(parameter_of(job, REVISION))
        if revision < oldest_kept(self._now()):
            raise RunExpired(
                f"The run {job.job_id} is too long ago, its rows may be gone. Ask again under a "
                "new id.",
                details={"id": job.job_id},
            )
        written = Unit(dataset, unit, records_written(job), _digest_of(job, always_new), about)
        self.manifest.put(written, revision)
        return written

    # --- parts ------------------------------------------------------------------------------

    def _order(
        self, statement: str, parameters: Mapping[str, Parameter], allowance: Allowance | None
    ) -> Order:
        text = texts.bound(statement, self.place)
        return Order(statement, text, self._bound(statement, parameters), allowance)

    def _bound(self, statement: str, parameters: Mapping[str, Parameter]) -> dict[str, Value]:
        revisions = {
            texts.revisions_parameter(dataset): self.manifest.revisions(dataset)
            for dataset in texts.datasets_of(statement)
        }
        return {**parameters, **revisions}

    def _sweeping(
        self, dataset: Dataset, forgotten: Collection[int], allowance: Allowance | None
    ) -> Order:
        parameters: dict[str, Value] = {
            "kept": self.manifest.kept(dataset),
            "before": oldest_kept(self._now()),
        }
        if forgotten:
            parameters["forgotten"] = sorted(forgotten)
        text = texts.swept(dataset, self.place, with_forgotten=bool(forgotten))
        return Order(f"sweep_{dataset}", text, parameters, allowance)

    def _load(self, dataset: Dataset, file: IO[bytes]) -> None:
        from google.cloud import bigquery

        config = bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.PARQUET,
            write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
            create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
            labels={texts.APP_LABEL: label(self.place.dataset), "statement": f"load_{dataset}"},
        )
        doing, id_ = f"load_{dataset}", f"{UNRESERVED}{uuid.uuid4().hex}"
        job = self.client.load(doing, file, self.place.table(dataset), config, id_)
        self.client.wait(doing, job)


def _write_parquet(
    file: IO[bytes], dataset: Dataset, batches: Iterable[pa.RecordBatch], revision: str
) -> tuple[int, str]:
    """The number of rows, and a digest of them that does not depend on the revision."""
    schema = arrow_schema(COLUMNS[dataset])
    stored = schema.append(pa.field(REVISION, pa.string()))
    rows, digest = 0, hashlib.sha256()
    with pq.ParquetWriter(file, stored, compression="snappy") as writer:
        for batch in batches:
            known = batch.select(schema.names).cast(schema)
            digest.update(known.serialize())
            added = pa.array([revision] * known.num_rows, pa.string())
            writer.write_batch(pa.record_batch([*known.columns, added], schema=stored))
            rows += known.num_rows
    return rows, digest.hexdigest()


def _digest_of(job: Any, with_revision: bool) -> str:
    """What a job was told to do with what, but for where it put its rows."""
    given = sorted(
        json.dumps(each.to_api_repr(), sort_keys=True) for each in job.query_parameters
         if with_revision or each.name != REVISION
    )  # fmt: skip
    return hashlib.sha256("\n".join([job.query, *given]).encode()).hexdigest()


def _booked(row: Mapping[str, Any]) -> Usage:
    id_ = row["job_id"]
    return Usage(
        statement=row["statement"] or "",
        started_at=row["started_at"].astimezone(UTC),
        duration_ms=row["duration_ms"] or 0,
        rows=row["row_count"] or 0,
        bytes_processed=row["bytes_processed"] or 0,
        bytes_billed=row["bytes_billed"] or 0,
        cache_hit=bool(row["cache_hit"]),
        job=row["job"],
        id=None if id_.startswith(UNRESERVED) else id_,
        slot_ms=row["slot_ms"] or 0,
        done=row["done"],
    )
