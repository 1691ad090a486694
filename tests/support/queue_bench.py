"""The embedded tasks and events with a receiver and a manual clock, for the contract suites."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from infra.local.deliveries import DeliveryStore
from infra.local.dispatch import Dispatcher
from infra.local.events import SqliteEvents, Subscription
from infra.local.lanes import Source
from infra.local.tasks import SqliteTasks
from tests.support.manual_clock import ManualClock
from tests.support.receiver import Receiver

SECRET = "s3cret"
_SOON = timedelta(seconds=20)
_LONGEST_BACKOFF = timedelta(minutes=10)


class DispatchBench:
    """Time in hand, and the dispatcher over what ``sources`` has in the file ``path``."""

    def __init__(self, path: Path, receiver: Receiver) -> None:
        self.receiver = receiver
        self._path = path
        self._clock = ManualClock()
        self.restart()

    def sources(self) -> Sequence[Source]:
        raise NotImplementedError

    def now(self) -> datetime:
        return self._clock()

    def advance(self, by: timedelta) -> None:
        self._clock.advance(by)

    def restart(self) -> None:
        self._store = DeliveryStore(self._path, self._clock)

    def until(self, condition: Callable[[], object]) -> None:
        for _ in range(50):
            self.deliver()
            if condition():
                return
            self.advance(_LONGEST_BACKOFF)
        raise AssertionError("did not come true, however much time passed")

    def deliver(self) -> None:
        dispatcher = self._dispatcher()
        try:
            assert dispatcher.drain(_SOON)
        finally:
            dispatcher.stop()

    @contextmanager
    def delivering(self) -> Iterator[None]:
        dispatcher = self._dispatcher()
        dispatcher.start()
        try:
            yield
        finally:
            dispatcher.stop(_SOON)

    def _dispatcher(self) -> Dispatcher:
        return Dispatcher(self._store, self.sources(), base_url=self.receiver.url, secret=SECRET)


class SqliteBench(DispatchBench):
    """Satisfies TasksBench and EventsBench."""

    def __init__(
        self, path: Path, receiver: Receiver, subscriptions: Sequence[Subscription] = ()
    ) -> None:
        self._subscriptions = subscriptions
        super().__init__(path, receiver)

    def restart(self) -> None:
        super().restart()
        self.tasks = SqliteTasks(self._store)
        self.events = SqliteEvents(self._store, self._subscriptions)

    def sources(self) -> Sequence[Source]:
        return self.tasks, self.events
