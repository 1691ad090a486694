"""The implementations of Events that are held to ``events_suite``: a new one needs a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.support.queue_bench import SqliteBench
from tests.support.receiver import receiver

pytest.register_assert_rewrite("tests.contract.events_suite")
from tests.contract.events_suite import (  # noqa: E402 - rewritten first
    SUBSCRIPTIONS,
    EventsBench,
    EventsSuite,
)


@contextmanager
def _sqlite(directory: Path) -> Iterator[EventsBench]:
    with receiver() as receiving:
        yield SqliteBench(directory / "queue.sqlite", receiving, SUBSCRIPTIONS)


BENCHES: dict[str, Callable[[Path], AbstractContextManager[EventsBench]]] = {"sqlite": _sqlite}


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventsBench]:
    with BENCHES[request.param](tmp_path) as opened:
        yield opened


class TestEvents(EventsSuite):
    pass
