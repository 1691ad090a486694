"""The function around the API: mounts, bodies, request ids, logs, health."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import functions_framework
import pytest
import structlog
from flask.testing import FlaskClient
from structlog.testing import capture_logs
from werkzeug.exceptions import NotFound
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

import functions.api as function
from infra import services as composition
from shared.auth import Role
from shared.errors import RetryLater
from tests.functions.conftest import World
from tests.support.api_client import ApiClient
from tests.support.apps import app_over

MAIN = Path(__file__).parents[2] / "main.py"


@pytest.fixture
def framework(team: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The app of functions-framework, over the team's data."""
    monkeypatch.setenv("DATA_DIR", str(team.folder / "data"))
    caches = (composition.services, function._app)
    for cached in caches:
        cached.cache_clear()
    create: Callable[..., Any] = functions_framework.create_app
    yield create("api", str(MAIN), "http")
    for cached in caches:
        cached.cache_clear()


@pytest.fixture
def client(framework: Any) -> FlaskClient:
    found: FlaskClient = framework.test_client()
    return found


def test_the_function_answers_as_the_app_does(client: FlaskClient, api: ApiClient) -> None:
    for address in (
        "/api/v1/leaderboard/octo/engine?class=all&page_size=3",
        "/api/v1/contributors/%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/api/v1/contributors/a%20b%3Fc=d&e%23f%252F",
        "/openapi.json",
        "/health/live",
    ):
        inner = api.get(address)
        # The second time it may be kept.
        for outer in (client.get(address), client.get(address)):
            assert (outer.status_code, outer.data) == (inner.status_code, inner.data)
            assert outer.headers["ETag"] == inner.headers["ETag"]


def test_errors_keep_their_shape_through_the_framework(client: FlaskClient) -> None:
    for method, address, status in (
        ("GET", "/api/v1/nothing", 404),
        ("PUT", "/api/v1/repositories", 405),
        ("POST", "/api/v1/repositories", 401),
        ("GET", "/api/v1/leaderboard/global?page=0", 400),
    ):
        answer = client.open(address, method=method)
        assert answer.status_code == status
        assert set(answer.get_json()) == {"error", "message", "details", "request_id"}
        assert "X-Google-Status" not in answer.headers


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_addresses_are_the_same_wherever_the_function_is_mounted(
    framework: Any, prefix: str
) -> None:
    mounted = Client(DispatcherMiddleware(NotFound(), {prefix: framework}) if prefix else framework)
    answer = mounted.get("/api/v1/leaderboard/global?page_size=2")
    assert answer.status_code == 200
    assert answer.get_json()["links"]["self"] == "/api/v1/leaderboard/global?page_size=2"
    assert mounted.get(answer.get_json()["links"]["next"]).status_code == 200


def test_where_the_platform_takes_the_functions_name_off_it_is_put_back(
    client: FlaskClient,
) -> None:
    answer = client.get("/v1/leaderboard/global")
    assert answer.get_json()["links"]["self"] == "/api/v1/leaderboard/global"


def test_a_body_reaches_the_app_and_one_too_large_is_refused(
    client: FlaskClient, team: World
) -> None:
    key = {"X-API-Key": team.key(Role.USER)}
    wrong = client.post("/api/v1/repositories", json={"repository": "engine"}, headers=key)
    assert wrong.get_json()["details"]["field"] == "repository"
    for size in ((1 << 20) + 1, 3 << 20):
        large = client.post("/api/v1/repositories", data=b" " * size, headers=key)
        assert large.status_code == 413
        assert large.get_json()["error"] == "body_too_large"
    # The length may also be said by the end alone.
    chunked = client.post(
        "/api/v1/repositories",
        input_stream=io.BytesIO(b" " * (2 << 20)),
        headers=key,
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )
    assert chunked.status_code == 413


def test_a_failure_beyond_the_apps_own_handlers_shows_nothing(client: FlaskClient) -> None:
    def fail(_response: object) -> Any:
        raise ValueError("secret of the inside")

    function._app().after_request(fail)
    answer = client.get("/api/v1/jobs")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("given", ["abc-123", "a" * 128, "req:1/2+3="])
