"""Signing in with GitHub: a stand-in for its web flow, and the session of a key."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient

from shared import keys, personal_data, pseudonyms, sign_in
from shared.audit import trail
from shared.auth import Role
from shared.context import SYSTEM, Services
from shared.errors import NotFound
from tests.functions.conftest import World
from tests.support.counted_documents import CountedDocuments
from tests.support.dashboard_world import client_over
from tests.support.github_oauth import ACCOUNT, OAuth, oauth_server

HTTPS = "https://localhost"


@pytest.fixture
def world(make_world: Callable[[], World]) -> World:
    return make_world()


@pytest.fixture
def oauth() -> Iterator[OAuth]:
    with oauth_server() as server:
        yield server


@pytest.fixture
def services(world: World, oauth: OAuth) -> Services:
    return replace(world.services, sign_in=oauth.flow())


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return client_over(services)


@pytest.fixture
def key(services: Services) -> str:
    """The id of an admin's key, for which the account stands."""
    made = keys.create(services, SYSTEM, "octocat's", Role.ADMIN).key.id
    sign_in.attach(services, SYSTEM, made, ACCOUNT)
    return made


def sent_to_github(client: FlaskClient, oauth: OAuth, back: str = "/costs") -> dict[str, str]:
    """Begin, and have GitHub know a code. What GitHub sends the browser back with."""
    answer = client.get("/sign-in/github", query_string={"back": back}, base_url=HTTPS)
    assert answer.status_code == 303
    there = urlsplit(answer.location)
    assert f"{there.scheme}://{there.netloc}" == oauth.url
    asked = {name: values[0] for name, values in parse_qs(there.query).items()}
    assert asked["client_id"] == "client"
    oauth.codes["a-code"] = asked["code_challenge"]
    return {"code": "a-code", "state": asked["state"]}


def come_back(client: FlaskClient, given: dict[str, str]) -> Any:
    return client.get("/sign-in/github/back", query_string=given, base_url=HTTPS)


@pytest.mark.usefixtures("key")
def test_an_account_that_stands_for_a_key_gets_its_session(
    client: FlaskClient, oauth: OAuth, services: Services
) -> None:
    answer = come_back(client, sent_to_github(client, oauth))
    assert answer.status_code == 200
    assert re.search(r'http-equiv="refresh" content="0; url=/costs"', answer.text)
    page = client.get("/settings", base_url=HTTPS).text
    assert "Signed in with an admin" in page
    records = [document.fields for document in trail(services).documents]
    assert "key.attached" in {record["action"] for record in records}
    assert str(ACCOUNT) not in json.dumps(records)


def test_an_account_that_stands_for_none_is_told_so(client: FlaskClient, oauth: OAuth) -> None:
    answer = come_back(client, sent_to_github(client, oauth))
    assert answer.status_code == 401
    assert "stands for no key" in answer.text
    assert "Signed in" not in client.get("/settings", base_url=HTTPS).text


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("given", [{"state": "another"}, {"state": ""}, {"code": "another"}])
def test_another_state_or_code_signs_nobody_in(
    client: FlaskClient, oauth: OAuth, given: dict[str, str]
) -> None:
    answer = come_back(client, {**sent_to_github(client, oauth), **given})
    assert answer.status_code == 401
    assert "Signed in" not in client.get("/settings", base_url=HTTPS).text


@pytest.mark.usefixtures("key")
def test_who_was_not_sent_away_by_us_or_took_too_long_is_not_let_in(
    client: FlaskClient, oauth: OAuth, services: Services, world: World
) -> None:
    given = sent_to_github(client, oauth)
    assert come_back(client_over(services), given).status_code == 401
    world.clock.advance(timedelta(minutes=11))
    assert come_back(client, given).status_code == 401


@pytest.mark.usefixtures("key")
def test_a_session_reads_three_documents_more(oauth: OAuth, services: Services) -> None:
    counted = CountedDocuments(services.documents)
    client = client_over(replace(services, documents=counted))
    come_back(client, sent_to_github(client, oauth))
    client.application.extensions.pop("dashboard_session_secret")  # as in a new process
    before = counted.done.reads
    assert "Sign out" in client.get("/sign-in", base_url=HTTPS).text
    assert counted.done.reads - before == 3


def test_a_session_ends_when_the_account_or_the_key_does(
    client: FlaskClient, oauth: OAuth, services: Services, key: str
) -> None:
    come_back(client, sent_to_github(client, oauth))
    sign_in.detach(services, SYSTEM, ACCOUNT)
    assert "Signed in" not in client.get("/settings", base_url=HTTPS).text
    sign_in.attach(services, SYSTEM, key, ACCOUNT)
    come_back(client, sent_to_github(client, oauth))
    assert "Signed in" in client.get("/settings", base_url=HTTPS).text
    keys.revoke(services, SYSTEM, key)
    assert "Signed in" not in client.get("/settings", base_url=HTTPS).text


@pytest.mark.usefixtures("key")
def test_where_github_is_away_it_says_so(client: FlaskClient, oauth: OAuth) -> None:
    given = sent_to_github(client, oauth)
    oauth.failing = True
    assert come_back(client, given).status_code == 503


@pytest.mark.parametrize("back", ["//example.org/", "//["])
def test_the_way_back_leads_to_a_page_here(
    client: FlaskClient, oauth: OAuth, key: str, back: str
) -> None:
    assert key
    answer = come_back(client, sent_to_github(client, oauth, back=back))
    assert 'url=/settings"' in answer.text


def test_without_an_app_nothing_is_offered(world: World) -> None:
    client = client_over(world.services)
    assert "GitHub</a>" not in client.get("/sign-in").text.partition("<main")[2]
    assert client.get("/sign-in/github").status_code == 404
    assert client.get("/sign-in/github/back").status_code == 404


def test_admins_say_over_http_who_stands_for_which_key(world: World) -> None:
    admin = world.client(world.key(Role.ADMIN))
    first, second = (
        keys.create(world.services, SYSTEM, name, Role.USER).key.id for name in ("one", "two")
    )
    path = f"/api/v1/keys/{first}/accounts"
    assert admin.call("PUT", f"{path}/{ACCOUNT}").get_json()["data"] == [ACCOUNT]
    assert admin.call("PUT", f"{path}/{ACCOUNT}").get_json()["data"] == [ACCOUNT]
    assert admin.call("PUT", f"/api/v1/keys/{second}/accounts/{ACCOUNT}").status_code == 200
    assert admin.data(path) == []
    assert admin.delete(f"{path}/{ACCOUNT}").status_code == 404
    assert admin.delete(f"/api/v1/keys/{second}/accounts/{ACCOUNT}").get_json()["data"] == []
    assert admin.call("PUT", f"{path}/octocat").status_code == 400
    keys.revoke(world.services, SYSTEM, first)
    assert admin.call("PUT", f"{path}/{ACCOUNT}").status_code == 409
    assert admin.call("PUT", f"/api/v1/keys/0123abcd/accounts/{ACCOUNT}").status_code == 404


def test_who_is_removed_stands_for_no_key(services: Services, key: str) -> None:
    assert sign_in.of_person(services, [ACCOUNT])
    for _ in range(2):
        personal_data.remove_documents(services, [ACCOUNT])
    assert sign_in.attached(services, key) == []
    (record,) = trail(services, {"action": "key.detached", "resource_id": key}).documents
    assert record.fields["actor_id"] == "system"
    assert str(record.fields["old_value"]).startswith("{'account': 'person:")
    assert pseudonyms.mappings(services, ACCOUNT) == ()
    with pytest.raises(NotFound):
        sign_in.detach(services, SYSTEM, ACCOUNT)
