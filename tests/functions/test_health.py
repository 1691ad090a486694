"""Health of an instance: what it depends on, what hangs, and what admins see of its inside."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from functions.api.resource import Surroundings
from shared.auth import Role
from shared.breaker import FAILURES, PAUSE, Breaker
from shared.context import Services
from shared.errors import RetryLater
from shared.health import Probes
from shared.settings import Settings
from tests.functions.conftest import World
from tests.support.api_client import ApiClient
from tests.support.apps import app_over

WITHIN = 0.2


@dataclass
class Hanging:
    """A port that gives no answer before the test's end. ``asked`` is how often it was asked."""

    released: threading.Event
    asked: int = 0

    def depths(self) -> Mapping[str, int]:
        self.asked += 1
        self.released.wait(30)
        return {}

    def get(self, *paths: str) -> tuple[None, ...]:
        self.depths()
        return (None,) * len(paths)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not asked for here")


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    released = threading.Event()
    yield Hanging(released)
    released.set()


def client_of(services: Services, key: str | None = None) -> ApiClient:
    app = app_over(lambda: services)
    kept = app.extensions["leaderboard"]
    assert isinstance(kept, Surroundings)
    app.extensions["leaderboard"] = replace(kept, probes=Probes(WITHIN))
    return ApiClient(app, key)


def test_each_part_is_told_with_its_latency_and_breaker(api: ApiClient) -> None:
    checks = api.data("/health/ready")["checks"]
    for name in ("documents", "warehouse", "tasks"):
        assert checks[name]["status"] == "ok"
        assert checks[name]["latency_ms"] >= 0
    assert [name for name, part in checks.items() if part["needed"]] == ["documents", "warehouse"]
    breakers = {name: part["breaker"] for name, part in checks.items()}
    assert breakers == {
        "documents": None,
        "warehouse": "closed",
        "tasks": None,
        "github": "closed",
        "notices": "closed",
    }


def test_what_hangs_and_is_not_needed_leaves_the_instance_ready(
    team: World, hanging: Hanging
) -> None:
    client = client_of(replace(team.services, tasks=hanging))
    began = time.monotonic()
    checks = client.data("/health/ready")["checks"]
    assert time.monotonic() - began < WITHIN + 2
    assert checks["tasks"] == {
        "status": "failed",
        "needed": False,
        "latency_ms": None,
        "breaker": None,
        "message": "It gave no answer within 0.2 s.",
    }
    assert checks["documents"]["status"] == "ok"


def test_what_hangs_and_is_needed_is_told_in_time_and_asked_once(
    team: World, hanging: Hanging
) -> None:
    services = replace(
        team.services,
        documents=hanging,
        breaker=Breaker(team.services.documents, now=team.clock),
    )
    client = client_of(services)
    began = time.monotonic()
    answers = [client.get("/health/ready") for _ in range(20)]
    assert time.monotonic() - began < WITHIN + 2
    assert {answer.status_code for answer in answers} == {503}
    assert answers[0].get_json()["message"] == "Not ready: documents."
    assert hanging.asked == 1
    assert client.get("/health/live").status_code == 200


def test_after_it_answers_again_it_is_looked_at_anew(fresh: World, hanging: Hanging) -> None:
    client = client_of(replace(fresh.services, tasks=hanging))
    assert client.data("/health/ready")["checks"]["tasks"]["status"] == "failed"
    hanging.released.set()
    fresh.clock.advance(timedelta(seconds=3))
    deadline = time.monotonic() + 10
    while client.data("/health/ready")["checks"]["tasks"]["status"] != "ok":
        assert time.monotonic() < deadline
        fresh.clock.advance(timedelta(seconds=3))


def test_a_part_whose_circuit_is_open_is_left_alone_and_the_instance_ready(fresh: World) -> None:
    def fail() -> None:
        raise RetryLater("busy")

    for _ in range(FAILURES):
        with pytest.raises(RetryLater):
            fresh.services.breaker.guard("github", fail)
    client = client_of(fresh.services)
    part = client.data("/health/ready")["checks"]["github"]
    assert (part["status"], part["breaker"]) == ("left_alone", "open")
    fresh.clock.advance(PAUSE)
    part = client.data("/health/ready")["checks"]["github"]
    assert (part["status"], part["breaker"]) == ("ok", "half-open")


