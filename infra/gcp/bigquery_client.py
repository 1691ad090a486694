"""Google's client for BigQuery, and the calls made with it: each with a limit and our errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa
from google.api_core import exceptions

from infra.gcp.bigquery_failures import (
    SERVICE,
    as_our_errors,
    by_reason,
    is_outage,
    repeated,
)
from infra.gcp.bigquery_names import Place
from infra.gcp.clients import Once
from infra.gcp.failures import CALL_SECONDS, PATIENCE_SECONDS
from shared.breaker import Breaker
from shared.errors import Conflict, RetryLater

PAGE_ROWS = 20_000
"""Rows fetched at once: a page of JSON that fits into a small function's memory."""

_FIRST_LOOK = 0.1
_LONGEST_LOOK = 3.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a failed call is repeated, and how long a job is waited for, in seconds."""

    calls: float = PATIENCE_SECONDS
    job: float = 200.0
    sleep: Callable[[float], None] = time.sleep


class BigQueryClient:
    """One method a call. ``doing`` is what an error names. Jobs are Google's job objects.

    Each is guarded by ``breaker``: while BigQuery is left alone, all raise RetryLater at once.
    ``emulator_host`` is ``host:port`` of what stands in for BigQuery.
    """

    def __init__(
        self, place: Place, emulator_host: str | None, patience: Patience, breaker: Breaker
    ) -> None:
        self.place = place
        self._breaker = breaker
        self._emulator_host = emulator_host
        self._patience = patience
        self._client = Once(self._connect)
        self._options: dict[str, Any] = {
            "retry": repeated(patience.calls),
            "timeout": CALL_SECONDS,
        }

    def close(self) -> None:
        """End the connection. A later call opens another."""
        client = self._client.take()
        if client is not None:
            client.close()

    def query(self, doing: str, text: str, config: Any, id_: str) -> Any:
        """Start a query under an id of ours, or attach to the job that has it."""
        with self._asking(doing):
            try:
                return self._client().query(
                    text, job_config=config, job_id=id_, job_retry=None, **self._options
                )
            except exceptions.Conflict:
                return self._client().get_job(id_, **self._options)

    def dry_run(self, doing: str, text: str, config: Any) -> Any:
        """The job that a query would be."""
        with self._asking(doing):
            return self._client().query(text, job_config=config, job_retry=None, **self._options)

    def load(self, doing: str, file: IO[bytes], table: str, config: Any, id_: str) -> Any:
        """Load a file, of which the upload is tried twice."""
        size = file.seek(0, 2)
        with self._asking(doing):
            try:
                return self._client().load_table_from_file(
                    file, table, rewind=True, size=size, num_retries=1, job_id=id_,
                    job_config=config, timeout=CALL_SECONDS,
                )  # fmt: skip
            except exceptions.Conflict:
                return self._client().get_job(id_, **self._options)

    def copy(self, doing: str, source: str, destination: str, config: Any, id_: str) -> Any:
        """Start a copy of a table or partition. Nothing is billed for it."""
        with self._asking(doing):
            try:
                return self._client().copy_table(
                    source, destination, job_config=config, job_id=id_, **self._options
                )
            except exceptions.Conflict:
                return self._client().get_job(id_, **self._options)

    def job(self, id_: str) -> Any:
        """The job of that id as it is now, None where there is none."""
        with self._asking("a look at a job"):
            try:
                return self._client().get_job(id_, **self._options)
            except exceptions.NotFound:
                return None

    def wait(self, doing: str, job: Any) -> Any:
        """The job when it is done. Raises RetryLater if it goes on for too long, or what failed it.

        A job that failed is over, and so is its id: RetryLater says so as ``over``, and another
        try wants another id.
        """
        end, look = time.monotonic() + self._patience.job, _FIRST_LOOK
        with self._asking(doing):
            while not job.done(**self._options):
                if time.monotonic() > end:
                    raise RetryLater(
                        f"{doing} is still running at BigQuery. Ask again under the same id.",
                        details={"id": job.job_id, "over": False},
                    )
                self._patience.sleep(look)
                look = min(look * 1.5, _LONGEST_LOOK)
        failure = job.error_result
        if failure:
            error = by_reason(failure.get("reason", ""), failure.get("message", ""), doing)
            error.details |= {"id": job.job_id, "over": True}
            raise error
        return job

    def rows(self, doing: str, job: Any) -> pa.Table:
        """The result of a query that is done, page by page."""
        with self._asking(doing):
            try:
                result = job.result(page_size=PAGE_ROWS, job_retry=None, **self._options)
                return result.to_arrow(create_bqstorage_client=False)
            except exceptions.NotFound as error:
                raise Conflict(
                    f"BigQuery keeps the result of {doing} for a day, and it is gone. "
                    "Ask again under a new id.",
                    details={"id": job.job_id},
                ) from error

    def table(self, name: str) -> Any:
        """A table's metadata, None where there is none."""
        with self._asking(f"a look at {name}"):
            try:
                return self._client().get_table(name, **self._options)
            except exceptions.NotFound:
                return None

    def create(self, table: Any) -> None:
        """Make a table unless it is there."""
        with self._asking(f"the table {table.table_id}"):
            self._client().create_table(table, exists_ok=True, **self._options)

    def delete(self, name: str) -> None:
        """Remove a table or partition, if it is there."""
        with self._asking(f"the removal of {name}"):
            self._client().delete_table(name, not_found_ok=True, **self._options)

    @contextmanager
    def _asking(self, doing: str) -> Iterator[None]:
        guarding = self._breaker.guarding(SERVICE, is_failure=is_outage)
        with guarding, as_our_errors(doing):
            yield

    def _connect(self) -> Any:
        # Imported here: most functions never run a statement, and start a second sooner without.
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        place = self.place
        if self._emulator_host is None:
            return bigquery.Client(project=place.project, location=place.location)
        return bigquery.Client(
            project=place.project,
            location=place.location,
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": f"http://{self._emulator_host}"},
        )
