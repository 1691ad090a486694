"""Signing in to the pages: what a session is, what it may do, and how it ends."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from functions.dashboard.sessions import COOKIE
from shared.auth import Role
from shared.models import iso
from shared.ports import Write
from tests.functions.conftest import World


def browser(world: World) -> FlaskClient:
    client = world.app.test_client()
    client.environ_base["HTTP_ACCEPT"] = "text/html"
    return client


def sign_in(world: World, role: Role = Role.ADMIN) -> FlaskClient:
    """A browser whose person has signed in."""
    client = browser(world)
    answer = client.post("/sign-in", data={"key": world.key(role)})
    assert answer.status_code == 303
    return client


def token(client: FlaskClient, address: str = "/settings") -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]{64})"', client.get(address).text)
    assert found is not None
    return found[1]


def is_signed_in(client: FlaskClient) -> bool:
    return "Sign out" in client.get("/sign-in").text


def start_run(client: FlaskClient, **form: str) -> TestResponse:
    return client.post("/dashboard/pipeline/runs", data=form)


def actions(world: World) -> list[object]:
    return [record["action"] for record in world.audited()]


def test_a_key_becomes_a_cookie_that_scripts_and_other_sites_do_not_get(fresh: World) -> None:
    client = browser(fresh)
    key = fresh.key(Role.ADMIN)
    answer = client.post("/sign-in", data={"key": f" {key}\n", "back": "/coverage"})
    assert answer.headers["Location"] == "/coverage?done=signed-in"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert f"Max-Age={12 * 3600}" in cookie
    assert key not in cookie
    assert key.rsplit("_", 1)[1] not in answer.text
    assert "You are signed in." in client.get("/coverage?done=signed-in").text
    assert "auth.signed_in" in actions(fresh)


def test_over_tls_the_cookie_goes_over_tls_only(fresh: World) -> None:
    client = browser(fresh)
    plain = client.post("/sign-in", data={"key": fresh.key(Role.USER)})
    assert "Secure" not in plain.headers["Set-Cookie"]
    over_tls = {"base_url": "https://board.example"}
    answer = client.post("/sign-in", data={"key": fresh.key(Role.USER)}, **over_tls)
    assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("key", ["", "lb_00000000_" + "x" * 43, "'; --", "\u202e🦀"])
def test_a_wrong_key_shows_the_form_again(fresh: World, key: str) -> None:
    client = browser(fresh)
    answer = client.post("/sign-in", data={"key": key})
    assert answer.status_code == 401
    assert "This key is not known" in answer.text
    assert "Set-Cookie" not in answer.headers
    assert not is_signed_in(client)


def test_a_refused_key_is_on_the_audit_trail(fresh: World) -> None:
    browser(fresh).post("/sign-in", data={"key": "lb_00000000_" + "x" * 43})
    assert "auth.refused" in actions(fresh)


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example",
        "//[",
        "/\\evil.example",
        "javascript:alert(1)",
        "/\n//x",
    ],
)
def test_signing_in_leads_to_pages_here_only(fresh: World, back: str) -> None:
    answer = browser(fresh).post("/sign-in", data={"key": fresh.key(Role.USER), "back": back})
    assert answer.headers["Location"] == "/settings?done=signed-in"


def test_a_session_ends_after_twelve_hours(fresh: World) -> None:
    client = sign_in(fresh)
    fresh.clock.advance(timedelta(hours=11, minutes=59))
    assert is_signed_in(client)
    fresh.clock.advance(timedelta(minutes=2))
    assert not is_signed_in(client)


@pytest.mark.parametrize(
    "change", [{"revoked_at": "2025-03-20"}, {"expires_at": "2025-03-20"}, {"hash": "0" * 64}, None]
)
def test_a_session_ends_with_its_key(fresh: World, change: dict[str, str] | None) -> None:
    client = sign_in(fresh)
    assert is_signed_in(client)
    signed = [record for record in fresh.audited() if record["action"] == "auth.signed_in"]
    path = f"keys/{signed[0]['resource_id']}"
    (document,) = fresh.services.documents.get(path)
    assert document is not None
    fields = None if change is None else {**document.fields, **change}
    fresh.services.documents.write([Write(path, fields)])
    assert not is_signed_in(client)


def test_a_key_that_expires_later_still_holds(fresh: World) -> None:
    client = sign_in(fresh)
    signed = [record for record in fresh.audited() if record["action"] == "auth.signed_in"]
    path = f"keys/{signed[0]['resource_id']}"
    (document,) = fresh.services.documents.get(path)
    assert document is not None
    later = iso(fresh.clock() + timedelta(days=1))
    fresh.services.documents.write([Write(path, {**document.fields, "expires_at": later})])
    assert is_signed_in(client)


def test_a_cookie_that_was_changed_is_nobody(fresh: World) -> None:
    client = sign_in(fresh)
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    for text in (cookie.value[:-2], "x" + cookie.value, "e30.e30", "\u00e9", ""):
        client.set_cookie(COOKIE, text)
        assert not is_signed_in(client)
    client.set_cookie(COOKIE, cookie.value)
    assert is_signed_in(client)


def test_without_a_cookie_nothing_is_looked_up(fresh: World) -> None:
    client = browser(fresh)
    client.get("/sign-in")
    assert fresh.services.documents.get("state/session_secret") == (None,)


def test_the_api_takes_no_session(fresh: World) -> None:
    client = sign_in(fresh)
    assert client.post("/api/v1/pipeline/runs").status_code == 401


def test_a_form_without_the_session_s_token_changes_nothing(fresh: World) -> None:
    client, other = sign_in(fresh), sign_in(fresh)
    for form in ({}, {"csrf": "x"}, {"csrf": "\u00e9"}, {"csrf": token(other)}):
        assert start_run(client, **form).status_code == 403
    assert "pipeline.started" not in actions(fresh)
    assert start_run(client, csrf=token(client)).status_code == 303
    assert "pipeline.started" in actions(fresh)


def test_a_form_from_another_site_is_refused(fresh: World) -> None:
    client = sign_in(fresh)
    form, elsewhere = {"csrf": token(client)}, {"Sec-Fetch-Site": "cross-site"}
    answer = client.post("/dashboard/pipeline/runs", data=form, headers=elsewhere)
    assert answer.status_code == 403
    key = {"key": fresh.key(Role.ADMIN)}
    assert client.post("/sign-in", data=key, headers=elsewhere).status_code == 403


def test_a_form_without_a_session_asks_to_sign_in(fresh: World) -> None:
    answer = start_run(browser(fresh), csrf="0" * 64)
    assert answer.status_code == 401
    assert 'href="/sign-in?back=/dashboard/pipeline"' in answer.text


@pytest.mark.parametrize("role", [Role.USER, Role.READONLY])
def test_a_key_without_the_right_is_refused_and_that_is_noted(fresh: World, role: Role) -> None:
    client = sign_in(fresh, role)
    answer = start_run(client, csrf=token(client))
    assert answer.status_code == 403
    assert "lacks the scope admin:*" in answer.text
    assert "auth.forbidden" in actions(fresh)
    assert "Start a run" not in client.get("/dashboard/pipeline").text


def test_signing_out_ends_it(fresh: World) -> None:
    client = sign_in(fresh)
    assert client.post("/sign-out").status_code == 403
    answer = client.post("/sign-out", data={"csrf": token(client)})
    assert answer.headers["Location"] == "/dashboard?done=signed-out"
    assert not is_signed_in(client)


def test_a_page_with_a_session_is_for_one_reader(fresh: World) -> None:
    signed = sign_in(fresh).get("/settings")
    assert "private" in signed.headers["Cache-Control"]
    assert "cookie" in signed.vary.as_set()
    anonymous = browser(fresh).get("/settings")
    assert "cookie" in anonymous.vary.as_set()
    assert "csrf" not in anonymous.text


def test_two_processes_read_the_same_sessions(fresh: World) -> None:
    from tests.support.apps import app_over

    client = sign_in(fresh)
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    second = app_over(lambda: fresh.services).test_client()
    second.set_cookie(COOKIE, cookie.value)
    assert is_signed_in(second)
