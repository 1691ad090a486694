"""The embedded tasks and events with a receiver and a manual clock, for the contract suites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from infra.local.deliveries import DeliveryStore
from infra.local.dispatch import Dispatcher
from infra.local.events import SqliteEvents, Subscription
from infra.local.tasks import SqliteTasks
from tests.support.manual_clock import ManualClock
from tests.support.receiver import Receiver

SECRET = "s3cret"
_SOON = timedelta(seconds=20)


class SqliteBench:
    """Satisfies TasksBench and EventsBench."""

    def __init__(
        self, path: Path, receiver: Receiver, subscriptions: Sequence[Subscription] = ()
    ) -> None:
        self.receiver = receiver
        self._path = path
        self._subscriptions = subscriptions
        self._clock = ManualClock()
        self.restart()

    def now(self) -> datetime:
        return self._clock()

    def advance(self, by: timedelta) -> None:
        self._clock.advance(by)

    def restart(self) -> None:
        self._store = DeliveryStore(self._path, self._clock)
        self.tasks = SqliteTasks(self._store)
        self.events = SqliteEvents(self._store, self._subscriptions)

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
        return Dispatcher(
            self._store, (self.tasks, self.events), base_url=self.receiver.url, secret=SECRET
        )
