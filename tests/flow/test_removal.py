"""A repository is removed at any moment: it leaves nothing behind, and others are left alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from shared import job_steps, repositories
from shared.context import SYSTEM, Services
from shared.errors import NotFound
from shared.jobs import RepositoryStatus
from shared.recalculation import request_global
from shared.tables import Dataset
from tests.support.by_hand import HandQueue, by_hand, deliver, deliver_all
from tests.support.copies import copy_data
from tests.support.fast_folder import fast_folder
from tests.support.lines import ENGINE, WHEELS, Repo, changed
from tests.support.manual_clock import ManualClock
from tests.support.scenario import (
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
from tests.support.watched_ports import before_call, counting, watched


class Killed(BaseException):
    """Ends a call as SIGKILL would."""


@dataclass(frozen=True)
class Starts:
    """Data directories to start from, and what their boards show."""

    wheels: Path
    wheels_receipts: Receipts
    both: Path
    both_receipts: Receipts


@pytest.fixture(scope="module")
def starts() -> Iterator[Starts]:
    with fast_folder() as folder:
        services, queue = by_hand(open_services(folder / "wheels", ManualClock()))
        ingest(services, folder / "files", {"events.json.gz": LINES})
        register(services, queue, WHEELS)
        alone = receipts(services)
        copy_data(folder / "wheels", folder / "both")
        services, queue = by_hand(open_services(folder / "both", ManualClock()))
        register(services, queue, ENGINE)
        yield Starts(folder / "wheels", alone, folder / "both", receipts(services))


def from_start(start: Path, folder: Path) -> tuple[Services, HandQueue]:
    """Services on a copy of a start."""
    copy_data(start, folder / "data")
    return by_hand(open_services(folder / "data", ManualClock()))


def register(services: Services, queue: HandQueue, *some: Repo) -> None:
    for repository in some:
        repositories.register(services, name_of(repository), SYSTEM)
    deliver_all(services, queue)


def remove(services: Services, repository: Repo = ENGINE) -> None:
    repositories.remove(services, name_of(repository), SYSTEM)


def swept_up(services: Services, queue: HandQueue) -> None:
    """All that can be done is done, whatever got lost."""
    assert isinstance(services.now, ManualClock)
    deliver_all(services, queue)
    for _ in range(4):
        services.now.advance(timedelta(minutes=10))
        job_steps.sweep(services)
        deliver_all(services, queue)


def nothing_is_left_of_it(services: Services, starts: Starts) -> None:
    assert receipts(services) == starts.wheels_receipts
    assert left_behind(services) == []
    for dataset in (Dataset.CONTRIBUTIONS, Dataset.STANDINGS):
        kept = [unit.name for unit in services.warehouse.units(dataset)]
        assert kept == [repositories.unit_name(WHEELS.id)]


def test_a_removal_that_is_killed_before_any_call_is_completed_by_itself(starts: Starts) -> None:
    calls: list[str] = []
    with fast_folder() as folder:
        services, _ = from_start(starts.both, folder)
        remove(watched(services, counting(calls)))
    assert len(calls) > 20

    def die() -> None:
        raise Killed

    for number in range(1, len(calls) + 1):
        with fast_folder() as folder:
            services, queue = from_start(starts.both, folder)
            with pytest.raises(Killed):
                remove(watched(services, before_call(number, die)))
            swept_up(services, queue)
            if number == 1:  # nothing was written yet: whoever asked has to ask again
                assert receipts(services) == starts.both_receipts
                continue
            nothing_is_left_of_it(services, starts)
            assert unfinished(services) == []


@pytest.mark.parametrize("number", range(1, 70, 4))
def test_a_removal_in_the_middle_of_a_scrape_leaves_nothing_behind(
    folder: Path, starts: Starts, number: int
) -> None:
    services, queue = from_start(starts.wheels, folder)
    repositories.register(services, name_of(ENGINE), SYSTEM)
    deliver_all(watched(services, before_call(number, lambda: remove(services))), queue)
    with pytest.raises(NotFound):
        repositories.get(services, name_of(ENGINE))
    # What a worker wrote that came too late goes with the next global recalculation.
    request_global(services)
    swept_up(services, queue)
    nothing_is_left_of_it(services, starts)


@pytest.mark.parametrize("number", range(2, 9))
def test_a_repository_that_comes_during_a_global_recalculation_is_not_taken_for_a_removed_one(
    folder: Path, starts: Starts, number: int
) -> None:
    services, queue = from_start(starts.wheels, folder)
    request_global(services)
    comes = before_call(number, lambda: register(services, queue, ENGINE))
    deliver_all(watched(services, comes), queue)
    swept_up(services, queue)
    assert receipts(services) == starts.both_receipts
    assert unfinished(services) == []


def test_a_late_task_of_a_removed_registration_leaves_the_new_one_alone(
    folder: Path, starts: Starts
) -> None:
    services, queue = from_start(starts.wheels, folder)
    repositories.register(services, name_of(ENGINE), SYSTEM)
    (late,) = queue.take()
    remove(services)
    register(services, queue, ENGINE)
    assert repositories.get(services, name_of(ENGINE)).status is RepositoryStatus.COMPLETED
    assert deliver(services, late)
    deliver_all(services, queue)
    assert repositories.get(services, name_of(ENGINE)).status is RepositoryStatus.COMPLETED
    assert receipts(services) == starts.both_receipts


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
