"""Pictures of people: only where somebody has switched them on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from functions.dashboard.responses import AVATARS
from shared import identities, removals
from shared.context import SYSTEM, Services
from tests.functions.conftest import World
from tests.support.dashboard_world import Balanced, client_over
from tests.support.lines import ANA

ADDRESSES = ("/leaderboard?class=all", "/repositories/octo/engine", "/contributors/ana")


def switched_on(services: Services) -> FlaskClient:
    settings = services.settings.model_copy(update={"avatars": True})
    return client_over(replace(services, settings=settings))


@pytest.mark.parametrize("address", ADDRESSES)
def test_without_them_nothing_comes_from_elsewhere(team: World, address: str) -> None:
    answer = client_over(team.services).get(address)
    page = Balanced(answer.text)
    assert all(source.startswith("/dashboard/static/") for source in page.sources)
    assert "img-src 'self';" in answer.headers["Content-Security-Policy"]
    assert AVATARS not in answer.text


@pytest.mark.parametrize("address", ADDRESSES)
def test_with_them_pictures_come_from_github_and_nothing_else_does(
    team: World, address: str
) -> None:
    answer = switched_on(team.services).get(address)
    page = Balanced(answer.text)
    others = [source for source in page.sources if not source.startswith("/dashboard/static/")]
    assert f"{AVATARS}/u/{ANA.id}?s=128&v=4" in others
    assert all(source.startswith(f"{AVATARS}/u/") for source in others)
    policy = answer.headers["Content-Security-Policy"]
    assert f"img-src 'self' {AVATARS};" in policy
    assert policy.count("https://") == 1


def test_who_is_anonymous_has_no_picture(engine: World) -> None:
    removals.hide(engine.services, identities.account_of(engine.services, "ana"), SYSTEM)
    engine.work()
    text = switched_on(engine.services).get("/leaderboard?class=all").text
    assert f"/u/{ANA.id}?" not in text
    assert f"{AVATARS}/u/" in text
