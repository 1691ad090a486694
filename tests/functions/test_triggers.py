"""The functions that are the platform's to call, as they are served: who gets in, what happens."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import functions_framework
import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs

import main
from infra import services as composition
from infra.gcp.identity import REMOVED
from shared import pipeline_runs
from shared.jobs import FUNCTIONS
from tests.support.scenario import everything, open_services
from tests.support.tokens import ACCOUNT, Issuer

MAIN = Path(__file__).parents[2] / "main.py"
PUBLIC = {"api", "stream_logs"}
TRIGGERS = sorted(set(main.__all__) - PUBLIC)
EVENTS = {"recalculate_leaderboards", "record_dead_letter"}
NOW = datetime.now(UTC)
ISSUER = Issuer()
SCHEDULED = {"X-CloudScheduler-ScheduleTime": "2025-03-20T02:00:00Z"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data directory, and settings that demand tokens as they do behind IAM."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    monkeypatch.setenv("INVOKER_SERVICE_ACCOUNTS", f"{ACCOUNT},other@p.iam.gserviceaccount.com")
    monkeypatch.setenv("FUNCTION_URL", "https://example.org/{function}")
    composition.services.cache_clear()
    yield tmp_path
    composition.services.cache_clear()


def client(function: str, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """The function as its own process serves it."""
    monkeypatch.setenv("FUNCTION_TARGET", function)
    signature = "cloudevent" if function in EVENTS else "http"
    create: Any = functions_framework.create_app
    found: FlaskClient = create(function, str(MAIN), signature).test_client()
    return found


def token(function: str, **claims: Any) -> str:
    """As Cloud Run hands it on after it has checked it."""
    signed = ISSUER.token(NOW, **{"aud": f"https://example.org/{function}", **claims})
    return f"Bearer {signed.rsplit('.', 1)[0]}.{REMOVED}"


def call(function: str, on: FlaskClient, authorization: str | None, **headers: str) -> int:
    """The status that a call of the platform's shape gets."""
    sent = {**headers, **({"Authorization": authorization} if authorization else {})}
    body: dict[str, Any] = {}
    if function in EVENTS:
        data = base64.b64encode(json.dumps({"board": "a/b"}).encode()).decode()
        body = {"message": {"data": data, "messageId": "1", "publishTime": NOW.isoformat()}}
        sent |= {
            "ce-id": "1",
            "ce-source": "//pubsub.googleapis.com/projects/p/topics/t",
            "ce-specversion": "1.0",
            "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
        }
    return on.post("/", json=body, headers=sent).status_code


@pytest.mark.parametrize("function", TRIGGERS)
def test_strangers_are_refused_and_nothing_is_done(
    function: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = client(function, monkeypatch)
    for authorization in (
        None,
        "Bearer made.up.token",
        token("another_function"),
        token(function, email="stranger@example.org"),
        token(function, iss="https://example.org"),
        token(function, exp=int((NOW - timedelta(hours=1)).timestamp())),
    ):
        assert call(function, served, authorization) == 403
    services = open_services(folder)
    assert services.tasks.depths() == dict.fromkeys(services.tasks.depths(), 0)
    for collection in ("jobs", "pipelines", "dead_letters", "state", "audit"):
        assert list(everything(services, collection)) == []


@pytest.mark.parametrize(
    "function",
    sorted(set(TRIGGERS) - {"enrich_contributor", *FUNCTIONS.values()}),
)
def test_the_platform_is_let_in(
    function: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = call(function, client(function, monkeypatch), token(function), **SCHEDULED)
    assert status in {200, 204}


def test_a_refusal_is_in_the_log_without_the_token(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = token("run_pipeline", email="stranger@example.org")
    with capture_logs() as logged:
        call("run_pipeline", client("run_pipeline", monkeypatch), given)
    (line,) = [line for line in logged if line["event"] == "caller_refused"]
    assert given not in str(line)
    assert "stranger" not in str(line)


def test_a_set_time_starts_one_run_however_often_it_is_delivered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = client("run_pipeline", monkeypatch)
    for _ in range(3):
        assert call("run_pipeline", served, token("run_pipeline"), **SCHEDULED) == 204
    services = open_services(folder)
    (run,) = everything(services, "pipelines")
    assert run.fields["key"] == "nightly"
    assert services.tasks.depths()["default"] == 1
    body = {"run_id": run.id}
    headers = {"Authorization": token("run_pipeline"), "X-CloudTasks-TaskName": "t"}
    assert served.post("/", json=body, headers=headers).status_code == 204
    ended = pipeline_runs.get(services, run.id)
    assert (ended.state, ended.repositories) == ("RECALCULATING", ())
    assert call("run_pipeline", served, token("run_pipeline"), **SCHEDULED) == 204
    assert len(list(everything(services, "pipelines"))) == 1


def test_the_global_boards_are_asked_for_only_when_something_changed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = "recalculate_global_leaderboard"
    served = client(function, monkeypatch)
    assert call(function, served, token(function), **SCHEDULED) == 204
    services = open_services(folder)
    assert len(list(everything(services, "jobs"))) == 1
