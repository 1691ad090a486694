"""What a repository cost, on its own page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.auth import Role
from shared.context import Services
from tests.functions.conftest import TEAM, World
from tests.support.dashboard_world import Balanced, client_over
from tests.support.lines import ENGINE
from tests.support.operations_world import priced, spend

PAGE = "/repositories/octo/engine"
CARD = 'aria-labelledby="cost"'


@pytest.fixture(scope="module")
def world(make_world: Callable[[], World]) -> World:
    made = make_world()
    made.ingest("team.json.gz", TEAM)
    made.register(ENGINE)
    return made


@pytest.fixture(scope="module")
def spent(world: World) -> Services:
    services = priced(world.services, world.clock)
    spend(services, world.clock(), "run-1", 100, "count_standings")
    spend(services, world.clock(), "run-2", 300, "rank_board")
    return services


def test_it_is_shown_on_one_machine(spent: Services) -> None:
    answer = client_over(spent).get(PAGE)
    page = Balanced(answer.text)
    assert page.inline == []
    assert len(set(page.ids)) == len(page.ids)
    assert CARD in answer.text
    assert "in the last 30 days, in 2 runs" in answer.text
    told = client_over(spent).get("/api/v1/costs/repositories/octo/engine").get_json()
    assert f"<b>{told['data']['summary']['usd']:.2f}" in answer.text


def test_where_nothing_is_metered_nothing_is_said(world: World) -> None:
    assert CARD not in client_over(world.services).get(PAGE).text


def test_on_google_cloud_it_is_for_those_who_may_see_what_is_spent(
    world: World, spent: Services
) -> None:
    settings = spent.settings.model_copy(update={"backend": "gcp"})
    client = client_over(replace(spent, settings=settings))
    page = client.get(PAGE)
    assert page.status_code == 200
    assert CARD not in page.text
    reader = client.get(PAGE, headers={"X-API-Key": world.key(Role.READONLY)})
    assert CARD in reader.text
    # The kept part of the page has nothing of it.
    assert CARD not in client.get(PAGE).text


def test_the_global_board_has_no_cost_of_its_own(spent: Services) -> None:
    assert CARD not in client_over(spent).get("/leaderboard").text
