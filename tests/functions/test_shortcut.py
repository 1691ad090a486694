"""Kept answers without the way through the application: the same, or none at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Flask
from structlog.testing import capture_logs
from werkzeug.test import Client, TestResponse

from functions.api import front, shortcut
from infra.cli.server import plan_of
from infra.rates import rates_of
from shared import repositories
from shared.auth import Role
from shared.context import SYSTEM
from shared.models import RepositoryName
from shared.settings import Settings
from shared.telemetry import SILENT
from tests.functions.conftest import World
from tests.support.apps import app_over
from tests.support.lines import ANA, ENGINE, day, push

GLOBAL = "/api/v1/leaderboard/global"
OF_ENGINE = "/api/v1/leaderboard/octo/engine"
STRANGER = {"REMOTE_ADDR": "192.0.2.7"}
_NONE_GIVEN = 599
_OF_ONE_REQUEST = {"X-Request-ID", "X-RateLimit-Remaining", "X-RateLimit-Reset"}


def short(app: Flask, address: str, **given: Any) -> TestResponse | None:
    """What the shortcut sends, None if that is left to the application."""

    def call(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        answer = shortcut.answer(app, environ)
        if answer is None:
            start(f"{_NONE_GIVEN} None", [])
            return []
        start(answer.status, answer.headers)
        return [answer.body]

    found = Client(call).open(address, **{"environ_base": {"REMOTE_ADDR": "127.0.0.1"}, **given})
    return None if found.status_code == _NONE_GIVEN else found


def long(app: Flask, address: str, **given: Any) -> TestResponse:
    """What the application sends."""
    return app.test_client().open(address, **given)


def said(answer: TestResponse | None) -> tuple[int, bytes, dict[str, str]]:
    assert answer is not None
    headers = {name: value for name, value in answer.headers if name not in _OF_ONE_REQUEST}
    return answer.status_code, answer.data, headers


def set_up(world: World, **settings: Any) -> Flask:
    """The world's application with other settings."""
    chosen = world.services.settings.model_copy(update=settings)
    services = replace(world.services, settings=chosen, rates=rates_of(chosen))
    return app_over(lambda: services)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Accept-Encoding": "gzip"},
        {"Accept-Encoding": "br, gzip;q=0.5"},
        {"Accept-Encoding": "identity"},
        {"Origin": "https://example.org"},
        {"Origin": "https://another.example"},
        {"If-None-Match": '"another"'},
        {"If-None-Match": "*"},
        {"If-None-Match": 'W/"{etag}"', "Accept-Encoding": "gzip"},
        {"If-None-Match": '"x", "{etag}"', "Origin": "https://example.org"},
        {"If-None-Match": "not a tag"},
        {"If-Modified-Since": "Sat, 01 Jan 2050 00:00:00 GMT"},
        {"Cookie": "session=anything"},
    ],
    ids=str,
)
@pytest.mark.parametrize("address", [f"{OF_ENGINE}?class=all&page_size=20", GLOBAL])
def test_what_is_sent_is_what_the_application_sends(
    team: World, address: str, headers: dict[str, str]
) -> None:
    app = set_up(team, cors_origins=("https://example.org",), rate_limit_burst=0)
    form = {name: headers[name] for name in ("Accept-Encoding", "Origin") if name in headers}
    first = long(app, address, headers=form)
    etag, _ = first.get_etag()
    sent = {name: value.replace("{etag}", etag or "") for name, value in headers.items()}
    given = {"headers": sent, "environ_base": STRANGER}
    expected = long(app, address, **given)
    assert said(short(app, address, **given)) == said(expected)
    held = headers.get("If-None-Match", "")
    assert expected.status_code == (304 if "{etag}" in held or held == "*" else 200)


def test_a_generation_is_kept_as_what_never_changes(team: World) -> None:
    app = set_up(team)
    generation = long(app, OF_ENGINE).get_json()["meta"]["generation"]
    pinned = f"{OF_ENGINE}?generation={generation}"
    expected = long(app, pinned)
    assert said(short(app, pinned)) == said(expected)
    assert expected.headers["Cache-Control"].startswith("public")


@pytest.mark.parametrize(
    "given",
    [
        {"method": "HEAD"},
        {"method": "POST"},
        {"headers": {"X-API-Key": "lb_00000000_of-nobody"}},
        {"headers": {"If-Match": '"another"'}},
        {"headers": {"Range": "bytes=0-3"}},
        {"headers": {"Accept-Encoding": "gzip"}},
        {"headers": {"Origin": "https://example.org"}},
        {"data": b"a body"},
    ],
    ids=str,
)
def test_anything_unusual_is_the_application_s(team: World, given: dict[str, Any]) -> None:
    app = set_up(team)
    assert short(app, GLOBAL) is None
    long(app, GLOBAL)
    assert short(app, GLOBAL) is not None
    assert short(app, GLOBAL, **given) is None
    assert short(app, f"{GLOBAL}?page=1") is None
    assert short(app, "/api/v1/repositories") is None


