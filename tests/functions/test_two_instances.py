"""Two instances of the API over one document store, each with caches of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from infra.services import build
from shared.auth import Role
from tests.functions.conftest import TEAM, World
from tests.support.api_client import ApiClient
from tests.support.apps import app_over
from tests.support.lines import ANA, ENGINE, day, push

MINUTE = timedelta(minutes=1)
BOARD = "/api/v1/leaderboard/octo/engine"


@dataclass(frozen=True)
class Pair:
    """A world served by two instances, and an admin's client of each."""

    world: World
    one: ApiClient
    other: ApiClient


@pytest.fixture
def pair(make_world: Callable[[], World]) -> Pair:
    world = make_world()
    key = world.key(Role.ADMIN)
    second = build(world.services.settings, world.clock)
    return Pair(world, world.client(key), ApiClient(app_over(lambda: second), key))


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("/api/v1/config/flags", {"flags": {"enable_enrichment": {"value": False}}}),
        ("/api/v1/config/budget", {"daily_usd": 3, "monthly_usd": 30}),
        ("/api/v1/config/scoring", {"rules": {"points": {"COMMIT": 7}}}),
    ],
)
def test_a_put_on_one_is_seen_on_the_other_within_a_minute(
    pair: Pair, address: str, body: dict[str, Any]
) -> None:
    before = pair.other.get(address)
    changed = pair.one.put(address, body)
    assert changed.status_code == 200, changed.text
    pair.world.clock.advance(MINUTE)
    after = pair.other.get(address, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert after.get_json()["data"] == pair.one.data(address) != before.get_json()["data"]


def test_a_key_that_is_revoked_on_one_opens_nothing_on_the_other(pair: Pair) -> None:
    made = pair.one.post("/api/v1/keys", {"name": "CI", "role": "admin"}).get_json()["data"]
    guest = {"X-API-Key": made["key"]}
    assert pair.other.get("/api/v1/keys", headers=guest).status_code == 200
    pair.one.delete(f"/api/v1/keys/{made['about']['id']}")
    pair.world.clock.advance(MINUTE)
    assert pair.other.get("/api/v1/keys", headers=guest).status_code == 401


def test_a_board_published_by_one_is_shown_by_the_other(pair: Pair) -> None:
    pair.world.ingest("team.json.gz", TEAM)
    pair.world.register(ENGINE)
    first = pair.other.get(BOARD).get_json()
    assert first == pair.one.get(BOARD).get_json()
    pair.world.ingest("more.json.gz", [push(903, day(14), ANA, push_id=903, distinct_size=5)])
    pair.one.post("/api/v1/repositories/octo/engine/refresh")
    pair.world.work()
    pair.world.clock.advance(MINUTE)
    second = pair.other.get(BOARD).get_json()
    assert second == pair.one.get(BOARD).get_json()
    assert second["meta"]["generation"] != first["meta"]["generation"]
