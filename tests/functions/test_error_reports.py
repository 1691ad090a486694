"""Unexpected errors are reported to Sentry, and nothing about people goes along."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from infra import logs
from infra.sentry import Reports
from infra.telemetry import telemetry_of
from shared import job_steps, repositories
from shared.context import SYSTEM
from shared.errors import IntegrityError, RetryLater
from shared.models import RepositoryName
from shared.settings import Settings
from tests.functions.conftest import World
from tests.support.apps import app_over
from tests.support.collector import Collector, collector

KEY = "lb_0123abcd_hunter2hunter2"
PERSONAL = (
    "ana-of-the-north", "ana@example.org", "203.0.113.7", KEY, "sessioncookie", "TestAgent",
    "a body about ana", "octo-person",
)  # fmt: skip


@pytest.fixture
def told() -> Iterator[Collector]:
    before = structlog.get_config()
    with collector() as running:
        yield running
    structlog.configure(**before)


def settings_for(told: Collector, **more: object) -> Settings:
    given = {"sentry_dsn": told.dsn, "telemetry_timeout_seconds": 10, **more}
    return Settings.model_validate(given)


class Broken:
    """Documents that fail with everything in the text, and in their variables, that is private."""

    def get(self, *paths: str) -> Any:
        headers = {"X-API-Key": KEY, "Cookie": "session=sessioncookie"}
        secret = f"{paths} of {' '.join(PERSONAL)} {headers}"
        raise RuntimeError(secret)

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self.get(name)


@dataclass
class Reported:
    """What a failed request left behind."""

    event: dict[str, Any]
    status: int


@pytest.fixture
def reported(told: Collector, team: World, capsys: pytest.CaptureFixture[str]) -> Reported:
    """A request full of private things that fails in an unexpected way."""
    settings = settings_for(told)
    logs.configure(settings)
    services = replace(
        team.services,
        documents=Broken(),
        telemetry=telemetry_of(settings),
    )
    client = app_over(lambda: services).test_client()
    answer = client.post(
        "/api/v1/contributors/ana-of-the-north/enrich?email=ana@example.org",
        json={"text": "a body about ana"},
        headers={
            "Cookie": "session=sessioncookie",
            "User-Agent": "TestAgent",
            "X-API-Key": KEY,
            "X-Request-ID": "r-500",
        },
        environ_base={"REMOTE_ADDR": "203.0.113.7"},
    )
    assert KEY not in answer.text
    # The log is the owner's own and may say more.
    assert "request_failed" in capsys.readouterr().err
    (event,) = told.errors()
    return Reported(event, answer.status_code)


def test_an_unexpected_error_of_a_request_is_reported_before_it_is_answered(
    reported: Reported,
) -> None:
    assert reported.status == 500
    event = reported.event
    assert event["level"] == "error"
    assert event["release"] == "leaderboard@0.1.0"
    assert event["logger"] == "request_failed"
    assert event["tags"] == {
        "request_id": "r-500",
        "error": "internal_error",
        "route": "/api/v1/contributors/<path:login>/enrich",
    }
    error = event["exception"]["values"][-1]
    assert error["type"] == "RuntimeError"
    frames = error["stacktrace"]["frames"]
    assert frames[-1]["function"] == "get"
    assert frames[-1]["lineno"] > 0


def test_nothing_about_people_or_machines_goes_along(reported: Reported) -> None:
    text = str(reported.event)
    for private in PERSONAL:
        assert private not in text, private
    allowed = {
        "event_id", "timestamp", "level", "platform", "release", "logger", "tags", "exception",
        "sdk", "environment",
    }  # fmt: skip
    assert reported.event.keys() <= allowed
    assert str(Path(__file__).parent) not in text
    assert "vars" not in text
    assert "server_name" not in text


def test_what_a_caller_can_mend_is_not_reported(told: Collector, team: World) -> None:
    settings = settings_for(told)
    logs.configure(settings)
    telemetry = telemetry_of(settings)
    client = app_over(lambda: replace(team.services, telemetry=telemetry)).test_client()
    assert client.get("/api/v1/leaderboard/octo/none").status_code == 404
    assert client.get("/api/v1/leaderboard/global?page=0").status_code == 400
    structlog.get_logger().warning("delivery_postponed", reason="busy", exc_info=RetryLater("x"))
    structlog.get_logger().error("budget_overrun")
    telemetry.flush()
    assert told.errors() == []


def test_a_step_that_breaks_is_reported_with_its_job_and_without_its_repository(
    told: Collector, fresh: World
) -> None:
    settings = settings_for(told)
    logs.configure(settings)
    telemetry = telemetry_of(settings)
    services = replace(fresh.services, telemetry=telemetry)
    name = RepositoryName.parse("octo-person/engine")
    job = repositories.register(services, name, SYSTEM).job
    assert job is not None

    def breaks(_job: object) -> Any:
        raise IntegrityError("The board of octo-person contradicts itself.")

    job_steps.run(services, job.id, job.dispatches, "delivery-1", breaks)
    telemetry.flush()
    (event,) = told.errors()
    assert event["tags"]["job_id"] == job.id
    assert event["tags"]["error"] == "integrity_error"
    assert event["exception"]["values"][-1]["type"] == "IntegrityError"
    assert "contradicts" not in str(event["exception"]["values"][-1]["value"])


def test_a_sentry_that_hangs_delays_nobody_beyond_the_bound_and_once_a_minute(
    told: Collector,
) -> None:
    reports = Reports(told.dsn, 0.2)
    line = {"event": "x", "level": "error", "exc_info": RuntimeError()}
    with told.under.holding():
        began = time.monotonic()
        for _ in range(20):
            assert reports(None, "error", line) is line
            reports.flush()
        assert 0.2 <= time.monotonic() - began < 3


@pytest.mark.parametrize("dsn", ["https://sentry.example.org/1", "https://key@host", "key@host/1"])
def test_a_dsn_that_is_none_is_refused_at_the_start(dsn: str) -> None:
    with pytest.raises(ValueError, match="sentry_dsn"):
        Settings(sentry_dsn=dsn)
