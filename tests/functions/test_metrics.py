"""The numbers of the whole system, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from shared import repositories
from shared.auth import Role
from shared.board_reading import BoardReader
from shared.breaker import FAILURES, Breaker
from shared.budget import Budget
from shared.context import SYSTEM, Services
from shared.errors import RetryLater
from shared.jobs import RepositoryStatus, State
from shared.models import WINDOW_DAYS, RepositoryName
from shared.ports import Query
from shared.system_state import KEPT, MOST_READS, ROUND_TRIPS
from tests.functions.conftest import World
from tests.support.apps import app_over
from tests.support.counted_documents import CountedDocuments
from tests.support.lines import ENGINE, WHEELS
from tests.support.scenario import LINES
from tests.support.watched_documents import WatchedDocuments

Numbers = Mapping[tuple[str, str], float]
"""Name, and the value of its only label (or nothing) → value."""


def client_of(services: Services) -> FlaskClient:
    return app_over(lambda: services).test_client()


def scraped(client: FlaskClient) -> Numbers:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.mimetype == "text/plain"
    assert answer.headers["Cache-Control"] == "no-store"
    found = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation
        assert family.type == "gauge"
        for sample in family.samples:
            assert len(sample.labels) <= 1
            found[sample.name, "".join(sample.labels.values())] = sample.value
    return found


@pytest.fixture(scope="module")
def world(make_world: Callable[[], World]) -> World:
    """Two repositories with boards, and one of which nothing was captured."""
    made = make_world()
    made.ingest("team.json.gz", LINES)
    made.register(ENGINE, WHEELS)
    repositories.register(made.services, RepositoryName.parse("octo/none"), SYSTEM)
    made.work()
    return made


def test_the_numbers_are_those_of_the_documents(world: World) -> None:
    found = scraped(client_of(world.services))
    name = "leaderboard_jobs_current"
    states = {state: found[name, state.value.lower()] for state in State}
    assert states[State.FAILED] == 1
    assert states[State.COMPLETED] >= 3
    assert sum(states.values()) == len(world_jobs(world))
    statuses = {s: found["leaderboard_repositories", s.value.lower()] for s in RepositoryStatus}
    assert (statuses[RepositoryStatus.COMPLETED], statuses[RepositoryStatus.ERROR]) == (2, 1)
    assert found["leaderboard_dead_letters", ""] == 1
    assert found["leaderboard_queue_depth", "all"] == 0
    for window in WINDOW_DAYS:
        assert found["leaderboard_board_age_seconds", window] > 0
    assert found["leaderboard_circuit_open", "github"] == 0
    # Nothing is metered here.
    assert not [each for each, _ in found if each.startswith("leaderboard_budget")]


def world_jobs(world: World) -> list[object]:
    return list(world.services.documents.query(Query("jobs", limit=1000)).documents)


def test_where_bytes_cost_something_the_budget_is_told(world: World) -> None:
    settings = world.services.settings.model_copy(update={"price_per_tib_usd": 6})
    budget = Budget(world.services.documents, settings, world.clock)
    found = scraped(client_of(replace(world.services, settings=settings, budget=budget)))
    assert found["leaderboard_budget_limit_usd", "day"] == 5
    assert found["leaderboard_budget_limit_usd", "month"] == 50
    assert found["leaderboard_budget_spent_usd", "day"] == 0
    assert found["leaderboard_budget_reserved_usd", "day"] == 0
    assert found["leaderboard_budget_used_ratio", "month"] == 0


def test_an_open_circuit_is_told(world: World) -> None:
    def fail() -> None:
        raise RetryLater("busy")

    for _ in range(FAILURES):
        with pytest.raises(RetryLater):
            world.services.breaker.guard("notices", fail)
    assert scraped(client_of(world.services))["leaderboard_circuit_open", "notices"] == 1


def test_a_scrape_reads_a_bounded_number_of_documents_in_few_calls(world: World) -> None:
    settings = world.services.settings.model_copy(update={"price_per_tib_usd": 6})
    watched = WatchedDocuments(world.services.documents)
    counted = CountedDocuments(watched)
    services = replace(
        world.services,
        settings=settings,
        documents=counted,
        boards=BoardReader(counted, now=world.clock),
        breaker=Breaker(counted, now=world.clock),
        budget=Budget(counted, settings, world.clock),
    )
    scraped(client_of(services))
    # One call more is the queues'; what the first request asks besides is the limits.
    assert watched.round_trips + 1 <= ROUND_TRIPS
    assert counted.done.reads <= MOST_READS
    assert counted.done.writes == 0


def test_scrapes_shortly_after_each_other_share_a_reading(world: World) -> None:
    watched = WatchedDocuments(world.services.documents)
    client = client_of(replace(world.services, documents=watched))
    scraped(client)
    before = watched.round_trips
    scraped(client)
    assert watched.round_trips == before
    world.clock.advance(KEPT)
    scraped(client)
    assert watched.round_trips > before


def test_what_cannot_be_read_is_named_and_the_rest_is_told(world: World) -> None:
    class Away:
        def add(self, _task: object) -> bool:
            raise RetryLater("The queues are away.")

        def depths(self) -> Mapping[str, int]:
            raise RetryLater("The queues are away.")

    found = scraped(client_of(replace(world.services, tasks=Away())))
    assert found["leaderboard_unreadable", "queues"] == 1
    assert found["leaderboard_repositories", "completed"] == 2
    assert not [each for each, _ in found if each == "leaderboard_queue_depth"]


def test_it_is_open_on_one_machine_and_takes_a_key_elsewhere(world: World) -> None:
    settings = world.services.settings.model_copy(update={"backend": "gcp"})
    client = client_of(replace(world.services, settings=settings))
    world.clock.advance(timedelta(seconds=1))
    assert client.get("/metrics").status_code == 401
    headers = {"X-API-Key": world.key(Role.READONLY)}
    assert client.get("/metrics", headers=headers).status_code == 200