def test_anybody_may_ask_at_any_rate_and_the_parts_are_asked_every_two_seconds(
    fresh: World,
) -> None:
    @dataclass
    class Counted:
        asked: int = 0

        def add(self, _task: object) -> bool:
            raise AssertionError("health adds no task")

        def depths(self) -> Mapping[str, int]:
            self.asked += 1
            return {}

    tasks = Counted()
    client = client_of(replace(fresh.services, tasks=tasks))
    for _ in range(5):
        assert client.get("/health/ready").status_code == 200
    assert tasks.asked == 1
    fresh.clock.advance(timedelta(seconds=2))
    client.get("/health/ready")
    assert tasks.asked == 2


def test_where_redis_is_set_it_is_looked_at(fresh: World) -> None:
    class Away:
        def take(self, *_about: object) -> None:
            return None

        look = take

    settings = fresh.services.settings.model_copy(update={"redis_url": "redis://127.0.0.1:1"})
    client = client_of(replace(fresh.services, settings=settings, rates=Away()))
    part = client.data("/health/ready")["checks"]["redis"]
    assert (part["status"], part["needed"]) == ("failed", False)
    assert "Redis" in part["message"]


# --- from within ----------------------------------------------------------------------------------

SECRETS = {
    "github_token": "ghp_twenty_letters_and_more",
    "webhook_secret": "sixteen letters and more",
    "session_secret": "sixteen other letters",
    "mail_secret": "sixteen more letters",
    "notify_webhook_url": "https://hooks.example.org/T00/secret",
    "notify_webhook_secret": "sixteen last letters",
    "slack_webhook_url": "https://hooks.example.org/T01/secret",
    "redis_url": None,
    "sentry_dsn": "https://secretkey@sentry.example.org/1",
    "otlp_headers": ("api-key=secret",),
}


@pytest.fixture(scope="module")
def detail(team: World) -> dict[str, Any]:
    settings = team.services.settings.model_copy(update=SECRETS)
    services = replace(team.services, settings=settings)
    app = app_over(lambda: services)
    ApiClient(app).get("/api/v1/leaderboard/octo/engine")
    found: dict[str, Any] = ApiClient(app, team.key(Role.ADMIN)).data("/api/v1/health/detailed")
    return found


def test_admins_see_an_instance_from_within(detail: dict[str, Any]) -> None:
    assert detail["status"] == "ready"
    assert detail["versions"]["software"] == "0.1.0"
    assert detail["instance"]["pid"] > 0
    assert detail["instance"]["most_memory_mb"] > 10
    assert detail["queues"] == {"all": 0}
    assert {each["window"] for each in detail["freshness"]} == {"all", "365d", "90d", "30d", "7d"}
    assert detail["checks"]["documents"]["status"] == "ok"
    caches = {each["name"]: each for each in detail["caches"]}
    assert caches.keys() == {"board_heads", "board_parts", "repositories", "ranges", "pages"}
    assert caches["repositories"]["misses"] == 1
    assert caches["repositories"]["entries"] == 1


def test_settings_are_shown_and_of_secrets_only_whether_they_are_set(
    detail: dict[str, Any],
) -> None:
    shown = detail["settings"]
    assert shown.keys() == Settings.model_fields.keys()
    assert shown["keep_generations"] == 5
    assert shown["otlp_endpoint"] is None
    assert {name: shown[name] for name in SECRETS} == {
        name: None if value is None else "(set)" for name, value in SECRETS.items()
    }
    for value in SECRETS.values():
        assert value is None or str(value) not in str(detail)
    assert detail["reports_errors"] is True
    assert detail["pushes_telemetry"] is False


def test_before_any_board_nothing_is_fresh_and_what_hangs_is_null(
    fresh: World, hanging: Hanging
) -> None:
    key = fresh.key(Role.ADMIN)
    client = client_of(replace(fresh.services, tasks=hanging), key)
    detail = client.data("/api/v1/health/detailed")
    assert detail["freshness"] == []
    assert detail["queues"] is None
    assert detail["status"] == "ready"
