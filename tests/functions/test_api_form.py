"""The form of answers: packed, for other origins, and on their way out."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import brotli
import pytest
from flask.testing import FlaskClient

from functions.api.app import create_app
from functions.api.config import show_scoring_rules
from functions.api.resource import Deprecated, Resource
from infra.services import build
from shared.errors import Rejected
from tests.functions.conftest import World
from tests.support.api_client import ApiClient
from tests.support.apps import app_over

LONG, SHORT = "/openapi.json", "/health/live"
API = "/api/v1/config/scoring"
HOME = "https://example.org"


@pytest.fixture(scope="module")
def world(make_world: Callable[[], World]) -> World:
    """Nothing ingested."""
    return make_world()


@pytest.fixture(scope="module")
def client(world: World) -> FlaskClient:
    return world.client().flask


def of_origins(world: World, *origins: str) -> FlaskClient:
    settings = world.services.settings.model_copy(update={"cors_origins": origins})
    return app_over(lambda: replace(world.services, settings=settings)).test_client()


# --- packed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("br", "br"),
        ("gzip", "gzip"),
        ("gzip, deflate, br", "br"),
        ("gzip;q=1, br;q=0.5", "gzip"),
        ("*", "br"),
        ("br;q=0, gzip", "gzip"),
        ("identity", None),
        ("gzip;q=0", None),
        ("gzip;q=0.1, identity;q=1", None),
        ("deflate", None),
        (None, None),
    ],
)
def test_a_long_answer_is_packed_as_its_reader_likes_it(
    client: FlaskClient, accepted: str | None, encoding: str | None
) -> None:
    plain = client.get(LONG)
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    packed = client.get(LONG, headers=headers)
    assert packed.headers.get("Content-Encoding") == encoding
    assert "Accept-Encoding" in packed.headers["Vary"]
    unpack: Any = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[encoding]
    assert unpack(packed.data) == plain.data
    assert int(packed.headers["Content-Length"]) == len(packed.data)
    if encoding:
        assert len(packed.data) < len(plain.data) / 4


def test_a_short_answer_is_not_packed(client: FlaskClient) -> None:
    answer = client.get(SHORT, headers={"Accept-Encoding": "gzip, br"})
    assert "Content-Encoding" not in answer.headers
    assert "Accept-Encoding" in answer.headers["Vary"]


def test_who_has_it_packed_or_not_is_told_that_nothing_changed(client: FlaskClient) -> None:
    tags = {
        client.get(LONG, headers={"Accept-Encoding": accepted}).headers["ETag"]
        for accepted in ("identity", "gzip", "br")
    }
    assert len(tags) == 2  # a strong one, and its weak form
    for tag in tags:
        for accepted in ("identity", "br"):
            answer = client.get(LONG, headers={"If-None-Match": tag, "Accept-Encoding": accepted})
            assert (answer.status_code, answer.data) == (304, b"")
            assert "Content-Encoding" not in answer.headers


def test_pages_and_errors_are_packed_and_static_files_are_sent_as_they_are(
    client: FlaskClient,
) -> None:
    headers = {"Accept-Encoding": "br", "Accept": "text/html"}
    assert client.get("/dashboard", headers=headers).headers["Content-Encoding"] == "br"
    with client.get("/dashboard/static/pages.css", headers=headers) as file:
        assert file.status_code == 200
        assert file.headers.get("Content-Encoding") is None
        assert "Accept-Encoding" in file.headers["Vary"]


def test_asking_for_the_head_only_works_as_before(client: FlaskClient) -> None:
    answer = client.head(LONG, headers={"Accept-Encoding": "br"})
    assert (answer.status_code, answer.data) == (200, b"")


# --- other origins --------------------------------------------------------------------------------


def test_without_the_setting_no_other_origin_is_let_in(client: FlaskClient) -> None:
    answer = client.get(API, headers={"Origin": HOME})
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
    assert "Origin" not in answer.headers.get("Vary", "")


def test_the_origins_that_are_named_may_read(world: World) -> None:
    client = of_origins(world, HOME)
    answer = client.get(API, headers={"Origin": HOME})
    assert answer.headers["Access-Control-Allow-Origin"] == HOME
    assert "X-RateLimit-Remaining" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    for origin in ("https://example.org.evil.test", "http://example.org", "null", ""):
        other = client.get(API, headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in other.headers
        assert "Origin" in other.headers["Vary"]
    missing = client.get("/api/v1/nothing", headers={"Origin": HOME})
    assert (missing.status_code, missing.headers["Access-Control-Allow-Origin"]) == (404, HOME)
    assert (
        "Access-Control-Allow-Origin"
        not in client.get("/dashboard", headers={"Origin": HOME}).headers
    )


def test_anybody_may_read_where_a_star_says_so(world: World) -> None:
    answer = of_origins(world, "*").get(API, headers={"Origin": HOME})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Origin" not in answer.headers.get("Vary", "")


def test_a_browser_that_asks_first_is_told_what_it_may_send(world: World) -> None:
    client = of_origins(world, HOME)
    asked = {
        "Origin": HOME,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "x-api-key",
    }
    answer = client.options(API, headers=asked)
    assert answer.status_code == 200
    assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
    assert "X-API-Key" in answer.headers["Access-Control-Allow-Headers"]
    assert answer.headers["Access-Control-Max-Age"] == "600"
    stranger = client.options(API, headers={**asked, "Origin": "https://evil.test"})
    assert "Access-Control-Allow-Methods" not in stranger.headers


def test_asking_first_is_not_counted(world: World) -> None:
    settings = world.services.settings.model_copy(update={"rate_limit_anonymous": 1})
    client = app_over(lambda: replace(build(settings), settings=settings)).test_client()
    stranger = {"REMOTE_ADDR": "203.0.113.7"}
    for _ in range(3):
        assert client.options(API, environ_base=stranger).status_code == 200
    assert client.get(API, environ_base=stranger).status_code == 200


# --- on their way out -----------------------------------------------------------------------------


def test_an_endpoint_that_goes_says_so_until_it_is_gone(world: World) -> None:
    going = Resource("going")
    going.operation(
        "GET",
        "/api/v1/config/rules",
        deprecated=Deprecated(
            since=datetime(2026, 1, 1, tzinfo=UTC),
            ends=datetime(2026, 7, 1, tzinfo=UTC),
            successor=API,
        ),
    )(show_scoring_rules)
    app = create_app(lambda: world.services)
    app.register_blueprint(going)
    api = ApiClient(app)
    answer = api.get("/api/v1/config/rules")
    assert answer.status_code == 200
    assert answer.headers["Deprecation"] == "@1767225600"
    assert answer.headers["Sunset"] == "Wed, 01 Jul 2026 00:00:00 GMT"
    assert answer.headers["Link"] == f'<{API}>; rel="successor-version"'
    described = api.description["paths"]["/api/v1/config/rules"]["get"]
    assert described["deprecated"] is True
    assert "Deprecation" not in api.get(API).headers


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "address", "options", "status"),
    [
        ("GET", "/api/v1/nothing", {}, 404),
        ("PATCH", API, {}, 405),
        ("POST", "/api/v1/repositories", {}, 401),
        ("POST", f"{API}/preview", {"data": b" " * ((1 << 20) + 1)}, 413),
        ("POST", f"{API}/preview", {"data": b"x", "content_type": "text/plain"}, 415),
        ("GET", f"{API}?x=1", {}, 400),
    ],
)
def test_every_error_has_the_same_body_and_the_callers_request_id(
    client: FlaskClient, method: str, address: str, options: dict[str, Any], status: int
) -> None:
    answer = client.open(address, method=method, headers={"X-Request-ID": "find-me"}, **options)
    assert answer.status_code == status
    assert answer.headers["X-Request-ID"] == "find-me"
    body = json.loads(answer.data)
    assert set(body) == {"error", "message", "details", "request_id"}
    assert body["request_id"] == "find-me"
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_request_id_that_is_none_is_replaced(client: FlaskClient) -> None:
    for given in ("x" * 129, "a b", "<script>"):
        answered = client.get(SHORT, headers={"X-Request-ID": given}).headers["X-Request-ID"]
        assert len(answered) == 32


def test_wrong_settings_still_answer_in_the_same_form() -> None:
    def wrong() -> Any:
        raise Rejected("PORT is wrong")

    answer = app_over(wrong).test_client().get(API)
    assert (answer.status_code, answer.get_json()["error"]) == (500, "internal_error")
