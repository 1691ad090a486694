"""Pipeline runs by API: started by hand or by a signed call, listed, shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from shared import webhooks
from shared.auth import Role
from shared.pipeline_runs import PipelineState
from tests.functions.conftest import World
from tests.support.apps import app_over
from tests.support.lines import ENGINE, WHEELS

RUNS = "/api/v1/pipeline/runs"
HOOK = "/api/v1/hooks/pipeline"
SECRET = "a secret of thirty-two letters.."


@pytest.fixture
def world(both: World) -> World:
    """Stale repositories, and a secret for signed calls."""
    settings = both.services.settings.model_copy(update={"webhook_secret": SECRET})
    services = replace(both.services, settings=settings)
    found = replace(both, services=services, app=app_over(lambda: services))
    found.clock.advance(timedelta(days=2))
    return found


def signed(world: World, body: bytes = b"", **changes: Any) -> TestResponse:
    """A call of the hook that is right but for the changes."""
    timestamp = str(changes.get("timestamp", int(world.clock().timestamp())))
    signature = webhooks.signature(changes.get("secret", SECRET), timestamp, body)
    headers = {
        webhooks.TIMESTAMP_HEADER: timestamp,
        webhooks.SIGNATURE_HEADER: changes.get("signature", signature),
    }
    sent = {name: value for name, value in headers.items() if name not in changes.get("left", ())}
    return world.client().call("POST", HOOK, headers=sent, data=changes.get("sent", body))


def test_an_admin_starts_a_run_and_sees_what_it_came_to(world: World) -> None:
    api = world.client(world.key(Role.ADMIN))
    answer = api.post(RUNS)
    assert answer.status_code == 202
    started = answer.get_json()
    assert started["meta"] == {"created": True}
    assert started["data"]["state"] == "CHECKING"
    assert (
        answer.headers["Location"] == started["links"]["run"] == f"{RUNS}/{started['data']['id']}"
    )
    again = api.post(RUNS).get_json()
    assert (again["meta"], again["data"]["id"]) == ({"created": False}, started["data"]["id"])
    world.work()
    world.work()
    shown = world.client().data(started["links"]["run"])
    assert shown["state"] == "COMPLETED"
    assert shown["summary"]["scraped"] == shown["summary"]["repositories"] == 2
    assert {share["name"]: share["state"] for share in shown["repositories"]} == {
        ENGINE.name: "COMPLETED",
        WHEELS.name: "COMPLETED",
    }
    assert set(shown["checks"].values()) == {"ok"}
    assert [run["id"] for run in world.client().data(RUNS)] == [shown["id"]]
    actions = [record["action"] for record in world.audited()]
    assert actions.count("pipeline.started") == actions.count("pipeline.completed") == 1


def test_runs_are_listed_newest_first_and_in_pieces(world: World) -> None:
    api = world.client(world.key(Role.ADMIN))
    ids = []
    for _ in range(3):
        ids.append(api.post(RUNS).get_json()["data"]["id"])
        world.work()
        world.work()
    first = api.get(f"{RUNS}?limit=2").get_json()
    rest = api.get(first["links"]["next"]).get_json()
    assert [run["id"] for run in first["data"] + rest["data"]] == ids[::-1]
    assert rest["links"]["next"] is None


@pytest.mark.parametrize(("role", "status"), [(None, 401), (Role.READONLY, 403), (Role.USER, 403)])
def test_nobody_else_starts_a_run_by_hand(world: World, role: Role | None, status: int) -> None:
    key = None if role is None else world.key(role)
    assert world.client(key).post(RUNS).status_code == status
    assert world.client().data(RUNS) == []


@pytest.mark.parametrize("run_id", ["nobody", "a%2Fb", "x" * 200, "..%00"])
def test_a_run_that_does_not_exist_is_not_found(world: World, run_id: str) -> None:
    assert world.client().get(f"{RUNS}/{run_id}").status_code == 404


# --- the signed call --------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b'{"any": "thing"}', "not JSON: \u00e9".encode()])
def test_a_signed_call_starts_a_run(world: World, body: bytes) -> None:
    answer = signed(world, body)
    assert answer.status_code == 202
    assert answer.get_json()["data"]["key"] == "webhook"
    (record,) = [r for r in world.audited() if r["action"] == "pipeline.started"]
    assert record["actor_id"] == "webhook"
    assert record["ip_address"] == "127.0.0.1"
    world.work()
    world.work()
    (run,) = world.client().data(RUNS)
    assert run["state"] == PipelineState.COMPLETED.value


def test_the_same_call_again_is_refused_while_the_run_goes_on_and_after(world: World) -> None:
    now = int(world.clock().timestamp())
    first = signed(world, timestamp=now).get_json()["data"]["id"]
    again = signed(world, timestamp=now)
    assert again.status_code == 409
    assert again.get_json()["details"] == {"run": first}
    world.work()
    assert signed(world, timestamp=now).status_code == 409
    assert len(world.client().data(RUNS)) == 1


def test_another_call_while_a_run_goes_on_finds_that_run(world: World) -> None:
    first = signed(world, b"1").get_json()
    second = signed(world, b"2").get_json()
    assert second["meta"] == {"created": False}
    assert second["data"]["id"] == first["data"]["id"]
    assert signed(world, b"2").status_code == 409


REFUSED: dict[str, Callable[[World], TestResponse]] = {
    "unsigned": lambda w: signed(w, left=(webhooks.SIGNATURE_HEADER,)),
    "without a time": lambda w: signed(w, left=(webhooks.TIMESTAMP_HEADER,)),
    "signed with another secret": lambda w: signed(w, secret="something else altogether"),
    "of another body": lambda w: signed(w, b"this", sent=b"that"),
    "of another time": lambda w: signed(w, signature=webhooks.signature(SECRET, "1", b"")),
    "too old": lambda w: signed(w, timestamp=int(w.clock().timestamp()) - 301),
    "from the future": lambda w: signed(w, timestamp=int(w.clock().timestamp()) + 301),
    "with a time that is none": lambda w: signed(w, timestamp="soon"),
    "with a negative time": lambda w: signed(w, timestamp="-1"),
    "with other digits": lambda w: signed(
        w, signature="sha256=\xb2", timestamp=int(w.clock().timestamp())
    ),
}


@pytest.mark.parametrize("how", REFUSED.values(), ids=REFUSED)
def test_a_call_that_is_not_right_is_refused_and_on_the_audit_trail(
    world: World, how: Callable[[World], TestResponse]
) -> None:
    answer = how(world)
    assert answer.status_code == 403
    assert SECRET not in answer.text
    assert world.client().data(RUNS) == []
    (record,) = [r for r in world.audited() if r["action"] == "webhook.refused"]
    assert SECRET not in json.dumps(record)


@pytest.mark.parametrize("off", [-299, 299])
def test_clocks_may_differ_by_five_minutes(world: World, off: int) -> None:
    assert signed(world, timestamp=int(world.clock().timestamp()) + off).status_code == 202


def test_without_a_secret_there_is_no_such_address(fresh: World) -> None:
    assert signed(fresh).status_code == 404
    assert [r for r in fresh.audited() if r["action"].startswith("webhook")] == []  # type: ignore[attr-defined]


def test_the_description_names_the_headers(world: World) -> None:
    paths = world.client().description["paths"]
    names = {p["name"] for p in paths[HOOK]["post"]["parameters"] if p["in"] == "header"}
    assert names == {webhooks.TIMESTAMP_HEADER, webhooks.SIGNATURE_HEADER}
