"""The real server on a data directory of its own, as a test and its clients see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from infra.cli.server import plan_of
from infra.clock import utc_now
from infra.local.dev_server import RunningServer, running_server
from infra.local.schedules import SCHEDULES, Schedule
from shared import auth
from shared.context import Services
from tests.support.eventually import eventually
from tests.support.kill_runs import IMPATIENT_QUEUES, IMPATIENT_SUBSCRIPTIONS
from tests.support.scenario import open_services

API = "/api/v1"


class ShiftedClock:
    """The machine's time and as much more as a test says."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self.ahead


@dataclass(frozen=True)
class LiveServer:
    """A server, its data directory seen from outside, and a client with a key.

    ``clock`` is the one by which schedules come due.
    """

    running: RunningServer
    services: Services
    client: httpx.Client
    clock: ShiftedClock

    def get(self, address: str, **parameters: Any) -> httpx.Response:
        return self.client.get(API + address, params=parameters)

    def data(self, address: str, **parameters: Any) -> Any:
        """The data of an answer that has to be fine."""
        answer = self.get(address, **parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def register(self, repository: str) -> httpx.Response:
        return self.client.post(f"{API}/repositories", json={"repository": repository})

    def ended(self, job_id: str) -> Any:
        """The job once it has ended."""
        ended = {"COMPLETED", "FAILED", "CANCELLED"}
        job = eventually(
            lambda: (job := self.data(f"/jobs/{job_id}"))["state"] in ended and job, within=60
        )
        assert job
        return job

    def settle(self) -> None:
        """Wait until nothing is under way and the global boards have followed."""
        assert self.running.drain(timedelta(seconds=60), horizon=timedelta(seconds=1))


@contextmanager
def live_server(
    folder: Path, schedules: Sequence[Schedule] = SCHEDULES, **settings: Any
) -> Iterator[LiveServer]:
    """Serve while the block runs: nothing waits for long, and schedules come by their own clock."""
    services = open_services(
        folder, settle_seconds=0.05, retry_seconds=(0, 0, 0), log_level="ERROR", **settings
    )
    key = auth.create_first_key(services)
    clock = ShiftedClock()
    plan = replace(
        plan_of(services.settings),
        port=0,
        queues=IMPATIENT_QUEUES,
        subscriptions=IMPATIENT_SUBSCRIPTIONS,
        schedules=schedules,
        clock=clock,
    )
    with (
        running_server(plan) as running,
        httpx.Client(
            base_url=running.url,
            headers={"X-API-Key": key or ""},
            timeout=60,
            trust_env=False,
        ) as client,
    ):
        yield LiveServer(running, services, client, clock)
