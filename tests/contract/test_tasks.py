"""The implementations of Tasks that are held to ``tasks_suite``: a new one needs a line here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.support.queue_bench import SqliteBench
from tests.support.receiver import receiver

pytest.register_assert_rewrite("tests.contract.tasks_suite")
from tests.contract.tasks_suite import TasksBench, TasksSuite  # noqa: E402 - rewritten first


@contextmanager
def _sqlite(directory: Path) -> Iterator[TasksBench]:
    with receiver() as receiving:
        yield SqliteBench(directory / "queue.sqlite", receiving)


@contextmanager
def _cloud_tasks(directory: Path) -> Iterator[TasksBench]:
    # Imported here, so that nobody waits for Google's library in vain.
    from tests.support.cloud_tasks_bench import cloud_tasks_bench

    with receiver() as receiving, cloud_tasks_bench(directory / "tasks", receiving) as opened:
        yield opened


BENCHES: dict[str, Callable[[Path], AbstractContextManager[TasksBench]]] = {
    "sqlite": _sqlite,
    "cloud-tasks": _cloud_tasks,
}


@pytest.fixture(params=BENCHES)
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TasksBench]:
    with BENCHES[request.param](tmp_path) as opened:
        yield opened


class TestTasks(TasksSuite):
    pass
