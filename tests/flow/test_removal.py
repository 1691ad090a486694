"""A repository is removed at any moment: it leaves nothing behind, and others are left alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from shared import job_steps, repositories
from shared.context import SYSTEM, Services
from shared.errors import NotFound
from shared.jobs import RepositoryStatus
from shared.recalculation import request_global
from shared.tables import Dataset
from tests.support.by_hand import HandQueue, by_hand, deliver, deliver_all
from tests.support.fast_folder import fast_folder
from tests.support.lines import ENGINE, WHEELS, Repo, changed
from tests.support.manual_clock import ManualClock
from tests.support.scenario import (
    BOTH,
    LINES,
    Receipts,
    everything,
    ingest,
    left_behind,
    name_of,
    open_services,
    receipts,
    unfinished,
)
from tests.support.watched_ports import watched


class Killed(BaseException):
    """Ends a call as SIGKILL would."""


@cache
def wheels_alone() -> Receipts:
    with fast_folder() as folder:
        services, queue = prepared(folder)
        register(services, queue, WHEELS)
        return receipts(services)


@cache
def both() -> Receipts:
    with fast_folder() as folder:
        services, queue = prepared(folder)
        register(services, queue, *BOTH)
        return receipts(services)


def prepared(folder: Path) -> tuple[Services, HandQueue]:
    services, queue = by_hand(open_services(folder / "data", ManualClock()))
    ingest(services, folder / "files", {"events.json.gz": LINES})
    return services, queue


def register(services: Services, queue: HandQueue, *some: Repo) -> None:
    for repository in some:
        repositories.register(services, name_of(repository), SYSTEM)
    deliver_all(services, queue)


def remove(services: Services, repository: Repo = ENGINE) -> None:
    repositories.remove(services, name_of(repository), SYSTEM)


def at_call(number: int, interfere: Callable[[], None]) -> Callable[[str, Callable[[], Any]], Any]:
    """Something happens before the port call of that number, from 1."""
    made = 0

    def around(_: str, call: Callable[[], Any]) -> Any:
        nonlocal made
        made += 1
        if made == number:
            interfere()
        return call()

    return around


def swept_up(services: Services, queue: HandQueue) -> None:
    """All that can be done is done, whatever got lost."""
    assert isinstance(services.now, ManualClock)
    deliver_all(services, queue)
    for _ in range(4):
        services.now.advance(timedelta(minutes=10))
        job_steps.sweep(services)
        deliver_all(services, queue)


def nothing_is_left_of_it(services: Services) -> None:
    assert receipts(services) == wheels_alone()
    assert left_behind(services) == []
    for dataset in (Dataset.CONTRIBUTIONS, Dataset.STANDINGS):
        kept = [unit.name for unit in services.warehouse.units(dataset)]
        assert kept == [repositories.unit_name(WHEELS.id)]


CALLS_OF_REMOVE = 26


@pytest.mark.parametrize("number", range(1, CALLS_OF_REMOVE + 1))
def test_a_removal_that_is_killed_is_completed_by_itself(folder: Path, number: int) -> None:
    services, queue = prepared(folder)
    register(services, queue, *BOTH)

    def die() -> None:
        raise Killed

    with pytest.raises(Killed):
        remove(watched(services, at_call(number, die)))
    swept_up(services, queue)
    if number == 1:  # nothing was written yet: whoever asked has to ask again
        assert receipts(services) == both()
        remove(services)
        swept_up(services, queue)
    nothing_is_left_of_it(services)
    assert unfinished(services) == []


def test_a_removal_has_no_more_calls_than_are_killed_here(folder: Path) -> None:
    services, queue = prepared(folder)
    register(services, queue, *BOTH)
    calls: list[str] = []

    def count(name: str, call: Callable[[], Any]) -> Any:
        calls.append(name)
        return call()

    remove(watched(services, count))
    assert len(calls) == CALLS_OF_REMOVE


@pytest.mark.parametrize("number", range(1, 70, 3))
def test_a_removal_in_the_middle_of_a_scrape_leaves_nothing_behind(
    folder: Path, number: int
) -> None:
    services, queue = prepared(folder)
    register(services, queue, WHEELS)
    repositories.register(services, name_of(ENGINE), SYSTEM)
    deliver_all(watched(services, at_call(number, lambda: remove(services))), queue)
    with pytest.raises(NotFound):
        repositories.get(services, name_of(ENGINE))
    # What a worker wrote that came too late goes with the next global recalculation.
    request_global(services)
    swept_up(services, queue)
    nothing_is_left_of_it(services)


@pytest.mark.parametrize("number", range(1, 13))
def test_a_repository_that_comes_during_a_global_recalculation_is_not_taken_for_a_removed_one(
    folder: Path, number: int
) -> None:
    services, queue = prepared(folder)
    register(services, queue, WHEELS)
    request_global(services)

    def another_comes() -> None:
        register(services, queue, ENGINE)

    deliver_all(watched(services, at_call(number, another_comes)), queue)
    swept_up(services, queue)
    assert receipts(services) == both()
    assert unfinished(services) == []


def test_a_late_task_of_a_removed_registration_leaves_the_new_one_alone(folder: Path) -> None:
    services, queue = prepared(folder)
    repositories.register(services, name_of(ENGINE), SYSTEM)
    (late,) = queue.take()
    remove(services)
    register(services, queue, ENGINE)
    assert repositories.get(services, name_of(ENGINE)).status is RepositoryStatus.COMPLETED
    assert deliver(services, late)
    deliver_all(services, queue)
    assert repositories.get(services, name_of(ENGINE)).status is RepositoryStatus.COMPLETED
    assert len(receipts(services)) == 10


def test_removing_one_of_two_names_of_a_repository_leaves_the_other_its_board(
    folder: Path,
) -> None:
    services, queue = by_hand(open_services(folder / "data"))
    renamed = Repo(ENGINE.id, "octo/motor")
    lines = [
        changed(line, "repo.name", renamed.name) if number > 5 and of_engine else line
        for number, line in enumerate(LINES)
        for of_engine in [line["repo"]["id"] == ENGINE.id]
    ]
    ingest(services, folder / "files", {"events.json.gz": lines})
    register(services, queue, ENGINE, renamed)
    before = receipts(services)
    assert len(before) == 10
    remove(services)
    deliver_all(services, queue)
    assert receipts(services) == before
    names = [document.fields["name"] for document in everything(services, "repositories")]
    assert names == [renamed.name]
