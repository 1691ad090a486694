"""Keys and flags on the page of settings, by plain forms."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from shared import flag_config, keys, rule_sets
from shared.auth import Role
from shared.context import SYSTEM
from shared.flags import FlagRule, Rules
from shared.models import Kind
from shared.ports import Write
from shared.scoring import RuleSet
from tests.functions.conftest import World
from tests.functions.test_dashboard_actions import forms, send
from tests.support.dashboard_world import Balanced, client_over
from tests.support.lines import ENGINE
from tests.support.scenario import everything


@pytest.fixture
def text(fresh: World) -> str:
    return fresh.key(Role.ADMIN)


@pytest.fixture
def admin(fresh: World, text: str) -> FlaskClient:
    client = client_over(fresh.services)
    client.post("/sign-in", data={"key": text})
    return client


def shown_text(page: str) -> str:
    (found,) = re.findall(r"lb_[0-9a-f]{8}_[A-Za-z0-9_-]+", page)
    return str(found)


def test_a_key_is_made_shown_once_and_works(fresh: World, admin: FlaskClient) -> None:
    answer = send(
        admin, "/settings", "/settings/keys", name=" <b>CI</b> ", role="user",
        expires_at="2025-04-01",
    )  # fmt: skip
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert "&lt;b&gt;CI&lt;/b&gt;" in answer.text
    made = shown_text(answer.text)
    found = keys.get(fresh.services, made.split("_")[1])
    assert (found.role, found.expires_at) == (Role.USER, "2025-04-01T00:00:00.000000Z")
    assert (
        fresh.client(made).post("/api/v1/repositories", {"repository": "octo/engine"}).status_code
        < 300
    )
    settings = admin.get("/settings").text
    assert "&lt;b&gt;CI&lt;/b&gt;" in settings
    assert not re.search(r"lb_[0-9a-f]{8}_", settings)
    assert made not in str(fresh.audited())
    created = [entry for entry in fresh.audited() if entry["action"] == "key.created"]
    assert [entry["actor_type"] for entry in created] == ["admin"]


def test_a_key_gets_a_new_text_and_the_former_is_taken_for_a_while(
    fresh: World, admin: FlaskClient
) -> None:
    made = keys.create(fresh.services, SYSTEM, "CI", Role.USER)
    address = f"/settings/keys/{made.key.id}/rotate"
    first = shown_text(send(admin, "/settings", address, grace_minutes="60").text)
    assert first != made.text
    for key in (made.text, first):
        assert (
            fresh.client(key)
            .post("/api/v1/repositories", {"repository": "octo/engine"})
            .status_code
            < 300
        )
    assert "Its former text is taken until" in admin.get("/settings").text
    fresh.clock.advance(timedelta(minutes=61))
    assert fresh.client(made.text).post("/api/v1/repositories", {}).status_code == 401
    wrong = send(admin, "/settings", address, grace_minutes="99999999")
    assert wrong.status_code == 400


def test_a_revoked_key_is_nobody_and_stays_in_the_list(fresh: World, admin: FlaskClient) -> None:
    made = keys.create(fresh.services, SYSTEM, "CI", Role.USER)
    answer = send(admin, "/settings", f"/settings/keys/{made.key.id}/revoke")
    assert answer.headers["Location"] == "/settings?done=revoked"
    page = admin.get("/settings?done=revoked").text
    assert "The key is revoked." in page
    assert ">Revoked<" in page
    assert f"/settings/keys/{made.key.id}/revoke" not in forms(page)
    assert fresh.client(made.text).post("/api/v1/repositories", {}).status_code == 401


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"role": "owner"}, "role"),
        ({"expires_at": "2020-01-01"}, "future"),
        ({"expires_at": "soon"}, "expires_at"),
    ],
)
def test_a_key_that_cannot_be_is_not_made(
    fresh: World, admin: FlaskClient, fields: dict[str, str], says: str
) -> None:
    before = len(keys.listed(fresh.services).keys)
    answer = send(admin, "/settings", "/settings/keys", **{"name": "CI", "role": "user"} | fields)
    assert answer.status_code == 400
    assert says in answer.text
    assert len(keys.listed(fresh.services).keys) == before


def test_keys_are_no_ones_but_admins_to_see_or_make(fresh: World, admin: FlaskClient) -> None:
    keys.create(fresh.services, SYSTEM, "the CI key", Role.USER)
    visitor, user = client_over(fresh.services), client_over(fresh.services)
    user.post("/sign-in", data={"key": fresh.key(Role.USER)})
    for client in (visitor, user):
        assert "the CI key" not in client.get("/settings").text
    token = forms(user.get("/settings").text)["/sign-out"]
    for address in ("keys", "flags", "keys/0123abcd/rotate", "keys/0123abcd/revoke"):
        form = {"csrf": token, "name": "mine", "role": "admin", "version": "0"}
        assert visitor.post(f"/settings/{address}", data=form).status_code == 401
        assert user.post(f"/settings/{address}", data=form).status_code == 403
    assert admin.post("/settings/keys", data={"name": "x", "role": "user"}).status_code == 403


def test_a_record_of_the_trail_that_lost_something_is_marked(
    fresh: World, admin: FlaskClient
) -> None:
    admin.get("/settings")
    *_, record = everything(fresh.services, "audit")
    fields = {n: v for n, v in record.fields.items() if n != "actor_id"} | {"timestamp": "2999"}
    fresh.services.documents.write([Write(record.path, fields)])
    page = admin.get("/settings")
    assert page.status_code == 200
    assert page.text.count("not intact: actor_id, timestamp") == 1
    Balanced(page.text)


def test_keys_come_twenty_a_page(fresh: World, admin: FlaskClient) -> None:
    for number in range(21):
        keys.create(fresh.services, SYSTEM, f"key {number}", Role.USER)
    page = admin.get("/settings").text
    assert page.count("/revoke") == 20
    (onward,) = re.findall(r'href="(/settings\?keys_after=[^"]+)"', page)
    assert admin.get(onward).text.count("/revoke") == 2


# --- flags ------------------------------------------------------------------------------------


def test_flags_are_set_with_all_that_a_rule_can_say(fresh: World, admin: FlaskClient) -> None:
    answer = send(
        admin, "/settings", "/settings/flags",
        **{
            "version": "0", "enable_enrichment": "off", "enable_enrichment.percent": "25",
            "enable_enrichment.keys": "0123abcd=on, 89abcdef=off",
            "enable_enrichment.starts_at": "2025-03-21", "max_concurrent_scrapes": "3",
        },
    )  # fmt: skip
    assert answer.headers["Location"] == "/settings?done=flags"
    stored = flag_config.current(fresh.services)
    assert stored.rules == Rules(
        enable_enrichment=FlagRule.model_validate(
            {
                "value": False, "percent": 25, "keys": {"0123abcd": True, "89abcdef": False},
                "starts_at": "2025-03-21T00:00:00Z",
            }
        ),
        max_concurrent_scrapes=FlagRule(value=3),
    )  # fmt: skip
    # What the form shows is what it sets.
    page = admin.get("/settings").text
    fields = dict(re.findall(r'name="([\w.]+)"[^>]*? value="([^"]*)"', page))
    fields |= {
        name: (re.findall(r"<option selected>(\w+)<", options) or [""])[0]
        for name, options in re.findall(r'<select id="flag-\w+" name="(\w+)">(.*?)</select>', page)
    }
    assert fields["enable_enrichment.keys"] == "0123abcd=on, 89abcdef=off"
    del fields["csrf"]
    send(admin, "/settings", "/settings/flags", **fields | {"version": "1"})
    assert flag_config.current(fresh.services) == stored


@pytest.mark.parametrize("percent", [0, 25, 99])
def test_what_is_for_a_share_is_shown_as_that_whoever_looks(
    fresh: World, admin: FlaskClient, percent: int
) -> None:
    rule = FlagRule(value=False, percent=percent)
    flag_config.change(fresh.services, SYSTEM, Rules(enable_enrichment=rule))
    assert f"<code>enable_enrichment</code> is <b>off for {percent} %</b>" in (
        admin.get("/settings").text
    )
    assert f"<dd>off for {percent} %</dd>" in client_over(fresh.services).get("/settings").text


def test_flags_that_are_left_out_have_their_default_again(fresh: World, admin: FlaskClient) -> None:
    flag_config.change(fresh.services, SYSTEM, Rules(enable_enrichment=FlagRule(value=False)))
    send(admin, "/settings", "/settings/flags", version="1")
    assert flag_config.current(fresh.services).rules == Rules()
    late = send(admin, "/settings", "/settings/flags", version="1", enable_enrichment="on")
    assert late.status_code == 409


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"enable_enrichment": "maybe"}, "neither on nor off"),
        ({"max_concurrent_scrapes": "many"}, "not a whole number"),
        ({"max_concurrent_scrapes": "0"}, "1 or more"),
        ({"enable_enrichment": "on", "enable_enrichment.percent": "101"}, "percent"),
        ({"enable_enrichment": "on", "enable_enrichment.keys": "me=on"}, "keys"),
        ({"enable_enrichment": "on", "enable_enrichment.starts_at": "soon"}, "not a time"),
        ({"new_scoring_algorithm": "77"}, "77"),
        ({"version": "x"}, "not complete"),
    ],
)
def test_a_wrong_rule_is_named_and_nothing_is_stored(
    fresh: World, admin: FlaskClient, fields: dict[str, str], says: str
) -> None:
    answer = send(admin, "/settings", "/settings/flags", **{"version": "0"} | fields)
    assert answer.status_code in (400, 404)
    assert says in answer.text
    assert flag_config.current(fresh.services).version == 0


# --- rules ------------------------------------------------------------------------------------


def in_force(world: World) -> RuleSet:
    return rule_sets.current(world.services).rules


def test_what_was_tried_is_put_in_force_by_who_is_signed_in(
    fresh: World, admin: FlaskClient
) -> None:
    fresh.register(ENGINE)
    before = fresh.client().data("/api/v1/leaderboard/global?class=all")
    page = admin.get("/what-if?points.COMMIT=40&class=all").text
    fields = {
        name: html.unescape(value)
        for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
    }
    answer = admin.post("/settings/rules", data=fields)
    assert answer.headers["Location"] == "/settings?done=rules"
    assert in_force(fresh).points[Kind.COMMIT] == 40
    fresh.work()
    assert fresh.client().data("/api/v1/leaderboard/global?class=all") != before
    (changed,) = [e for e in fresh.audited() if e["resource_type"] == "scoring"]
    assert changed["actor_type"] == "admin"
    # A second press is told that somebody changed them meanwhile.
    assert admin.post("/settings/rules", data=fields).status_code == 409
    assert rule_sets.current(fresh.services).version == 2


def test_what_the_script_sends_with_a_key_is_put_in_force(fresh: World, text: str) -> None:
    fresh.register(ENGINE)
    page = client_over(fresh.services).get("/what-if").text
    addresses = dict(re.findall(r'data-(preview|rules|version)="([^"]+)"', page))
    api = fresh.client(text)
    asked = {"board": "global", "window": "all", "class": "human", "limit": 50,
             "changes": {"points": {"COMMIT": "40"}, "caps": []}}  # fmt: skip
    rules = api.data(addresses["rules"])["rules"]
    asked["changes"] = {"points": {"COMMIT": "40"}, "caps": rules["caps"]}
    tried = api.post(addresses["preview"], asked).get_json()
    body = {"rules": tried["data"]["rules"], "version": int(addresses["version"])}
    answer = api.call("PUT", addresses["rules"], json=body)
    assert answer.status_code == 200
    assert answer.get_json()["data"]["version"] == 2
    assert in_force(fresh).digest == tried["meta"]["digest_after"]
    assert api.call("PUT", addresses["rules"], json=body).status_code == 409


def test_while_a_flag_keeps_other_rules_in_force_the_stored_ones_are_replaced(
    fresh: World, admin: FlaskClient
) -> None:
    fresh.register(ENGINE)
    other = RuleSet.model_validate({**in_force(fresh).model_dump(), "minimum_pr_size": 9})
    rule_sets.change(fresh.services, SYSTEM, other)
    flag_config.change(fresh.services, SYSTEM, Rules(new_scoring_algorithm=FlagRule(value=1)))
    page = admin.get("/what-if?points.COMMIT=40").text
    assert "A flag keeps version 1 in force" in page
    fields = {
        name: html.unescape(value)
        for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)
    }
    assert admin.post("/settings/rules", data=fields).status_code == 303
    assert rule_sets.stored(fresh.services) == 3


@pytest.mark.parametrize("rules", ["", "{", "{}", '{"points": {"COMMIT": -1}}', "[]"])
def test_what_are_no_rules_is_refused(fresh: World, admin: FlaskClient, rules: str) -> None:
    token = forms(admin.get("/settings").text)["/settings/flags"]
    answer = admin.post("/settings/rules", data={"csrf": token, "version": "1", "rules": rules})
    if rules != "{}":
        assert answer.status_code == 400
    assert rule_sets.stored(fresh.services) == 1


def test_nothing_changed_is_nothing_to_publish(fresh: World, admin: FlaskClient) -> None:
    fresh.register(ENGINE)
    assert "<button disabled>Put these rules in force" in admin.get("/what-if").text
    visitor = client_over(fresh.services).get("/what-if").text
    assert "publish-form" not in visitor
    assert 'id="publish" disabled' in visitor


def test_on_google_cloud_who_signed_in_may_try_rules(fresh: World, text: str) -> None:
    fresh.register(ENGINE)
    settings = fresh.services.settings.model_copy(update={"backend": "gcp"})
    client = client_over(replace(fresh.services, settings=settings))
    assert "takes an API key" in client.get("/what-if").text
    client.post("/sign-in", data={"key": text}, base_url="https://localhost")
    page = client.get("/what-if?points.COMMIT=40", base_url="https://localhost").text
    assert "Put them in force" in page
    assert "takes an API key" not in page


def test_the_page_is_whole_for_everybody(fresh: World, admin: FlaskClient) -> None:
    keys.create(fresh.services, SYSTEM, '"><script>alert(1)</script>', Role.USER)
    for client in (admin, client_over(fresh.services)):
        page = Balanced(client.get("/settings").text)
        assert page.open == []
        assert page.inline == []
        assert len(set(page.ids)) == len(page.ids)