def test_a_request_id_is_echoed(api: ApiClient, given: str) -> None:
    answer = api.get("/health/live", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "a" * 129, "two words", "<script>", "ü"])
def test_an_unsafe_request_id_is_replaced(api: ApiClient, given: str) -> None:
    first, second = (
        api.get("/health/live", headers={"X-Request-ID": given}).headers["X-Request-ID"]
        for _ in range(2)
    )
    assert len(first) == 32
    assert given not in (first, second)
    assert first != second


def test_every_request_leaves_one_line_in_the_log(api: ApiClient) -> None:
    with capture_logs() as logs:
        api.get("/api/v1/leaderboard/global?page=1", headers={"X-Request-ID": "line-1"})
        api.get("/api/v1/nothing")
    lines = [line for line in logs if line["event"] == "request_answered"]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("GET", "/api/v1/leaderboard/global", 200),
        ("GET", "/api/v1/nothing", 404),
    ]
    assert all(isinstance(line["duration_ms"], int) for line in lines)


def test_the_request_id_is_bound_to_what_is_logged_and_forgotten_after(api: ApiClient) -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        for given in ("bound-1", "bound-2"):
            api.get("/api/v1/jobs?limit=0", headers={"X-Request-ID": given})
        structlog.get_logger().info("afterwards")
    assert [(line["event"], line.get("request_id")) for line in logs] == [
        ("validation_error", "bound-1"),
        ("request_answered", "bound-1"),
        ("validation_error", "bound-2"),
        ("request_answered", "bound-2"),
        ("afterwards", None),
    ]


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
def test_health(api: ApiClient, prefix: str) -> None:
    assert api.data(f"{prefix}/health/live") == {"status": "alive"}
    ready = api.data(f"{prefix}/health/ready")
    assert ready["status"] == "ready"
    assert {name: part["status"] for name, part in ready["checks"].items()} == dict.fromkeys(
        ("documents", "warehouse", "tasks", "github", "notices"), "ok"
    )


def test_what_keeps_an_instance_from_its_work_is_named(team: World) -> None:
    class Busy:
        def get(self, *_paths: str) -> None:
            raise RetryLater("The document store is busy. Try again.")

    class Gone:
        def unit(self, *_name: str) -> None:
            raise OSError("/secret/path is gone")

    broken = replace(team.services, documents=Busy(), warehouse=Gone())  # type: ignore[arg-type]
    answer = ApiClient(app_over(lambda: broken)).get("/health/ready")
    assert answer.status_code == 503
    body = answer.get_json()
    assert body["message"] == "Not ready: documents, warehouse."
    checks = body["details"]["checks"]
    assert {name: part["message"] for name, part in checks.items() if part["needed"]} == {
        "documents": "The document store is busy. Try again.",
        "warehouse": "OSError",
    }
    assert ApiClient(app_over(lambda: broken)).get("/health/live").status_code == 200


def test_people_who_are_lost_see_a_page_and_programs_json(team: World) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    client = team.app.test_client()
    assert client.get("/nowhere", headers=browser).mimetype == "text/html"
    assert client.get("/nowhere").mimetype == "application/json"
    assert client.get("/api/v1/nowhere", headers=browser).mimetype == "application/json"
    assert client.get("/dashboard").status_code == 200


def test_elsewhere_what_costs_a_statement_needs_a_key(team: World) -> None:
    settings = team.services.settings.model_copy(update={"backend": "gcp", "rate_limit_burst": 0})
    elsewhere = replace(team.services, settings=settings)
    app = app_over(lambda: elsewhere)
    reading = team.key(Role.READONLY)
    span = "start=2025-01-01&end=2025-02-01"
    for address in (
        "/api/v1/contributors/ana/explain",
        f"/api/v1/leaderboard/global?{span}",
    ):
        assert ApiClient(app).get(address).status_code == 401
        assert ApiClient(app, reading).get(address).status_code == 200
    preview = "/api/v1/config/scoring/preview"
    assert ApiClient(app).post(preview, {"changes": {}}).status_code == 401
    assert ApiClient(app, reading).post(preview, {"changes": {}}).status_code == 200
    assert ApiClient(app).get("/api/v1/leaderboard/global").status_code == 200
