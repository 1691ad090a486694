"""Runs of statements: labelled, capped, attached to where the id is known, accounted for."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from infra.gcp.bigquery_client import BigQueryClient
from infra.gcp.bigquery_names import job_id, label
from infra.gcp.bigquery_parameters import Value, query_parameters
from infra.gcp.bigquery_texts import APP_LABEL
from shared.errors import Rejected
from shared.ports import Allowance, Usage

DESCRIBED = "-described"
"""Behind the id of an allowance: the run that goes before the one which has the id."""

PARTS = tuple(f"-part-{number}" for number in range(1, 6))
"""Behind the id of an allowance: the runs before the last of those that forget somebody."""

UNRESERVED = "unreserved-"
"""Before the id of a run without an allowance."""

_MIB = 1 << 20
_LEAST = 10 * _MIB


def billable(bytes_: int, tables: int = 1) -> int:
    """What a run that reads so many bytes is billed at most: 10 MB a table, else whole MB."""
    return max(math.ceil(bytes_ / _MIB) * _MIB, _LEAST * max(tables, 1)) if bytes_ or tables else 0


@dataclass(frozen=True, slots=True)
class Order:
    """A text to be run. ``statement`` is the name it is known by.

    With a ``destination`` its rows are put there: added, or in place of all that is there where
    ``truncate`` is set.
    """

    statement: str
    text: str
    parameters: Mapping[str, Value]
    allowance: Allowance | None = None
    destination: str | None = None
    truncate: bool = False


class Runs:
    """Runs orders. What no allowance was made for is capped at ``unreserved_max_bytes``."""

    def __init__(self, client: BigQueryClient, unreserved_max_bytes: int) -> None:
        self._client = client
        self._unreserved_max_bytes = unreserved_max_bytes

    def run(self, order: Order) -> Any:
        """The job of an order when it is done. Raises BudgetRefused where it is capped."""
        allowance = order.allowance
        id_ = job_id(allowance.id) if allowance else f"{UNRESERVED}{uuid.uuid4().hex}"
        job = self._client.query(order.statement, order.text, self._config(order), id_)
        self._check_is_of(order, job)
        return self._client.wait(order.statement, job)

    def rows(self, order: Order) -> pa.Table:
        """The rows of an order."""
        return self._client.rows(order.statement, self.run(order))

    def estimate(self, order: Order) -> int:
        """The most bytes that the order could be billed now, by a dry run."""
        config = self._config(order, capped=False)
        config.dry_run = True
        job = self._client.dry_run(order.statement, order.text, config)
        return billable(job.total_bytes_processed or 0, len(job.referenced_tables))

    def usage(self, id_: str) -> Usage | None:
        """What became of a run and of the one that went before it. None if there is neither."""
        job = self._client.job(job_id(id_))
        before = self._client.job(id_ + DESCRIBED) if job is None or _is_described(job) else None
        parts: list[Any] = [job, before]
        if job is not None and job.labels.get("statement", "").startswith("forget_"):
            parts += [self._client.job(id_ + part) for part in PARTS]
        found = [_usage(each, id_) for each in parts if each is not None]
        return None if not found else _together(found)

    def _config(self, order: Order, *, capped: bool = True) -> Any:
        from google.cloud import bigquery

        allowance = order.allowance
        config = bigquery.QueryJobConfig()
        config.query_parameters = query_parameters(order.parameters)
        if capped:
            config.maximum_bytes_billed = (
                allowance.max_bytes if allowance else self._unreserved_max_bytes
            )
        labels = {APP_LABEL: label(self._client.place.dataset), "statement": label(order.statement)}
        if allowance and allowance.job:
            labels["job"] = label(allowance.job)
        config.labels = labels
        if order.destination:
            config.destination = bigquery.TableReference.from_string(order.destination)
            config.create_disposition = bigquery.CreateDisposition.CREATE_NEVER
            config.write_disposition = (
                bigquery.WriteDisposition.WRITE_TRUNCATE
                if order.truncate
                else bigquery.WriteDisposition.WRITE_APPEND
            )
        return config

    def _check_is_of(self, order: Order, job: Any) -> None:
        """An id that names another run is a caller's mistake, and its rows are not these."""
        if job.job_type == "query" and job.query == order.text:
            return
        raise Rejected(
            f"The id {job.job_id} names another run than one of {order.statement}.",
            details={"id": job.job_id},
        )


def records_written(job: Any) -> int:
    """How many rows a query yielded: what its last stage wrote."""
    plan = job.query_plan
    return int(plan[-1].records_written or 0) if plan else 0


def parameter_of(job: Any, name: str) -> Any:
    """The value of a job's scalar parameter, None where it has none of that name."""
    return next((each.value for each in job.query_parameters if each.name == name), None)


def _is_described(job: Any) -> bool:
    return bool(job.labels.get("statement") in {"extract_events", "gather_events"})


def _usage(job: Any, id_: str) -> Usage:
    ended, began = job.ended, job.created
    return Usage(
        statement=job.labels.get("statement", ""),
        started_at=began,
        duration_ms=round((ended - began).total_seconds() * 1000) if ended else 0,
        rows=records_written(job),
        bytes_processed=job.total_bytes_processed or 0,
        bytes_billed=job.total_bytes_billed or 0,
        cache_hit=bool(job.cache_hit),
        job=job.labels.get("job"),
        id=id_,
        slot_ms=job.slot_millis or 0,
        done=job.state == "DONE",
        failed=job.error_result is not None,
    )


def _together(parts: list[Usage]) -> Usage:
    return replace(
        parts[0],
        started_at=min(part.started_at for part in parts),
        duration_ms=sum(part.duration_ms for part in parts),
        bytes_processed=sum(part.bytes_processed for part in parts),
        bytes_billed=sum(part.bytes_billed for part in parts),
        slot_ms=sum(part.slot_ms for part in parts),
        done=all(part.done for part in parts),
    )
