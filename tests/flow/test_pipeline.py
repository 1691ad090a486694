"""The pipeline from a set time to its summary: killed at every call, late, doubled, stuck."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from functions import maintenance
from shared import pipeline, pipeline_runs, repositories, webhooks
from shared.context import SYSTEM
from shared.errors import Rejected, RetryLater
from shared.jobs import RepositoryStatus
from shared.models import RepositoryName
from shared.pipeline_runs import PipelineRun, PipelineState
from tests.support.fast_folder import fast_folder
from tests.support.job_world import Killed
from tests.support.pipeline_world import GHOST, NAMES, PipelineWorld
from tests.support.scenario import unfinished
from tests.support.watched_ports import counting, watched

SECRET = "sixteen letters.."
NOTICES = {"notify_webhook_url": "https://example.org/in", "notify_webhook_secret": SECRET}


@pytest.fixture
def world(folder: Path) -> PipelineWorld:
    return PipelineWorld(folder)


def wounds(world: PipelineWorld, run: PipelineRun) -> list[str]:
    """What is not as it has to be after a night with four repositories and a ghost."""
    found = unfinished(world.services)
    summary = run.summary
    counts = summary and (summary.repositories, summary.scraped, summary.failed, summary.rows)
    expected = (5, 4, 1, 28)
    if run.state is not PipelineState.COMPLETED or counts != expected or run.error:
        found.append(f"ended as {run.state} with {counts}: {run.error}")
    errors = {share.name: share.error for share in run.repositories if share.error}
    if errors.keys() != {GHOST}:
        found.append(f"failed are {errors}")
    for name, states in world.scrapes().items():
        if states != (["FAILED"] if name == GHOST else ["COMPLETED"]):
            found.append(f"{name} was scraped {states}")
    for action in ("pipeline.started", "pipeline.completed"):
        if len(world.audited(action)) != 1:
            found.append(f"{len(world.audited(action))} times {action}")
    if len(world.audited("repository.scrape_requested")) != len(NAMES):
        found.append("scrapes were requested more than once")
    return found


def test_a_night_with_a_failing_repository_among_five_completes_and_says_so(
    world: PipelineWorld,
) -> None:
    with capture_logs() as logged:
        world.set_time()
        run = world.see_through()
    assert wounds(world, run) == []
    assert run.summary is not None
    assert run.summary.recalculated
    by_event = {line["event"]: line for line in logged}
    assert by_event["pipeline_started"]["key"] == "nightly"
    assert by_event["pipeline_completed"]["log_level"] == "warning"
    assert by_event["pipeline_completed"]["failures"] == {
        GHOST: "No event of octo/ghost was captured."
    }
    (record,) = world.audited("pipeline.completed")
    assert record["actor_id"] == f"pipeline:{run.id}"
    assert record["new_value"] == run.summary.model_dump(mode="json")
    (asked, *_) = world.audited("repository.scrape_requested")
    assert asked["actor_id"] == f"pipeline:{run.id}"


# --- killed -------------------------------------------------------------------------------------


class Killer:
    """Dies before or after the call of a number, once."""

    def __init__(self, at: int, *, after: bool) -> None:
        self.at, self.after, self.made = at, after, 0

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        self.made += 1
        due = self.made == self.at
        if due and not self.after:
            raise Killed
        result = call()
        if due:
            raise Killed
        return result


def night(world: PipelineWorld, around: Callable[..., Any], *, redelivered: bool) -> None:
    """A set time and everything that follows, passing through ``around``, until all is quiet.

    What dies comes again if it is ``redelivered``; the set time always does.
    """
    services = watched(world.services, around)
    with passing_over_kills() as died:
        world.set_time(services)
    if died:
        world.set_time(services)
    for _ in range(40):
        for handed in world.queue.take():
            if not world._is_due(handed):
                continue
            with passing_over_kills() as died:
                world.deliver(handed, services)
            if died and redelivered:
                world.deliver(handed, services, retry=1)
        if not world.queue.depths()["all"]:
            if not world.run().open:
                return
            world.clock.advance(timedelta(seconds=70))
            with passing_over_kills():
                maintenance.sweep(services)
        elif world.queue.postponed:
            world.clock.advance(timedelta(seconds=10))
    raise AssertionError(f"it is stuck: {world.run()}")


@contextmanager
def passing_over_kills() -> Iterator[list[bool]]:
    died: list[bool] = []
    try:
        yield died
    except Killed:
        died.append(True)


def calls_of_a_night() -> int:
    made: list[str] = []
    with fast_folder() as folder:
        world = PipelineWorld(folder)
        night(world, counting(made), redelivered=True)
    return len(made)


@pytest.mark.parametrize("redelivered", [True, False], ids=["redelivered", "lost"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_call_of_a_port_the_night_ends_as_it_would_have(
    redelivered: bool, after: bool
) -> None:
    calls = calls_of_a_night()
    assert calls > 60
    found: list[str] = []
    for at in range(1, calls + 1):
        with fast_folder() as folder:
            world = PipelineWorld(folder)
            killer = Killer(at, after=after)
            night(world, killer, redelivered=redelivered)
            assert killer.made >= at
            found += [f"call {at}: {wound}" for wound in wounds(world, world.run())]
    assert found == []


@pytest.mark.parametrize("seed", range(12))
def test_delivered_three_times_in_any_order_among_sweeps_it_ends_as_it_would_have(
    world: PipelineWorld, seed: int
) -> None:
    dice = random.Random(seed)
    world.set_time()
    waiting: list[tuple[Any, int]] = []
    for _ in range(2000):
        waiting += [(handed, n) for handed in world.queue.take() for n in range(3)]
        if not waiting:
            if not world.run().open:
                break
            world.clock.advance(timedelta(seconds=70))
            maintenance.sweep(world.services)
            continue
        handed, number = waiting.pop(dice.randrange(len(waiting)))
        if not world.deliver(handed, retry=number):
            waiting.append((handed, number))
        world.clock.advance(timedelta(seconds=dice.choice([0, 1, 20])))
        if dice.random() < 0.1:
            maintenance.sweep(world.services)
        if dice.random() < 0.1:
            world.set_time()
    world.set_time()
    assert wounds(world, world.run()) == []


class Intruder:
    """Delivers every prompt there was once more before the call of a number."""

    def __init__(self, world: PipelineWorld, at: int) -> None:
        self.world, self.at, self.made = world, at, 0

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        self.made += 1
        if self.made == self.at:
            for handed in [h for h in self.world.queue.given if "run_id" in h.data]:
                self.world.deliver(handed, retry=self.made)
        return call()


def test_another_prompt_before_any_call_of_a_port_changes_nothing() -> None:
    """It runs to its end in the middle of the one that it repeats."""
    found: list[str] = []
    for at in range(1, calls_of_a_night() + 1):
        with fast_folder() as folder:
            world = PipelineWorld(folder)
            night(world, Intruder(world, at), redelivered=True)
            found += [f"call {at}: {wound}" for wound in wounds(world, world.run())]
    assert found == []


# --- one at a time ------------------------------------------------------------------------------


def test_the_same_set_time_starts_one_run_and_another_one_while_it_goes_on_finds_it(
    world: PipelineWorld,
) -> None:
    world.set_time()
    world.set_time()
    world.set_time(time="2025-03-20T02:30:00Z")
    first = world.see_through()
    world.set_time()
    world.set_time(time="2025-03-20T02:30:00Z")
    assert world.run() == first
    world.set_time(time="2025-03-21T02:00:00Z")
    assert len(pipeline_runs.listed(world.services).documents) == 2


def test_runs_of_another_key_go_on_beside_it_and_share_the_scrapes(world: PipelineWorld) -> None:
    world.set_time()
    by_hand = pipeline_runs.start(world.services, SYSTEM, "manual").run
    for _ in range(8):
        world.work()
    ended = [pipeline_runs.read(d) for d in pipeline_runs.listed(world.services).documents]
    assert {run.state for run in ended} == {PipelineState.COMPLETED}
    assert all(len(states) == 1 for states in world.scrapes().values())
    assert by_hand.id in {run.id for run in ended}


def test_a_scrape_that_somebody_else_asked_for_is_waited_for(world: PipelineWorld) -> None:
    name = RepositoryName.parse(NAMES[0])
    world.set_time()
    for handed in world.queue.take():
        job, created = repositories.request_scrape(world.services, name, SYSTEM, full=True)
        assert created
        # Between the choice and the request comes somebody else.
        run = pipeline_runs.find(world.services, world.run().id)
        assert run is not None
        world.deliver(handed)
    run = world.see_through()
    assert [share.job for share in run.repositories if share.name == NAMES[0]] in ([job.id], [])
    assert all(len(states) == 1 for states in world.scrapes().values())


def test_at_most_as_many_as_the_setting_says_are_scraped_the_rest_the_next_night(
    folder: Path,
) -> None:
    world = PipelineWorld(folder, pipeline_repositories=2)
    world.set_time()
    run = world.see_through()
    assert [share.name for share in run.repositories] == ["octo/brakes", "octo/engine"]
    world.set_time(time="2025-03-21T02:00:00Z")
    for _ in range(5):
        world.work()
    assert sum(map(len, world.scrapes().values())) == 4


def test_a_repository_that_goes_meanwhile_counts_as_failed(world: PipelineWorld) -> None:
    world.set_time()

    def remove_wheels(name: str, call: Callable[[], Any]) -> Any:
        result = call()
        run = pipeline_runs.find(world.services, world.run().id)
        if run is not None and run.state is PipelineState.SCRAPING and not removed:
            removed.append(True)
            repositories.remove(world.services, RepositoryName.parse("octo/wheels"), SYSTEM)
        return result

    removed: list[bool] = []
    services = watched(world.services, remove_wheels)
    for handed in world.queue.take():
        world.deliver(handed, services)
    run = world.see_through()
    errors = {share.name: share.error for share in run.repositories if share.error}
    assert errors.keys() == {GHOST, "octo/wheels"}
    assert "not registered" in str(errors["octo/wheels"])


# --- what stops it --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("daily", "monthly", "until"), [(0, 50, "2025-03-21"), (5, 0, "2025-04-01")]
)
def test_over_budget_nothing_is_scraped_but_the_boards_follow(
    world: PipelineWorld, daily: int, monthly: int, until: str
) -> None:
    world.budget(daily, monthly)
    world.set_time()
    run = world.see_through()
    assert run.state is PipelineState.COMPLETED
    assert run.skipped == f"The budget is used up until {until} 00:00 UTC."
    assert run.repositories == ()
    assert run.summary is not None
    assert run.summary.recalculated
    assert all(states == [] for states in world.scrapes().values())


def test_within_the_budget_it_scrapes(world: PipelineWorld) -> None:
    world.budget(5, 50)
    world.set_time()
    assert wounds(world, world.see_through()) == []


def test_an_unusable_service_fails_it_before_anything_is_asked_for(world: PipelineWorld) -> None:
    def around(name: str, call: Callable[[], Any]) -> Any:
        if name == "warehouse.unit":
            raise RetryLater("the warehouse is away")
        return call()

    world.services = watched(world.services, around)
    with capture_logs() as logged:
        world.set_time()
        run = world.see_through()
    assert run.state is PipelineState.FAILED
    assert run.checks["warehouse"] == "the warehouse is away"
    assert "the warehouse is away" in str(run.error)
    assert all(states == [] for states in world.scrapes().values())
    (line,) = [line for line in logged if line["event"] == "pipeline_failed"]
    assert line["log_level"] == "error"
    assert len(world.audited("pipeline.failed")) == 1


def test_a_night_in_which_every_scrape_fails_has_failed(folder: Path) -> None:
    world = PipelineWorld(folder, names=(GHOST,))
    world.set_time()
    run = world.see_through()
    assert (run.state, run.error) == (PipelineState.FAILED, "Every scrape failed.")


def test_beyond_its_deadline_it_is_ended_and_what_is_missing_is_named(folder: Path) -> None:
    world = PipelineWorld(folder, pipeline_minutes=30)
    world.undelivered.add("octo/horn")
    world.set_time()
    for _ in range(40):
        world.work()
    run = world.run()
    assert run.state is PipelineState.FAILED
    assert run.error == "It took too long. Missing: octo/horn, the global boards."
    assert run.summary is not None
    assert (run.summary.scraped, run.summary.failed) == (3, 2)
    assert run.finished_at is not None
    assert run.finished_at > run.deadline_at
    # What it waited for comes later, and changes nothing of it.
    world.undelivered.clear()
    for _ in range(5):
        world.work()
    assert world.run() == run
    assert world.scrapes()["octo/horn"] == ["COMPLETED"]


def test_a_scrape_that_is_put_off_beyond_the_deadline_is_not_waited_for(folder: Path) -> None:
    world = PipelineWorld(folder, names=NAMES[:4], **NOTICES)
    renewal = world.clock() + timedelta(hours=20)
    world.failing["octo/horn"] = lambda: RetryLater("the budget is spent", not_before=renewal)
    world.set_time()
    for _ in range(8):
        world.work()
    run = world.run()
    assert (run.state, run.open) == (PipelineState.COMPLETED, False)
    assert run.summary is not None
    assert (run.summary.scraped, run.summary.failed, run.summary.waiting) == (3, 0, 1)
    assert world.mailbox.posts == []
    del world.failing["octo/horn"]
    world.clock.advance(timedelta(hours=21))
    for _ in range(5):
        world.work()
    assert world.run() == run
    assert world.scrapes()["octo/horn"] == ["COMPLETED"]


def test_when_the_global_boards_cannot_be_made_it_has_failed(world: PipelineWorld) -> None:
    def fail(services: Any, job: Any) -> Any:
        raise Rejected("the board contradicts itself")

    do = world._do
    world._do = lambda services, job: (  # type: ignore[method-assign]
        fail(services, job) if job.repository is None else do(services, job)
    )
    world.set_time()
    run = world.see_through()
    assert run.state is PipelineState.FAILED
    assert "the board contradicts itself" in str(run.error)


def test_nothing_stale_and_nothing_changed_costs_no_recalculation(world: PipelineWorld) -> None:
    world.set_time()
    world.see_through()
    jobs_before = world.scrapes()
    world.services.documents.write(
        [
            repositories.stored(
                repositories.get(world.services, RepositoryName.parse(name)).model_copy(
                    update={"status": RepositoryStatus.DISABLED}
                )
            )
            for name in NAMES
        ]
    )
    again = pipeline_runs.start(world.services, SYSTEM, "manual").run
    world.work()
    ended = pipeline_runs.get(world.services, again.id)
    assert ended.state is PipelineState.COMPLETED
    assert ended.global_job is None
    assert ended.summary is not None
    assert not ended.summary.recalculated
    assert world.scrapes() == jobs_before


def test_a_prompt_for_a_run_that_is_gone_does_nothing(world: PipelineWorld) -> None:
    assert pipeline.advance(world.services, "nobody") is None


# --- the notice -----------------------------------------------------------------------------------


def failing_night(folder: Path) -> PipelineWorld:
    world = PipelineWorld(folder, **NOTICES)
    world.set_time()
    world.see_through()
    return world


def test_a_failure_is_told_once_and_signed(folder: Path) -> None:
    with capture_logs() as logged:
        world = failing_night(folder)
    (post,) = world.mailbox.posts
    assert post.url == NOTICES["notify_webhook_url"]
    told = json.loads(post.body)
    assert told["event"] == "pipeline_failed"
    assert told["details"]["failures"] == {GHOST: "No event of octo/ghost was captured."}
    assert told["details"]["summary"]["scraped"] == 4
    timestamp = post.headers[webhooks.TIMESTAMP_HEADER]
    expected = webhooks.signature(SECRET, timestamp, post.body)
    assert post.headers[webhooks.SIGNATURE_HEADER] == expected
    assert SECRET not in str(logged)
    for _ in range(5):
        world.work()
    assert len(world.mailbox.posts) == 1


def test_a_run_that_fails_is_told_with_the_reason(folder: Path) -> None:
    world = PipelineWorld(folder, names=[GHOST], **NOTICES)
    world.set_time()
    assert world.see_through().state is PipelineState.FAILED
    (post,) = world.mailbox.posts
    told = json.loads(post.body)
    assert told["title"] == "A pipeline run failed"
    assert told["details"]["error"] == "Every scrape failed."


def test_a_night_that_went_well_is_not_told(folder: Path) -> None:
    world = PipelineWorld(folder, names=NAMES[:4], **NOTICES)
    world.set_time()
    assert world.see_through().state is PipelineState.COMPLETED
    assert world.mailbox.posts == []