def test_before_the_framework_only_what_is_not_kept_is_asked_for(
    team: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = set_up(team)
    monkeypatch.setattr("functions.api._app", lambda: app)
    behind = Mock(wraps=app.wsgi_app)
    client = Client(front(behind), TestResponse)
    asked = [client.get(GLOBAL), client.get(GLOBAL), client.get("/api/v1/nothing")]
    assert [answer.status_code for answer in asked] == [200, 200, 404]
    assert said(asked[0]) == said(asked[1])
    assert behind.call_count == 2


def test_it_is_what_the_embedded_server_asks_first(tmp_path: Path) -> None:
    plan = plan_of(Settings(data_dir=tmp_path))
    assert resolve_name(plan.front or "") is front


def test_errors_are_not_kept(team: World) -> None:
    app = set_up(team)
    for address in (f"{GLOBAL}?page=0", "/api/v1/leaderboard/octo/nothing"):
        assert long(app, address).status_code >= 400
        assert short(app, address) is None


def test_once_there_is_another_board_the_kept_one_is_not_given(engine: World) -> None:
    long(engine.app, OF_ENGINE)
    assert short(engine.app, OF_ENGINE) is not None
    engine.ingest("later.json.gz", [push(900, day(14), ANA, push_id=900, distinct_size=9)])
    key = engine.key(Role.USER)
    engine.client(key).post(f"/api/v1/repositories/{ENGINE.name}/refresh")
    engine.work()
    assert short(engine.app, OF_ENGINE) is None
    assert said(long(engine.app, OF_ENGINE)) == said(short(engine.app, OF_ENGINE))


def test_a_repository_that_is_gone_has_no_kept_board(engine: World) -> None:
    long(engine.app, OF_ENGINE)
    assert short(engine.app, OF_ENGINE) is not None
    repositories.remove(engine.services, RepositoryName.parse(ENGINE.name), SYSTEM)
    engine.work()
    assert short(engine.app, OF_ENGINE) is None
    assert long(engine.app, OF_ENGINE).status_code == 404


def test_requests_are_counted_and_refused_by_the_application(team: World) -> None:
    app = set_up(team, rate_limit_anonymous=3, rate_limit_burst=0)
    assert long(app, GLOBAL, environ_base=STRANGER).headers["X-RateLimit-Remaining"] == "2"
    for remaining in ("1", "0"):
        answer = short(app, GLOBAL, environ_base=STRANGER)
        assert answer is not None
        assert answer.headers["X-RateLimit-Remaining"] == remaining
    assert short(app, GLOBAL, environ_base=STRANGER) is None
    assert long(app, GLOBAL, environ_base=STRANGER).status_code == 429


def test_a_request_is_counted_once_however_far_it_gets(
    team: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = team.services.settings.model_copy(update={"rate_limit_anonymous": 2})
    rates: Any = Mock(wraps=rates_of(chosen))
    services = replace(team.services, settings=chosen, rates=rates)
    app = app_over(lambda: services)
    monkeypatch.setattr("functions.api._app", lambda: app)
    client = Client(front(app.wsgi_app), TestResponse)
    statuses = [client.get(GLOBAL, environ_base=STRANGER).status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]
    assert rates.take.call_count == 4


def test_where_requests_are_measured_the_application_answers(team: World) -> None:
    measuring: Any = Mock(wraps=SILENT, on=True)
    services = replace(team.services, telemetry=measuring)
    app = app_over(lambda: services)
    long(app, GLOBAL)
    assert short(app, GLOBAL) is None


def test_it_is_logged_and_named_as_any_request(team: World) -> None:
    app = set_up(team)
    long(app, GLOBAL)
    with capture_logs() as logged:
        named = short(app, GLOBAL, headers={"X-Request-ID": "mine-7"})
        unnamed = short(app, GLOBAL, headers={"X-Request-ID": "no name"})
    assert named is not None
    assert unnamed is not None
    assert named.headers["X-Request-ID"] == "mine-7"
    names = [entry["request_id"] for entry in logged]
    assert names == ["mine-7", unnamed.headers["X-Request-ID"]]
    (first, second) = logged
    assert (first["event"], first["path"], first["status"]) == ("request_answered", GLOBAL, 200)
    assert second["request_id"] != "no name"


def test_forms_that_callers_make_up_do_not_pile_up(team: World) -> None:
    app = set_up(team)
    for number in range(20):
        long(app, GLOBAL, headers={"Origin": f"https://{number}.example"})
    kept = [short(app, GLOBAL, headers={"Origin": f"https://{n}.example"}) for n in range(20)]
    assert sum(answer is not None for answer in kept) == 8
