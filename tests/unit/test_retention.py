"""What is removed when its time has come, and what stays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from functions import edge, maintenance
from shared import jobs, orphans, pipeline_runs, repositories, retention
from shared.boards import GLOBAL, Head, pointer_path
from shared.context import SYSTEM
from shared.jobs import JobType, Stage, State
from shared.models import iso
from shared.pipeline_runs import PipelineState
from shared.ports import Json, Write
from shared.tables import Dataset
from tests.support.by_hand import STEPS, by_hand, deliver_all
from tests.support.job_world import World, raising
from tests.support.manual_clock import ManualClock
from tests.support.scenario import (
    BOTH,
    LINES,
    everything,
    ingest,
    left_behind,
    name_of,
    open_services,
    receipts,
)

KEPT = timedelta(days=90)
SOON = timedelta(days=1)


def job(world: World, id_: str, state: State, age: timedelta, *, took: timedelta = SOON) -> str:
    """A job that was made so long ago and ended, if it did, ``took`` later."""
    made = world.clock() - age
    ended = iso(made + took) if state in jobs.ENDED else None
    stored = jobs.new(
        world.services, SYSTEM, JobType.RECALCULATE_GLOBAL, Stage.GLOBAL, "default"
    ).model_copy(update={"id": id_, "state": state, "created_at": iso(made), "finished_at": ended})
    world.services.documents.write([jobs.stored(stored)])
    return id_


def ids(world: World, collection: str) -> set[str]:
    return {document.id for document in everything(world.services, collection)}


@pytest.mark.parametrize("state", State)
def test_only_ended_jobs_go_and_only_when_they_are_old(world: World, state: State) -> None:
    old = job(world, "old", state, KEPT + 2 * SOON)
    job(world, "young", state, KEPT - SOON)
    job(world, "ended-lately", state, KEPT + SOON, took=KEPT)
    removed = retention.apply(world.services, "round")
    gone = state in jobs.ENDED
    assert removed["jobs"] == int(gone)
    assert ids(world, "jobs") == {"young", "ended-lately"} | (set() if gone else {old})


def test_a_round_again_removes_nothing(world: World) -> None:
    job(world, "old", State.COMPLETED, 2 * KEPT)
    assert sum(retention.apply(world.services, "1").values()) == 1
    assert sum(retention.apply(world.services, "2").values()) == 0


def test_the_owner_says_how_long_things_are_kept(tmp_path: Path) -> None:
    clock = ManualClock()
    services, queue = by_hand(open_services(tmp_path, clock, retention_days=7))
    world = World(services, clock, queue)
    job(world, "old", State.FAILED, timedelta(days=9))
    assert retention.apply(services, "round")["jobs"] == 1


@pytest.mark.parametrize(
    ("letter", "settled"),
    [
        ({}, False),
        ({"settled_at": "2025-01-01T00:00:00Z"}, True),
        ({"job_id": "gone"}, True),
        ({"job_id": "of-no-repository"}, False),
    ],
)
def test_letters_go_when_they_are_old_and_settled(
    world: World, letter: Mapping[str, Json], settled: bool
) -> None:
    job(world, "of-no-repository", State.RUNNING, KEPT)
    for id_, age in (("old", KEPT + SOON), ("young", KEPT - SOON)):
        failed = {**letter, "failed_at": iso(world.clock() - age), "reason": "test"}
        world.services.documents.write([Write(f"dead_letters/{id_}", failed)])
    assert retention.apply(world.services, "round")["dead_letters"] == int(settled)
    assert ids(world, "dead_letters") == {"young"} | (set() if settled else {"old"})


def test_a_letter_of_a_scrape_is_settled_by_a_later_one_that_worked(world: World) -> None:
    failed = world.job()
    world.run(failed, raising(ValueError("no")))
    for _ in range(3):
        world.clock.advance(timedelta(seconds=300))
        world.run(failed, raising(ValueError("no")))
    assert set(world.dead_letters()) == {failed.id}
    world.clock.advance(KEPT + SOON)
    assert retention.apply(world.services, "1")["dead_letters"] == 0
    (repository,) = everything(world.services, "repositories")
    scraped = {**repository.fields, "last_scraped_at": iso(world.clock())}
    world.services.documents.write([Write(repository.path, scraped)])
    assert retention.apply(world.services, "2")["dead_letters"] == 1


def test_runs_and_their_occasions_go_but_not_one_that_is_open(world: World) -> None:
    first = pipeline_runs.start(world.services, SYSTEM, "a", once="a").run
    open_ = pipeline_runs.start(world.services, SYSTEM, "b", once="b").run
    ended = first.model_copy(
        update={"state": PipelineState.COMPLETED, "open": False, "finished_at": first.created_at}
    )
    world.services.documents.write([pipeline_runs.stored(ended)])
    world.clock.advance(timedelta(days=8))
    assert retention.apply(world.services, "1")["occasions"] == 2
    world.clock.advance(KEPT)
    assert retention.apply(world.services, "2")["pipelines"] == 1
    assert ids(world, "pipelines") == {open_.id}


def test_the_audit_trail_is_kept(world: World) -> None:
    world.job()
    before = ids(world, "audit")
    world.clock.advance(timedelta(days=5000))
    retention.apply(world.services, "round")
    assert ids(world, "audit") == before != set()


# --- slices ---------------------------------------------------------------------------------------


def test_slices_name_the_next_and_add_up(world: World) -> None:
    for number in range(450):
        job(world, f"old-{number:03}", State.COMPLETED, 2 * KEPT)
    time = "2025-03-01T05:00:00Z"
    for attempt in range(2):
        maintenance.retain(world.services, edge.Delivery({}, f"{time}#{attempt}", time))
    deliver_all(world.services, world.queue)
    assert ids(world, "jobs") == set()
    (noted,) = world.services.documents.get("state/retention")
    assert noted is not None
    assert noted.fields["removed"] == {**dict.fromkeys(retention._SWEEPS, 0), "jobs": 450}
    assert noted.fields["finished_at"] == iso(world.clock())
    names = [task.name for task in world.queue.tasks]
    assert names == [f"retention-20250301t050000z-slice-{n}" for n in range(1, len(names) + 1)]
    assert {task.queue for task in world.queue.tasks} == {"low"}
    assert {task.function for task in world.queue.tasks} <= STEPS.keys()


def test_a_slice_that_comes_again_late_does_no_harm(world: World) -> None:
    job(world, "old", State.COMPLETED, 2 * KEPT)
    maintenance.retain(world.services, edge.Delivery({}, "t#0", "t"))
    deliver_all(world.services, world.queue)
    young = job(world, "young", State.COMPLETED, KEPT - SOON)
    for handed in list(world.queue.given):
        STEPS["apply_retention"](world.services, edge.Delivery(handed.data, "again", "again"))
    deliver_all(world.services, world.queue)
    assert ids(world, "jobs") == {young}


# --- generations ----------------------------------------------------------------------------------


def test_what_no_pointer_keeps_is_removed_and_the_boards_stay(tmp_path: Path) -> None:
    clock = ManualClock()
    services, queue = by_hand(open_services(tmp_path / "data", clock))
    ingest(services, tmp_path / "files", {"events.json.gz": LINES})
    for repository in BOTH:
        repositories.register(services, name_of(repository), SYSTEM)
    deliver_all(services, queue)
    shown = receipts(services)
    (pointer,) = services.documents.get(pointer_path(GLOBAL, "7d"))
    assert pointer is not None
    # A board that was withdrawn by somebody who died after its pointer.
    services.documents.write([Write(pointer.path, None)])
    edition = Head.model_validate_json(pointer.body or b"").edition
    orphaned = f"board_generations/{GLOBAL}~7d~{edition}"
    assert services.documents.get(orphaned) != (None,)

    assert orphans.remove_orphans(services, None, 500) == (0, None)
    clock.advance(orphans.UNTOUCHED_FOR + SOON)
    removed, cursor = orphans.remove_orphans(services, None, 3)
    while cursor is not None:
        more, cursor = orphans.remove_orphans(services, cursor, 3)
        removed += more
    assert removed == 1
    assert services.documents.get(orphaned) == (None,)
    assert left_behind(services) == []
    assert receipts(services) == {p: r for p, r in shown.items() if p != (GLOBAL, "7d")}


def test_the_warehouse_removes_what_no_unit_needs(tmp_path: Path) -> None:
    clock = ManualClock()
    services = open_services(tmp_path / "data", clock)
    ingest(services, tmp_path / "files", {"events.json.gz": LINES})
    (unit,) = services.warehouse.units(Dataset.EVENTS)
    services.warehouse.remove(Dataset.EVENTS, unit.name)
    assert services.warehouse.sweep(Dataset.EVENTS) == 0
    clock.advance(timedelta(hours=1))
    assert services.warehouse.sweep(Dataset.EVENTS) == 1
    assert services.warehouse.sweep(Dataset.EVENTS) == 0
