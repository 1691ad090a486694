"""The dispatcher: calls functions for tasks, events and schedules until each has succeeded."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import httpx
import structlog

from infra.local.deliveries import DeliveryStore
from infra.local.lanes import INTERNAL_HEADER, Call, Delivery, Lane, Source
from infra.tls import trusted
from shared.errors import RetryLater

_GRANULARITY = 0.2
_PURGE_EVERY = timedelta(hours=1)

_log = structlog.get_logger(__name__)


class Dispatcher:
    """Delivers what is due in the lanes of its sources to ``{base_url}/{function}``.

    Any number of dispatchers may share a store. While a call runs its lease is renewed; the
    deliveries of a dispatcher that was killed are due again ``lease`` later, and that call does
    not count as an attempt. 2xx ends a delivery, anything else is tried again by its lane's rules.
    """

    def __init__(
        self,
        store: DeliveryStore,
        sources: Sequence[Source],
        *,
        base_url: str,
        secret: str,
        lease: timedelta = timedelta(seconds=15),
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._store = store
        self._owners = {lane.key: (source, lane) for source in sources for lane in source.lanes}
        self._lanes = [lane for _, lane in self._owners.values()]
        self._lease = lease
        # No connection is kept: one that a restarted server has closed would cost an attempt.
        self._client = httpx.Client(
            base_url=base_url,
            headers={INTERNAL_HEADER: secret},
            limits=httpx.Limits(max_keepalive_connections=0),
            transport=transport,
            trust_env=False,
            verify=trusted(),
        )
        self._under_way: dict[int, Delivery] = {}
        self._changed = threading.Condition()
        self._changes = 0
        self._passing = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._renewed_at: datetime | None = None
        self._purged_at: datetime | None = None

    def start(self) -> None:
        """Deliver in the background until ``stop``, which is final."""
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)
        self._thread.start()

    def stop(self, grace: timedelta = timedelta(seconds=3)) -> None:
        """Start no more calls, give running ones ``grace``, hand back what is left. Idempotent.

        What is handed back is delivered again at once by the next dispatcher.
        """
        with self._passing:
            self._stopping.set()
        self._notify()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way, grace.total_seconds())
            left = list(self._under_way.values())
        if left:
            # Their connections stay: an answer that still comes in time spares a second call.
            self._store.release(left)
        else:
            self._client.close()

    def drain(self, within: timedelta, *, horizon: timedelta = timedelta(0)) -> bool:
        """Deliver until nothing is under way or due, here or in another process.

        ``within`` is the machine's time. What becomes due by ``horizon`` from now is waited for
        too. False if there was still something when the time was up. Works beside ``start``.
        """
        end = time.monotonic() + within.total_seconds()
        while True:
            seen = self._changes
            wait = self._pass()
            if self._store.idle(self._lanes, self._store.clock() + horizon):
                return True
            left = end - time.monotonic()
            if left <= 0 or self._stopping.is_set():
                return False
            self._sleep(min(wait, left), seen)

    def _run(self) -> None:
        while not self._stopping.is_set():
            seen = self._changes
            try:
                wait = self._pass()
            except RetryLater as error:
                _log.warning("dispatcher_held_up", reason=error.message)
                wait = _GRANULARITY
            self._sleep(wait, seen)

    def _pass(self) -> float:
        """Renew leases, start calls for what is due; returns the seconds until the next pass."""
        with self._passing:
            if self._stopping.is_set():
                return 0.0
            now = self._store.clock()
            self._purge(now)
            self._renew(now)
            for delivery in self._store.lease(self._lanes, self._lease):
                self._begin(delivery)
            next_due = self._store.next_due(self._lanes, now)
        if next_due is None:
            return _GRANULARITY
        return min(_GRANULARITY, max(0.001, (next_due - now).total_seconds()))

    def _purge(self, now: datetime) -> None:
        if self._purged_at is None or now - self._purged_at > _PURGE_EVERY:
            self._store.purge()
            self._purged_at = now

    def _renew(self, now: datetime) -> None:
        if self._renewed_at is not None and now - self._renewed_at < self._lease / 3:
            return
        with self._changed:
            held = list(self._under_way.values())
        if held:
            self._store.renew(held, self._lease)
        self._renewed_at = now

    def _begin(self, delivery: Delivery) -> None:
        with self._changed:
            self._under_way[delivery.id] = delivery
        # A thread per call: lanes bound their number, and a hung call must not keep the process.
        threading.Thread(
            target=self._deliver, args=(delivery,), name=delivery.lane, daemon=True
        ).start()

    def _deliver(self, delivery: Delivery) -> None:
        source, lane = self._owners[delivery.lane]
        try:
            status = self._post(lane.call(delivery), lane.deadline)
            self._settle(delivery, source, lane, status)
        except RetryLater as error:
            # The outcome is unknown to others until the lease runs out; then the call is repeated.
            _log.warning("outcome_not_kept", lane=delivery.lane, reason=error.message)
        finally:
            with self._changed:
                self._under_way.pop(delivery.id, None)
            self._notify()

    def _post(self, call: Call, deadline: timedelta) -> int | None:
        """The status of the answer; None if there was none within the deadline."""
        try:
            answer = self._client.post(
                f"/{call.function}",
                content=call.body,
                headers=dict(call.headers),
                timeout=httpx.Timeout(deadline.total_seconds(), connect=10.0),
            )
        except httpx.HTTPError as error:
            _log.info("call_without_answer", function=call.function, reason=repr(error))
            return None
        return answer.status_code

    def _settle(self, delivery: Delivery, source: Source, lane: Lane, status: int | None) -> None:
        about = {"lane": delivery.lane, "name": delivery.name, "function": delivery.function}
        failures = delivery.failures + 1
        if status is not None and 200 <= status < 300:
            self._store.acknowledge(delivery, lane.tombstone)
        elif lane.retry.exhausted(failures):
            if self._store.bury(delivery, lane.tombstone, source.bury(delivery)):
                _log.error("given_up", status=status, attempts=failures, **about)
        else:
            wait = lane.retry.wait(failures)
            if self._store.postpone(delivery, status, wait):
                _log.warning(
                    "call_failed", status=status, attempt=failures, again_in=str(wait), **about
                )

    def _sleep(self, seconds: float, seen: int) -> None:
        """Wait, but no longer than until a call ends that was not ``seen`` to have ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._changes != seen, seconds)

    def _notify(self) -> None:
        with self._changed:
            self._changes += 1
            self._changed.notify_all()
