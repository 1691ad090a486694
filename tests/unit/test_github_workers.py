"""Many workers at once, and a limit in the middle of their work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import httpx
import pytest

from infra.github.credentials import Token
from shared.errors import AllowanceWaits
from shared.ports import Queue
from shared.request_budget import STAGGER, working_for
from tests.support.fast_folder import fast_folder
from tests.support.github_answers import rest_repository
from tests.support.github_wire import TOKEN, Wire, reply

LIMIT = 120
REQUESTS = 10
WORKERS = 20
HOUR = timedelta(hours=1)
QUEUES = list(STAGGER)


class Hour:
    """GitHub's counting: so many requests, then 403 until the hour is over."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._lock = threading.Lock()
        self.resets_at = wire.clock() + timedelta(minutes=25)
        self.used = 0
        self.refused = 0
        self.times: list[datetime] = []

    def __call__(self, _: httpx.Request) -> httpx.Response:
        with self._lock:
            moment = self._wire.clock()
            if moment >= self.resets_at:
                self.used, self.resets_at = 0, moment + timedelta(hours=1)
            self.used += 1
            self.times.append(moment)
            headers = {
                "x-ratelimit-limit": str(LIMIT),
                "x-ratelimit-remaining": str(max(0, LIMIT - self.used)),
                "x-ratelimit-reset": str(int(self.resets_at.timestamp())),
                "x-ratelimit-resource": "core",
            }
            if self.used > LIMIT:
                self.refused += 1
                return reply({"message": "API rate limit exceeded"}, 403, headers)
            return reply(rest_repository(), headers=headers)


class Worker:
    """A step that makes its requests, and goes on where it had to wait."""

    def __init__(self, wire: Wire, number: int) -> None:
        self.client = wire.another(Token(TOKEN))
        self.queue: Queue = "high" if number < 3 else "default" if number < 12 else "bulk"
        self.made = 0
        self.back_at: datetime | None = None

    @property
    def done(self) -> bool:
        return self.made == REQUESTS

    def step(self) -> None:
        self.back_at = None
        try:
            with working_for(self.queue):
                while not self.done:
                    self.client.repository(f"octo/r{self.made}")
                    self.made += 1
        except AllowanceWaits as error:
            self.back_at = error.not_before


def at_once(workers: list[Worker]) -> None:
    threads = [threading.Thread(target=worker.step) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.fixture
def wire() -> Iterator[Wire]:
    with fast_folder() as folder:
        yield Wire(folder)


def test_twenty_workers_stop_at_the_limit_and_come_back_after_it_by_priority(wire: Wire) -> None:
    github = Hour(wire)
    wire.answers(github)
    wire.client.repository("octo/first")
    workers = [Worker(wire, number) for number in range(WORKERS)]
    renewal = github.resets_at + timedelta(seconds=1)

    at_once(workers)
    assert len(github.times) <= LIMIT
    waiting = [worker for worker in workers if not worker.done]
    assert waiting

    came: list[tuple[datetime, Queue]] = []
    while waiting:
        wire.clock.now = min(worker.back_at for worker in waiting if worker.back_at)
        those = [worker for worker in waiting if worker.back_at == wire.clock.now]
        came += sorted({(wire.clock.now, worker.queue) for worker in those})
        at_once(those)
        waiting = [worker for worker in waiting if not worker.done]

    assert github.refused == 0
    assert len(github.times) == 1 + WORKERS * REQUESTS
    assert not [moment for moment in github.times[LIMIT:] if moment < renewal]
    # Never two queues at one moment, and in each hour the more urgent first.
    hours = [[queue for moment, queue in came if (moment - renewal) // HOUR == n] for n in range(3)]
    assert all(hour == sorted(hour, key=QUEUES.index) for hour in hours)
    assert len({moment for moment, _ in came}) == len(came)
    assert hours[0]
