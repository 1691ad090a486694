"""The implementations of Events that are held to ``events_suite``: a new one needs a line here."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.queue_bench import SqliteBench
from tests.support.receiver import Receiver, receiver

pytest.register_assert_rewrite("tests.contract.events_suite", "tests.contract.exact_events_suite")
from tests.contract.events_suite import (  # noqa: E402 - rewritten first
    SUBSCRIPTIONS,
    EventsBench,
    EventsSuite,
)
from tests.contract.exact_events_suite import ExactEventsSuite  # noqa: E402 - rewritten first


@pytest.fixture
def receiving() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def exact(tmp_path: Path, receiving: Receiver) -> SqliteBench:
    return SqliteBench(tmp_path / "queue.sqlite", receiving, SUBSCRIPTIONS)


@pytest.fixture(params=["sqlite", "pubsub"])
def bench(request: pytest.FixtureRequest, receiving: Receiver) -> Iterator[EventsBench]:
    if request.param == "sqlite":
        yield request.getfixturevalue("exact")
        return
    host = request.getfixturevalue("pubsub_emulator")
    # Imported here, so that nobody waits for Google's library in vain.
    from tests.support.pubsub_bench import pubsub_bench

    project = f"test-{uuid.uuid4().hex[:12]}"
    with pubsub_bench(host, project, SUBSCRIPTIONS, receiving) as opened:
        yield opened


class TestEvents(EventsSuite):
    pass


class TestEmbeddedEvents(ExactEventsSuite):
    pass
