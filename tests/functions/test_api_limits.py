"""How often somebody may ask, who that is, and what holds across instances."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakeredis import FakeRedis, FakeServer
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from structlog.testing import capture_logs

from infra.rates import PAUSE_SECONDS, CountedRates, instances, rates_of
from shared.auth import Role
from shared.rates import Rate
from shared.settings import Settings
from tests.functions.conftest import World
from tests.support.api_client import ApiClient
from tests.support.apps import app_over
from tests.support.deployment import load

OPEN = "/api/v1/config/scoring"
STRANGER = "203.0.113.7"


@pytest.fixture(scope="module")
def world(make_world: Callable[[], World]) -> World:
    """Nothing ingested. What is counted is counted anew for every client."""
    return make_world()


def client(
    world: World, key: str | None = None, rates: CountedRates | None = None, **changed: Any
) -> ApiClient:
    """An instance of its own, a few requests a minute and any number a second."""
    chosen = {"rate_limit_anonymous": 3, "rate_limit_key": 5, "rate_limit_burst": 0, **changed}
    settings = world.services.settings.model_copy(update=chosen)
    services = replace(world.services, settings=settings, rates=rates or rates_of(settings))
    return ApiClient(app_over(lambda: services), key)


def statuses(of: ApiClient, times: int, address: str = STRANGER, **headers: str) -> list[int]:
    return [
        of.get(OPEN, headers=headers, environ_base={"REMOTE_ADDR": address}).status_code
        for _ in range(times)
    ]


def test_who_asks_too_often_is_told_when_to_ask_again(world: World) -> None:
    api = client(world)
    for remaining in (2, 1, 0):
        answer = api.get(OPEN, environ_base={"REMOTE_ADDR": STRANGER})
        assert answer.status_code == 200
        assert answer.headers["X-RateLimit-Limit"] == "3"
        assert answer.headers["X-RateLimit-Remaining"] == str(remaining)
    refused = api.get(OPEN, environ_base={"REMOTE_ADDR": STRANGER})
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert int(refused.headers["X-RateLimit-Reset"]) > 1_700_000_000
    body = refused.get_json()
    assert body["error"] == "too_many_requests"
    assert body["details"] == {"limit": 3, "window_seconds": 60}
    assert statuses(api, 1, "203.0.113.8") == [200]


def test_a_minute_later_there_is_room_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    api, began = client(world), time.time()
    assert statuses(api, 4) == [200, 200, 200, 429]
    monkeypatch.setattr(time, "time", lambda: began + 62)
    assert statuses(api, 1) == [200]


def test_a_burst_is_refused_and_not_held_against_the_minute(world: World) -> None:
    rates = rates_of(Settings())
    wanted = (Rate(100, 60), Rate(3, 1))
    taken = [rates.take("somebody", wanted) for _ in range(5)]
    assert [used and used.fits for used in taken] == [True, True, True, False, False]
    minute = rates.look("somebody", wanted[:1])
    assert minute is not None
    assert minute.remaining == 97
    api = client(world, rate_limit_anonymous=100, rate_limit_burst=2)
    answers = [api.get(OPEN, environ_base={"REMOTE_ADDR": STRANGER}) for _ in range(3)]
    assert answers[-1].status_code == 429
    assert answers[-1].get_json()["details"]["window_seconds"] == 1
    assert answers[-1].headers["Retry-After"] == "1"


def test_a_key_has_a_limit_of_its_own_wherever_it_is_used(world: World) -> None:
    api = client(world, world.key(Role.USER))
    assert statuses(api, 3) == [200] * 3
    assert statuses(api, 3, "203.0.113.8") == [200, 200, 429]
    other = world.key(Role.READONLY)
    assert statuses(api, 5, **{"X-API-Key": other}) == [200] * 5


def test_admins_are_not_slowed_down(world: World) -> None:
    api = client(world, world.key(Role.ADMIN))
    answers = [api.get(OPEN, environ_base={"REMOTE_ADDR": STRANGER}) for _ in range(8)]
    assert {answer.status_code for answer in answers} == {200}
    assert not [name for name, _ in answers[0].headers if name.startswith("X-RateLimit")]


def test_somebody_at_this_machine_is_not_slowed_down_but_a_proxy_on_it_brings_others(
    world: World,
) -> None:
    assert statuses(client(world), 8, "127.0.0.1") == [200] * 8
    assert statuses(client(world), 8, "::1") == [200] * 8
    passed_on = {"X-Forwarded-For": STRANGER}
    assert statuses(client(world), 4, "127.0.0.1", **passed_on) == [200, 200, 200, 429]
    elsewhere = client(world, backend="gcp", rate_limit_instances=1)
    assert statuses(elsewhere, 4, "127.0.0.1")[-1] == 429


def test_health_checks_and_static_files_are_not_counted(world: World) -> None:
    api = client(world, rate_limit_anonymous=1)
    app = api.flask
    for address in ("/health/live", "/api/v1/health/ready", "/dashboard/static/pages.css"):
        for _ in range(3):
            with app.get(address, environ_base={"REMOTE_ADDR": STRANGER}) as answer:
                assert answer.status_code == 200
    assert app.get("/dashboard", environ_base={"REMOTE_ADDR": STRANGER}).status_code == 200
    page = app.get(
        "/dashboard", environ_base={"REMOTE_ADDR": STRANGER}, headers={"Accept": "text/html"}
    )
    assert page.status_code == 429
    assert page.mimetype == "text/html"


def test_addresses_that_lead_nowhere_count_too(world: World) -> None:
    api = client(world, rate_limit_anonymous=1)
    seen = [
        api.get("/api/v1/nothing", environ_base={"REMOTE_ADDR": STRANGER}).status_code
        for _ in range(2)
    ]
    assert seen == [404, 429]


# --- whose address --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hops", "header", "same"),
    [
        (1, "{fresh}, 198.51.100.1", True),  # what the caller writes in front counts for nothing
        (1, "{fresh}", False),
        (2, "{fresh}, 198.51.100.1", False),
        (2, "{fresh}, 198.51.100.1, 10.0.0.1", True),
        (2, "{fresh}", True),  # too few entries: the connection's own address
        (1, "not an address {fresh}", True),
        (0, "{fresh}", True),
    ],
)
def test_the_address_is_the_one_that_the_trusted_proxy_saw(
    world: World, hops: int, header: str, same: bool
) -> None:
    api = client(world, rate_limit_anonymous=1, trusted_proxies=hops)
    seen = [
        statuses(api, 1, **{"X-Forwarded-For": header.format(fresh=f"198.51.100.{last}")})[0]
        for last in (21, 22)
    ]
    assert seen == [200, 429 if same else 200]


def test_the_addresses_of_one_ipv6_customer_are_one(world: World) -> None:
    api = client(world, rate_limit_anonymous=2)
    assert statuses(api, 1, "2001:db8:1:2::1") == [200]
    assert statuses(api, 2, "2001:db8:1:2:ffff::9") == [200, 429]
    assert statuses(api, 1, "2001:db8:1:3::1") == [200]
    assert statuses(api, 1, "::ffff:203.0.113.99") == [200]
    assert statuses(api, 2, "203.0.113.99") == [200, 429]


def test_guessing_keys_is_slowed_down_and_leaves_no_more_than_a_bounded_trail(
    make_world: Callable[[], World],
) -> None:
    world = make_world()
    api = client(world)
    seen = statuses(api, 10, **{"X-API-Key": "guess"})
    assert seen == [200, 200, 200, *[429] * 7]
    assert len([e for e in world.audited() if e["action"] == "auth.refused"]) == 3
    assert statuses(api, 1, **{"X-API-Key": world.key(Role.ADMIN)}) == [429]
    assert statuses(api, 1, "203.0.113.8", **{"X-API-Key": world.key(Role.ADMIN)}) == [200]


# --- several instances ----------------------------------------------------------------------------


def counting_in(server: FakeServer) -> CountedRates:
    """An instance's counting, with a connection of its own to a Redis that all share."""
    connected = FakeRedis(server=server).connection_pool
    return CountedRates(RedisStorage("redis://", connection_pool=connected, wrap_exceptions=True))


