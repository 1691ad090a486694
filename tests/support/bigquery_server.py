"""A loopback server that answers Google's client as BigQuery's REST interface (v2) does.

Queries run on DuckDB and are billed by BigQuery's rules: the columns a text names, at their
declared sizes; days pruned for the estimate, clustered columns for the bill only; 10 MB a table
at least. Results are never served from a cache. What was asked is kept in ``jobs``.

A test can let calls or jobs fail, hold jobs back (they go on without their client), lose an
answer after the work was done, and be slow.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.bigquery_http import Handler
from tests.support.bigquery_jobs import Job, Jobs
from tests.support.bigquery_store import BigQueryError, Store
from tests.support.loopback_http import Fault, Faults, LoopbackServer


class BigQueryServer:
    """One BigQuery. ``host`` is its ``host:port``."""

    def __init__(self) -> None:
        self.store = Store()
        self.jobs = Jobs(self.store)
        self.page_rows = 10_000
        self.delay = 0.0
        self.calls: list[tuple[str, str]] = []
        self.uploads: dict[str, tuple[dict[str, Any], bytearray]] = {}
        self._faults = Faults()
        self._held: set[str] = set()
        self._failing: dict[str, list[BigQueryError]] = {}
        self._http = LoopbackServer(Handler, self)

    @property
    def host(self) -> str:
        return self._http.host

    def stop(self) -> None:
        self._http.stop()
        self.store.engine.close()

    # --- what a test asks -------------------------------------------------------------------

    def ran(self, statement: str | None = None) -> list[Job]:
        """The jobs of a statement, or all, in the order they came."""
        return [job for job in self.jobs.all if statement in (None, job.statement)]

    @property
    def bytes_billed(self) -> int:
        """What all jobs together were billed."""
        return sum(job.bytes_billed for job in self.jobs.all)

    # --- what a test arranges ---------------------------------------------------------------

    def fail(
        self, status: int, reason: str = "", *, method: str = "", path: str = "", times: int = 1
    ) -> None:
        """Let the next calls fail, of that method and with ``path`` in their address."""
        self._faults.add(Fault(status, method, path, times, reason))

    def lose_answers(self, *, method: str = "", path: str = "", times: int = 1) -> None:
        """Do the work of the next calls, and close the connection in place of an answer."""
        self._faults.add(Fault(0, method, path, times))

    def recover(self) -> None:
        """Forget what was to fail."""
        self._faults.clear()
        self._failing.clear()

    def fail_jobs(self, statement: str, reason: str, times: int = 1) -> None:
        """Let the next jobs of a statement be taken over, and then fail."""
        error = BigQueryError(400, reason, f"The job failed by {reason}")
        self._failing.setdefault(statement, []).extend([error] * times)

    def hold(self, statement: str) -> None:
        """Keep jobs of a statement running until they are released."""
        self._held.add(statement)

    def release(self, statement: str) -> None:
        """Let the held jobs of a statement come to their end, whoever waits for them."""
        self._held.discard(statement)
        for job in self.ran(statement):
            if job.held:
                job.held = False
                self.jobs.finish(job)

    # --- for the handler --------------------------------------------------------------------

    def start_job(self, project: str, body: dict[str, Any], data: bytes = b"") -> Job:
        id_ = body.get("jobReference", {}).get("jobId") or uuid.uuid4().hex
        job = self.jobs.begin(Job(project, id_, body["configuration"], data))
        if job.configuration.get("dryRun"):
            return job
        failures = self._failing.get(job.statement)
        if failures:
            job.error = failures.pop(0)
        job.held = job.statement in self._held
        if not job.held:
            self.jobs.finish(job)
        return job

    def fault(self, method: str, path: str) -> Fault | None:
        """What is to go wrong with this call."""
        if self.delay:
            time.sleep(self.delay)
        return self._faults.of(method, path)


@contextmanager
def bigquery() -> Iterator[BigQueryServer]:
    """A server of its own for a test."""
    server = BigQueryServer()
    try:
        yield server
    finally:
        server.stop()
