"""The hourly allowance of an API, shared among workers by leased blocks.

One document per credential and resource, ``request_budgets/<hash>``: what is granted an hour
(``limit``), what nobody holds (``remaining``), what workers hold and have not accounted for
(``held``), when all is renewed (``resets_at``) and before when nobody asks (``paused_until``).
A worker takes a block in one transaction and spends it in memory. What it has not spent at the end
of its step it gives back; the block of a dead worker is gone until the renewal.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from shared.allowances import Allowance, Block, Told, fresh, pause_of, paused, settled
from shared.errors import AllowanceWaits, LeaderboardError
from shared.models import parse_time
from shared.ports import Document, Documents, Queue, Transaction, Write

BLOCK = 50
"""The most requests that a worker takes at once; of small allowances it takes a twentieth."""

STAGGER: Mapping[Queue, timedelta] = {
    "high": timedelta(0),
    "default": timedelta(seconds=5),
    "low": timedelta(seconds=10),
    "bulk": timedelta(seconds=15),
}
"""How long after the renewal each queue comes back, so that they come in their order."""

RESERVED = 10
"""One part in so many of the allowance is kept for the queue ``high``."""

log = structlog.get_logger()


@dataclass(slots=True)
class _Step:
    """Whose requests are paid together: a step of a job, or one request."""

    queue: Queue
    block: int
    held: dict[str, tuple[RequestBudget, Block]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def close(self) -> None:
        for path, (budget, block) in self.held.items():
            try:
                budget.give_back(path, block)
            except LeaderboardError as error:
                # The step is done; what it held is renewed within the hour.
                log.warning("request_block_lost", left=block.left, reason=error.message)


_step: ContextVar[_Step | None] = ContextVar("requests_of_a_step", default=None)


@contextmanager
def working_for(queue: Queue) -> Iterator[None]:
    """Requests in this block are made for a queue, from one lease that ends with it."""
    with _opened(_Step(queue, BLOCK)):
        yield


@contextmanager
def _opened(step: _Step) -> Iterator[_Step]:
    token = _step.set(step)
    try:
        yield step
    finally:
        _step.reset(token)
        step.close()


class RequestBudget:
    """The allowances of one credential, by resource. Safe in any number of threads and processes.

    ``credential`` names it without being it, ``limits`` are what is granted an hour as long as no
    answer has said otherwise.
    """

    def __init__(
        self,
        documents: Documents,
        credential: str,
        limits: Mapping[str, int],
        now: Callable[[], datetime],
    ) -> None:
        self._documents = documents
        self._limits = limits
        self._now = now
        self._paths = {
            resource: "request_budgets/"
            + hashlib.sha256(f"{credential} {resource}".encode()).hexdigest()[:32]
            for resource in limits
        }

    @contextmanager
    def request(self) -> Iterator[None]:
        """Within it one request is made: of the step it belongs to, or else for ``high``."""
        if _step.get() is not None:
            yield
            return
        with _opened(_Step("high", 1)):
            yield

    def spend(self, resource: str) -> None:
        """Pay for a request before it is sent, within ``request``.

        Raises AllowanceWaits while nobody may ask or nothing is left, with the time to come back.
        """
        step, path = self._current(), self._paths[resource]
        moment = self._now()
        state = self._read(resource, self._documents.get(path)[0], moment)
        if moment < pause_of(state):
            raise _waits(state, pause_of(state), step.queue)
        with step.lock:
            held = step.held.get(path)
            block = held[1] if held else None
            if block is None or block.left < 1 or block.window != state.window:
                # Forgotten first: a block that was settled is not settled again.
                step.held.pop(path, None)
                block = self._lease(resource, step, block)
                step.held[path] = (self, block)
            block.left -= 1

    def answered(self, resource: str, cost: int, told: Told | None) -> None:
        """Note what the request really cost (one was paid), and what the answer says is left."""
        step = self._current()
        with step.lock:
            held = step.held.get(self._paths[resource])
            if held is None:
                return
            block = held[1]
            block.left -= cost - 1
            if told is not None:
                block.told = told
                block.left = min(block.left, told.remaining)

    def used_up(self, resource: str, until: datetime) -> AllowanceWaits:
        """The allowance is used up, an answer said: nobody asks before ``until``. To be raised."""
        return self._pause((resource,), until, exhausted=True)

    def asked_to_slow_down(self, until: datetime | None) -> AllowanceWaits:
        """Nobody asks for any resource before ``until``; None: a minute, twice that next time."""
        return self._pause(tuple(self._paths), until, exhausted=False)

    def give_back(self, path: str, block: Block) -> None:
        """Account for a block: what is left of it is free for others."""
        resource = next(name for name, each in self._paths.items() if each == path)
        moment = self._now()

        def account(transaction: Transaction) -> None:
            state = self._read(resource, transaction.get(path), moment)
            transaction.write(_stored(path, settled(state, block, moment)))

        self._documents.transact(account)

    # --- how --------------------------------------------------------------------------------

    def _current(self) -> _Step:
        step = _step.get()
        if step is None:
            raise RuntimeError("a request is paid within request()")
        return step

    def _lease(self, resource: str, step: _Step, spent: Block | None) -> Block:
        path, moment = self._paths[resource], self._now()

        def take(transaction: Transaction) -> tuple[Allowance, int]:
            state = self._read(resource, transaction.get(path), moment)
            if spent is not None:
                state = settled(state, spent, moment)
            kept = 0 if step.queue == "high" else state.limit // RESERVED
            wanted = min(step.block, max(1, state.limit // 20))
            size = max(0, min(wanted, state.remaining - kept))
            state = state.model_copy(
                update={"remaining": state.remaining - size, "held": state.held + size}
            )
            transaction.write(_stored(path, state))
            return state, size

        state, size = self._documents.transact(take)
        # A pause that came meanwhile holds: nothing is sent on what was read before it.
        stopped = moment < pause_of(state)
        if stopped and size:
            self.give_back(path, Block(size, size, state.window))
        if stopped or not size:
            until = pause_of(state) if stopped else parse_time(state.resets_at)
            raise _waits(state, until, step.queue)
        return Block(size, size, state.window)

    def _pause(
        self, of: tuple[str, ...], until: datetime | None, *, exhausted: bool
    ) -> AllowanceWaits:
        moment = self._now()

        def pause(transaction: Transaction) -> list[Allowance]:
            before = [self._read(each, transaction.get(self._paths[each]), moment) for each in of]
            after = [paused(state, until, moment, exhausted=exhausted) for state in before]
            for resource, state in zip(of, after, strict=True):
                transaction.write(_stored(self._paths[resource], state))
            return after

        state = self._documents.transact(pause)[0]
        log.warning("github_paused", resources=of, until=state.paused_until)
        return _waits(state, pause_of(state), self._current().queue)

    def _read(self, resource: str, document: Document | None, moment: datetime) -> Allowance:
        """The state as of now, renewed where its time has come."""
        if document is None:
            return fresh(self._limits[resource], moment)
        state = Allowance.model_validate(document.fields)
        if moment < parse_time(state.resets_at):
            return state
        return fresh(state.limit, moment, state)


def _waits(state: Allowance, until: datetime, queue: Queue) -> AllowanceWaits:
    return AllowanceWaits(
        f"GitHub's allowance of {state.limit} an hour is used up, or GitHub asked to wait, until "
        f"{until:%Y-%m-%d %H:%M:%S} UTC.",
        not_before=until + STAGGER[queue],
        details={"limit": state.limit, "queue": queue},
    )


def _stored(path: str, state: Allowance) -> Write:
    return Write(path, state.model_dump())