def test_with_redis_a_limit_holds_across_instances(world: World) -> None:
    key, server = world.key(Role.USER), FakeServer()
    one, other = (client(world, key, rates=counting_in(server)) for _ in range(2))
    assert statuses(one, 3) == [200] * 3
    assert statuses(other, 3) == [200, 200, 429]
    assert statuses(one, 1) == [429]


def test_without_redis_a_limit_is_divided_among_the_instances(world: World) -> None:
    answer = client(world, rate_limit_anonymous=100, rate_limit_instances=10).get(
        OPEN, environ_base={"REMOTE_ADDR": STRANGER}
    )
    assert answer.headers["X-RateLimit-Limit"] == "10"
    few = client(world, rate_limit_anonymous=3, rate_limit_instances=10)
    assert statuses(few, 2) == [200, 429]


def test_the_instances_are_those_that_are_deployed() -> None:
    deployed = load()["functions"]["api"]["max_instances"]
    assert instances(Settings(backend="gcp")) == deployed
    assert instances(Settings(backend="gcp", rate_limit_instances=3)) == 3
    assert instances(Settings()) == 1
    assert instances(Settings(workers=3)) == 3


def test_a_storage_that_fails_lets_requests_through_and_is_left_alone_for_a_while(
    world: World, tmp_path: Path
) -> None:
    gone = f"unix://{tmp_path}/nobody.sock"
    with capture_logs() as logs:
        assert statuses(client(world, redis_url=gone), 8) == [200] * 8
    (line,) = [line for line in logs if line["event"] == "rate_limit_storage_failed"]
    assert (line["log_level"], line["reason"]) == ("warning", "ConnectionError")


def test_a_storage_that_comes_back_is_used_again() -> None:
    class Failing(MemoryStorage):
        fails = True

        def acquire_entry(self, *arguments: Any, **named: Any) -> bool:
            if self.fails:
                raise StorageError(ConnectionError())
            return super().acquire_entry(*arguments, **named)

    now = [0.0]
    storage = Failing()
    rates = CountedRates(storage, clock=lambda: now[0])
    assert rates.take("somebody", [Rate(1, 60)]) is None
    storage.fails = False
    assert rates.take("somebody", [Rate(1, 60)]) is None
    now[0] = PAUSE_SECONDS
    taken = [rates.take("somebody", [Rate(1, 60)]) for _ in range(2)]
    assert [used and used.fits for used in taken] == [True, False]


def test_the_redis_address_is_shown_nowhere() -> None:
    assert "hunter2" not in repr(Settings(redis_url="redis://:hunter2@10.0.0.3"))
