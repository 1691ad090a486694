"""Tasks and events arrive repeatedly, late and out of order; the boards are the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared import job_steps, recalculation, repositories, staleness
from shared.context import SYSTEM, Services
from shared.ports import Query
from tests.support.by_hand import Handed, HandQueue, by_hand, deliver, deliver_all
from tests.support.fast_folder import fast_folder
from tests.support.manual_clock import ManualClock
from tests.support.scenario import (
    BOTH,
    LINES,
    Receipts,
    ingest,
    left_behind,
    name_of,
    open_services,
    receipts,
    unfinished,
)
from tests.support.watched_ports import watched

ALL_JOBS = Query("jobs", limit=500)
TIMES = 3
SEEDS = range(4)


@pytest.fixture(scope="module")
def expected() -> Receipts:
    """The receipts when everything is delivered once and in order."""
    with fast_folder() as once:
        services, queue, _ = prepared(once)
        register_both(services)
        deliver_all(services, queue)
        return receipts(services)


def prepared(folder: Path) -> tuple[Services, HandQueue, ManualClock]:
    clock = ManualClock()
    services, queue = by_hand(open_services(folder / "data", clock))
    ingest(services, folder / "files", {"events.json.gz": LINES})
    return services, queue, clock


def register_both(services: Services) -> None:
    for repository in BOTH:
        repositories.register(services, name_of(repository), SYSTEM)


def all_is_well(services: Services, expected: Receipts) -> None:
    assert receipts(services) == expected
    assert unfinished(services) == []
    assert left_behind(services) == []
    assert {d.fields["state"] for d in services.documents.query(ALL_JOBS).documents} == {
        "COMPLETED"
    }


def in_random_order(services: Services, queue: HandQueue, dice: random.Random) -> Iterator[Handed]:
    """Delivers everything ``TIMES`` times in random order; says what was delivered last."""
    waiting: list[tuple[Handed, int]] = []
    while True:
        waiting += [(handed, n) for handed in queue.take() for n in range(TIMES)]
        if not waiting:
            return
        handed, number = waiting.pop(dice.randrange(len(waiting)))
        # Now a repeat of the same call, now another attempt at it.
        if not deliver(services, handed, retry=number if dice.random() < 0.5 else 0):
            waiting.append((handed, number))
        yield handed


@pytest.mark.parametrize("seed", SEEDS)
def test_everything_delivered_three_times_in_random_order_gives_the_same_receipts(
    folder: Path, expected: Receipts, seed: int
) -> None:
    services, queue, clock = prepared(folder)
    register_both(services)
    for _ in in_random_order(services, queue, random.Random(seed)):
        clock.advance(timedelta(seconds=1))
    all_is_well(services, expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_deliveries_among_sweeps_and_further_requests_give_the_same_receipts(
    folder: Path, expected: Receipts, seed: int
) -> None:
    services, queue, clock = prepared(folder)
    dice = random.Random(seed)
    register_both(services)
    requests = 6
    for _ in in_random_order(services, queue, dice):
        clock.advance(timedelta(seconds=dice.choice([1, 30, 70, 400])))
        job_steps.sweep(services)
        if requests and dice.random() < 0.3:
            requests -= 1
            request(services, dice)
    all_is_well(services, expected)


def request(services: Services, dice: random.Random) -> None:
    """What schedules and impatient people ask for meanwhile."""
    asked = dice.randrange(4)
    if asked == 0:
        register_both(services)
    elif asked == 1:
        staleness.refresh_stale(services, 5)
    elif asked == 2:
        recalculation.request_global(services)
    else:
        name = name_of(dice.choice(BOTH))
        repositories.request_scrape(services, name, SYSTEM, full=dice.random() < 0.5)


@pytest.mark.parametrize("seed", SEEDS)
def test_late_duplicates_after_the_end_change_nothing_at_all(
    folder: Path, expected: Receipts, seed: int
) -> None:
    services, queue, clock = prepared(folder)
    register_both(services)
    deliver_all(services, queue)
    given = list(queue.given)
    before = services.documents.query(ALL_JOBS).documents
    clock.advance(timedelta(hours=30))
    dice = random.Random(seed)
    dice.shuffle(given)
    for handed in given:
        assert deliver(services, handed, retry=dice.randrange(3))
    job_steps.sweep(services)
    # Late word of changed boards asks for the global ones once more, which then stay as they are.
    deliver_all(services, queue)
    all_is_well(services, expected)
    after = {d.path: d for d in services.documents.query(ALL_JOBS).documents}
    assert [after[document.path] for document in before] == list(before)


@pytest.mark.parametrize("seed", SEEDS)
def test_repeats_within_a_running_step_give_the_same_receipts(
    folder: Path, expected: Receipts, seed: int
) -> None:
    """Another delivery comes before any call of a port, and runs to its end."""
    services, queue, _ = prepared(folder)
    dice = random.Random(seed)
    came = 0

    def intrude(_: str, call: Callable[[], Any]) -> Any:
        nonlocal came
        if queue.given and dice.random() < 0.02:
            came += 1
            deliver(services, dice.choice(queue.given), retry=came)
        return call()

    register_both(services)
    deliver_all(watched(services, intrude), queue)
    assert came
    all_is_well(services, expected)
