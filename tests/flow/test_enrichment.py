"""From the daily round to the profiles: who is asked for, how fast, and what kills do to it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from functions import edge, enrich, maintenance
from infra.local.deliveries import DeliveryStore
from infra.local.dispatch import Dispatcher
from infra.local.tasks import SqliteTasks
from shared import enrichment, enrichment_rounds, repositories
from shared.board_reading import Selection
from shared.boards import GLOBAL
from shared.context import SYSTEM, Services
from shared.enrichment import Enrichment, EnrichmentState
from shared.errors import NotFound, RetryLater
from tests.support.by_hand import HandQueue, by_hand, deliver_all
from tests.support.eventually import eventually
from tests.support.fake_profiles import Profiles, full
from tests.support.job_world import Killed
from tests.support.lines import ANA, BEN, CLEO, ENGINE, WHEELS, User, day, pr_opened
from tests.support.manual_clock import ManualClock
from tests.support.scenario import LINES, everything, ingest, name_of, open_services
from tests.support.watched_ports import before_call, watched

GUESTS = [User(800 + number, f"guest-{number:02}") for number in range(12)]
SET_TIME = edge.Delivery({}, "2025-03-20T03:30:00Z#0", "2025-03-20T03:30:00Z")
HUMANS = {somebody.login for somebody in (ANA, BEN, CLEO)}


def boards(folder: Path, clock: ManualClock, **settings: object) -> tuple[Services, HandQueue]:
    """Boards of two repositories with three humans, a bot and a dozen guests on them."""
    services, queue = by_hand(open_services(folder / "data", clock, **settings))
    guests = [pr_opened(100 + n, day(6), who, 100 + n) for n, who in enumerate(GUESTS)]
    ingest(services, folder / "files", {"one.json.gz": [*LINES, *guests]})
    for repository in (ENGINE, WHEELS):
        repositories.register(services, name_of(repository), SYSTEM)
    deliver_all(services, queue)
    return services, queue


def knowing(github: Profiles) -> Profiles:
    for somebody in (ANA, BEN, CLEO, *GUESTS):
        github.known[somebody.login] = full(somebody.id, somebody.login)
    return github


def enrichments(services: Services) -> dict[str, Enrichment]:
    found = [enrichment.read(each) for each in everything(services, "contributors")]
    return {each.login: each for each in found}


def test_the_round_asks_for_the_humans_at_the_top_of_every_board_and_for_nobody_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock()
    services, queue = boards(tmp_path, clock, enrich_top=3)
    github = knowing(Profiles())
    services = replace(services, github=github.port)
    monkeypatch.setattr(enrichment_rounds, "BOARDS_A_SLICE", 1)
    top = {
        row.username
        for board in (GLOBAL, *(f"repository-{r.id}" for r in (ENGINE, WHEELS)))
        for row in services.boards.read(board, "all", Selection(limit=3)).rows
    }
    assert len(top) >= 3
    for _ in range(3):  # delivered again and again
        enrich.ask(services, SET_TIME)
        deliver_all(services, queue)
    assert set(enrichments(services)) == top
    assert "dependabot[bot]" not in top
    assert sorted(github.asked) == sorted(top)
    slices = [t for t in queue.tasks if t.function == "batch_enrich_top_contributors"]
    assert [task.queue for task in slices] == ["bulk"] * len({t.name for t in slices})
    clock.advance(timedelta(days=29))
    tomorrow = edge.Delivery({}, "later#0", "2025-04-18T03:30:00Z")
    enrich.ask(services, tomorrow)
    deliver_all(services, queue)
    assert len(github.asked) == len(top)
    clock.advance(timedelta(days=1))
    enrich.ask(services, edge.Delivery({}, "later still#0", "2025-04-19T03:30:00Z"))
    deliver_all(services, queue)
    assert len(github.asked) == 2 * len(top)


@pytest.mark.parametrize("token", [True, False])
def test_without_a_token_a_round_is_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: bool
) -> None:
    services, _ = boards(tmp_path, ManualClock())
    services = replace(services, github=knowing(Profiles(token=token)).port)
    monkeypatch.setattr(enrichment_rounds, "MOST_WITHOUT_TOKEN", 4)
    enrich.ask(services, SET_TIME)
    assert len(enrichments(services)) == (len(HUMANS) + len(GUESTS) if token else 4)


def test_where_github_is_not_asked_the_round_does_nothing(tmp_path: Path) -> None:
    services, queue = boards(tmp_path, ManualClock())
    before = len(queue.tasks)
    enrich.ask(services, SET_TIME)
    assert enrichments(services) == {}
    assert len(queue.tasks) == before


def test_ten_profiles_a_minute_are_read_and_no_more_whatever_was_asked_for_and_put_off(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    services, _ = boards(tmp_path, clock, retry_seconds=(60, 120, 240))
    github = knowing(Profiles())
    github.known["guest-00"] = RetryLater("No answer.")
    store = DeliveryStore(tmp_path / "queues.sqlite", clock)
    tasks = SqliteTasks(store)
    services = replace(services, github=github.port, tasks=tasks)
    started: list[datetime] = []

    def answer(request: httpx.Request) -> httpx.Response:
        started.append(clock())
        name = request.headers["X-CloudTasks-TaskName"]
        enrich.step(services, edge.Delivery(json.loads(request.content), f"{name}#0", name))
        return httpx.Response(204)

    over = httpx.MockTransport(answer)
    dispatcher = Dispatcher(store, (tasks,), base_url="http://here", secret="s", transport=over)
    enrich.ask(services, SET_TIME)
    dispatcher.start()
    try:
        for number in range(1, 17):  # fifteen people, and one of them once more
            eventually(partial(_reached, started, number))
            clock.advance(timedelta(seconds=6))
    finally:
        dispatcher.stop()
    assert github.asked.count("guest-00") == 2
    for first in started:
        assert len([at for at in started if first <= at < first + timedelta(minutes=1)]) <= 10
    gaps = [later - at for at, later in pairwise(started)]
    assert min(gaps) >= timedelta(seconds=6)


def _reached(started: list[datetime], number: int) -> bool:
    return len(started) >= number


# --- kills ----------------------------------------------------------------------------------------


def run(services: Services, queue: HandQueue) -> None:
    """Ask for one profile and deliver its tasks."""
    enrichment.request(services, ANA.id, ANA.login, SYSTEM)
    for handed in queue.take():
        assert handed.task is not None
        enrich.step(services, edge.Delivery(handed.data, f"{services.new_id()}#0"))


def recover(services: Services, queue: HandQueue, clock: ManualClock) -> Enrichment:
    """What schedules and queues do after a kill: sweep, deliver, for two days at most."""
    for _ in range(2 * 24 * 6):
        clock.advance(timedelta(minutes=10))
        maintenance.sweep(services)
        for handed in queue.take():
            assert handed.task is not None
            enrich.step(services, edge.Delivery(handed.data, f"{services.new_id()}#0"))
        found = enrichment.get(services, ANA.id)
        if found is None:  # it was killed before anything was stored, so the caller asks again
            enrichment.request(services, ANA.id, ANA.login, SYSTEM)
        elif found.ended:
            return found
    raise AssertionError("it never ended")


def killed() -> None:
    raise Killed


def test_killed_before_any_call_it_ends_the_same_and_asks_github_once_more_at_most(
    tmp_path: Path,
) -> None:
    kills = 0
    for number in range(1, 100):
        clock = ManualClock()
        services, queue = by_hand(open_services(tmp_path / str(number), clock))
        github = knowing(Profiles())
        services = replace(services, github=github.port)
        try:
            run(watched(services, before_call(number, killed)), queue)
        except Killed:
            kills += 1
            done = recover(services, queue, clock)
        else:
            break
        assert done.state is EnrichmentState.COMPLETED
        assert done.fields["name"].value == "Ana <b>Núñez</b>"
        assert len(github.asked) <= 2
        assert done.attempts <= 2
    assert kills >= 5


@pytest.mark.parametrize(
    ("error", "ended"),
    [
        (RetryLater("No answer."), EnrichmentState.FAILED),
        (NotFound("Nobody."), EnrichmentState.COMPLETED),
    ],
)
def test_killed_while_noting_a_failure_it_ends_as_it_would_have(
    tmp_path: Path, error: Exception, ended: EnrichmentState
) -> None:
    kills = 0
    for number in range(1, 100):
        clock = ManualClock()
        services, queue = by_hand(open_services(tmp_path / str(number), clock))
        github = Profiles()
        github.known["ana"] = error
        services = replace(services, github=github.port)
        try:
            run(watched(services, before_call(number, killed)), queue)
        except Killed:
            kills += 1
        else:
            break
        assert recover(services, queue, clock).state is ended
        assert len(github.asked) <= 5
    assert kills >= 4
