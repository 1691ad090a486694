"""Keys through the API: shown once, replaced, revoked, and every refusal on the trail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared import auth, keys, notices
from shared.auth import Role
from shared.context import SYSTEM, Caller, Services
from shared.errors import Conflict, RetryLater, Unauthenticated
from shared.models import iso
from shared.ports import Write
from shared.settings import Settings
from tests.functions.conftest import World
from tests.support.api_client import ApiClient
from tests.support.apps import app_over
from tests.support.counted_documents import CountedDocuments
from tests.support.scenario import everything

KEYS = "/api/v1/keys"
PRIVATE = "/api/v1/keys"
REFUSED = "This API key is not known. Send a valid one as X-API-Key."


@pytest.fixture
def fresh(make_world: Callable[[], World]) -> World:
    """Nothing ingested: keys need no events."""
    return make_world()


def make(world: World, **body: Any) -> tuple[str, dict[str, Any]]:
    answer = world.client(world.key(Role.ADMIN)).post(KEYS, {"name": "CI", **body})
    assert answer.status_code == 201, answer.text
    data = answer.get_json()["data"]
    assert answer.headers["Location"] == f"{KEYS}/{data['about']['id']}"
    assert answer.headers["Cache-Control"] == "no-store"
    return data["key"], data["about"]


def refusals(world: World) -> list[Any]:
    return [e["description"] for e in world.audited() if e["action"] == "auth.refused"]


def test_a_key_is_shown_once_and_stored_as_a_hash(fresh: World) -> None:
    text, about = make(fresh, role="readonly")
    assert about["scopes"] == ["read:leaderboard"]
    secret = text.split("_", 2)[2]
    for collection in ("keys", "audit"):
        assert secret not in str([d.fields for d in everything(fresh.services, collection)])
    admin = fresh.client(fresh.key(Role.ADMIN))
    shown = [admin.get(KEYS), admin.get(f"{KEYS}/{about['id']}")]
    for answer in shown:
        assert answer.status_code == 200
        assert about["id"] in answer.text
        assert secret not in answer.text
        assert "hash" not in answer.text
    found = auth.authenticate(fresh.services, text, SYSTEM)
    assert found == auth.Key(about["id"], Role.READONLY, ("read:leaderboard",))


def test_making_replacing_and_revoking_are_on_the_trail(fresh: World) -> None:
    _, about = make(fresh)
    admin = fresh.client(fresh.key(Role.ADMIN))
    admin.post(f"{KEYS}/{about['id']}/rotate")
    admin.delete(f"{KEYS}/{about['id']}")
    admin.delete(f"{KEYS}/{about['id']}")
    entries = [e for e in fresh.audited() if e["category"] == "key"]
    assert [e["action"] for e in entries] == ["key.created", "key.rotated", "key.revoked"]
    assert {e["resource_id"] for e in entries} == {about["id"]}
    assert all(str(e["actor_id"]).startswith("key:") for e in entries)
    assert entries[0]["new_value"]["scopes"] == ["read:leaderboard", "write:repository"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "x", "role": "root"}, "role"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["all"]}, "scopes.0"),
        ({"name": "x", "scopes": ["admin:*"]}, "scopes"),
        ({"name": "x", "role": "readonly", "scopes": ["write:repository"]}, "scopes"),
        ({"name": "x", "expires_at": "2025-03-20T11:59:59Z"}, "expires_at"),
        ({"name": "x", "expires_at": "tomorrow"}, "expires_at"),
        ({"role": "user"}, "name"),
        ({"name": "x", "key": "lb_00000000_mine"}, "key"),
    ],
)
def test_a_key_that_cannot_be_is_refused_and_nothing_stored(
    fresh: World, body: dict[str, Any], field: str
) -> None:
    admin = fresh.client(fresh.key(Role.ADMIN))
    answer = admin.post(KEYS, body)
    assert answer.status_code == 400, answer.text
    assert answer.get_json()["details"]["field"] == field
    assert len(list(everything(fresh.services, "keys"))) == 1


def test_a_key_may_have_fewer_scopes_than_its_role(fresh: World) -> None:
    text, _ = make(fresh, role="admin", scopes=["write:repository", "write:repository"])
    client = fresh.client(text)
    assert client.get(KEYS).status_code == 403
    body = {"repository": "octo/engine"}
    assert client.post("/api/v1/repositories", body).status_code == 201


def test_a_replaced_key_ends_at_once_or_after_its_grace(fresh: World) -> None:
    admin = fresh.client(fresh.key(Role.ADMIN))
    first, about = make(fresh, role="admin")
    rotate = f"{KEYS}/{about['id']}/rotate"

    second = admin.post(f"{rotate}?grace_minutes=60").get_json()["data"]
    third = admin.post(f"{rotate}?grace_minutes=60").get_json()["data"]["key"]
    assert second["about"]["former_until"] == iso(fresh.clock() + timedelta(hours=1))
    for text in (first, second["key"], third):
        assert fresh.client(text).get(PRIVATE).status_code == 200
    fresh.clock.advance(timedelta(hours=1))
    for text in (first, second["key"]):
        assert fresh.client(text).get(PRIVATE).status_code == 401
    assert fresh.client(third).get(PRIVATE).status_code == 200

    last = admin.post(f"{rotate}?grace_minutes=0").get_json()["data"]
    assert last["about"]["former_until"] is None
    assert fresh.client(third).get(PRIVATE).status_code == 401
    assert fresh.client(last["key"]).get(PRIVATE).status_code == 200


def test_a_replacement_at_once_also_ends_what_still_had_a_grace(fresh: World) -> None:
    first, about = make(fresh, role="admin")
    keys.rotate(fresh.services, SYSTEM, about["id"], timedelta(hours=1))
    keys.rotate(fresh.services, SYSTEM, about["id"])
    assert fresh.client(first).get(PRIVATE).status_code == 401


def test_the_caller_hears_the_same_for_every_wrong_key_and_the_trail_says_which(
    fresh: World,
) -> None:
    expiring, about = make(fresh, role="admin", expires_at="2025-03-20T12:30:00Z")
    assert about["state"] == "active"
    ended, gone = make(fresh)
    assert fresh.client(expiring).get(PRIVATE).status_code == 200
    keys.revoke(fresh.services, SYSTEM, gone["id"])
    fresh.clock.advance(timedelta(minutes=30))
    wrong = f"lb_{about['id']}_{'x' * 43}"
    told = set()
    for text in (expiring, ended, wrong, f"lb_00000000_{'x' * 43}", "nonsense"):
        answer = fresh.client(text).get(PRIVATE)
        assert answer.status_code == 401
        told.add(answer.get_json()["message"])
    assert told == {REFUSED}
    assert refusals(fresh) == [
        "Expired API key",
        "Revoked API key",
        "API key with a wrong secret, or one that was replaced",
        "Unknown API key",
        "Malformed API key",
    ]


def test_an_ended_key_is_not_replaced(fresh: World) -> None:
    _, about = make(fresh)
    keys.revoke(fresh.services, SYSTEM, about["id"])
    with pytest.raises(Conflict, match="revoked"):
        keys.rotate(fresh.services, SYSTEM, about["id"])


@pytest.mark.parametrize("id_", ["00000000", "..%2f..", "__all__", "x" * 300, "%F0%9F%98%80"])
def test_there_is_no_such_key(fresh: World, id_: str) -> None:
    admin = fresh.client(fresh.key(Role.ADMIN))
    assert admin.get(f"{KEYS}/{id_}").status_code == 404
    assert admin.delete(f"{KEYS}/{id_}").status_code == 404
    assert admin.post(f"{KEYS}/{id_}/rotate").status_code == 404


def test_the_list_goes_on_at_a_cursor(fresh: World) -> None:
    admin = fresh.client(fresh.key(Role.ADMIN))
    for number in range(4):
        keys.create(fresh.services, SYSTEM, f"key {number}", Role.USER)
    seen: list[str] = []
    address: str | None = f"{KEYS}?limit=2"
    while address is not None:
        body = admin.get(address).get_json()
        seen += [key["id"] for key in body["data"]]
        address = body["links"]["next"]
    assert len(seen) == len(set(seen)) == 5


def test_a_use_is_noted_once_in_ten_minutes_so_that_reading_writes_nothing(fresh: World) -> None:
    text, about = make(fresh, role="readonly")
    documents = CountedDocuments(fresh.services.documents)
    services = replace(fresh.services, documents=documents)
    client = ApiClient(app_over(lambda: services), text)
    client.get("/api/v1/config/scoring")
    first = fresh.clock()
    assert keys.get(services, about["id"]).last_used_at == iso(first)
    written = documents.done.writes
    for minutes in (5, 9):
        fresh.clock.now = first + timedelta(minutes=minutes)
        client.get("/api/v1/config/scoring")
    assert documents.done.writes == written
    fresh.clock.now = first + timedelta(minutes=10)
    client.get("/api/v1/config/scoring")
    assert keys.get(services, about["id"]).last_used_at == iso(fresh.clock())


@pytest.mark.parametrize("error", [Conflict("changed"), RetryLater("busy")])
def test_a_use_that_cannot_be_noted_fails_no_request(fresh: World, error: Exception) -> None:
    text, _ = make(fresh)

    class ReadOnly:
        get = fresh.services.documents.get

        def write(self, _writes: object) -> None:
            raise error

    services = replace(fresh.services, documents=ReadOnly())  # type: ignore[arg-type]
    assert auth.authenticate(services, text, SYSTEM)


def test_noting_a_use_never_brings_a_revoked_key_back(fresh: World) -> None:
    text, about = make(fresh)
    documents = fresh.services.documents

    class Overtaken:
        """Revokes the key between its being read and its use being noted."""

        get = documents.get
        transact = documents.transact

        def write(self, writes: list[Write]) -> None:
            keys.revoke(fresh.services, SYSTEM, about["id"])
            documents.write(writes)

    services = replace(fresh.services, documents=Overtaken())  # type: ignore[arg-type]
    auth.authenticate(services, text, SYSTEM)
    assert keys.get(fresh.services, about["id"]).state == "revoked"


def test_what_admins_are_let_in_for_is_on_the_trail(fresh: World) -> None:
    key = fresh.key(Role.ADMIN)
    fresh.client(key).get(KEYS, headers={"X-Request-ID": "find-me"})
    (entry,) = [e for e in fresh.audited() if e["action"] == "auth.accepted"]
    assert (entry["resource_id"], entry["request_id"]) == (key.split("_")[1], "find-me")
    assert entry["actor_type"] == "admin"


# --- many failures --------------------------------------------------------------------------------

ELSEWHERE = {"REMOTE_ADDR": "203.0.113.9"}


class Receiver:
    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.fails = False
        self.services: Services | None = None

    def told(self) -> list[bytes]:
        """What has arrived when the sweep has come by."""
        assert self.services is not None
        notices.sweep(self.services)
        return self.bodies

    def post(self, _url: str, body: bytes, _headers: object) -> None:
        if self.fails:
            raise RetryLater("no answer")
        self.bodies.append(body)


def told_of(world: World) -> tuple[ApiClient, Receiver]:
    """An API whose failures are sent to a receiver."""
    receiver = Receiver()
    settings = Settings.model_validate(
        {
            **world.services.settings.model_dump(),
            "notify_webhook_url": "https://example.org/",
            "notify_webhook_secret": "sixteen letters and more",
        }
    )
    services = receiver.services = replace(world.services, settings=settings, outward=receiver)
    return ApiClient(app_over(lambda: services)), receiver


def fail(client: ApiClient, times: int, key: str = "wrong", **environ: str) -> None:
    for _ in range(times):
        client.get(
            "/api/v1/config/scoring",
            headers={"X-API-Key": key},
            environ_base={**ELSEWHERE, **environ},
        )


def test_more_than_five_failures_of_an_address_in_ten_minutes_are_told_once(fresh: World) -> None:
    client, receiver = told_of(fresh)
    with capture_logs() as logs:
        fail(client, 5)
        assert not [line for line in logs if line["event"] == "auth_failures"]
        fail(client, 3)
    (line,) = [line for line in logs if line["event"] == "auth_failures"]
    assert (line["log_level"], line["subject"], line["address"]) == (
        "warning", "address", ELSEWHERE["REMOTE_ADDR"],
    )  # fmt: skip
    assert len(receiver.told()) == 1
    assert len(refusals(fresh)) == 8
    fresh.clock.advance(timedelta(minutes=10))
    with capture_logs() as logs:
        fail(client, 6)
    assert len([line for line in logs if line["event"] == "auth_failures"]) == 1


def test_failures_ten_minutes_apart_are_not_told(fresh: World) -> None:
    client, receiver = told_of(fresh)
    for _ in range(4):
        fail(client, 2)
        fresh.clock.advance(timedelta(minutes=5))
    assert receiver.told() == []


def test_failures_of_one_key_count_from_wherever_they_come(fresh: World) -> None:
    client, receiver = told_of(fresh)
    _, about = make(fresh)
    wrong = f"lb_{about['id']}_{'x' * 43}"
    for number in range(6):
        fail(client, 1, wrong, REMOTE_ADDR=f"203.0.113.{number}")
    (body,) = receiver.told()
    assert about["id"].encode() in body
    assert wrong.encode() not in body


def test_a_receiver_that_fails_is_told_later_and_changes_no_answer(fresh: World) -> None:
    client, receiver = told_of(fresh)
    receiver.fails = True
    fail(client, 6)
    assert receiver.told() == []
    answer = client.get(PRIVATE, headers={"X-API-Key": "wrong"}, environ_base=ELSEWHERE)
    assert answer.status_code == 401
    receiver.fails = False
    fresh.clock.advance(timedelta(minutes=2))
    assert len(receiver.told()) == 1


def test_the_first_keys_caller_has_no_address_to_count(fresh: World) -> None:
    with pytest.raises(Unauthenticated):
        auth.authenticate(fresh.services, "wrong", Caller())
    assert list(everything(fresh.services, "auth_failures")) == []
