"""The audit trail over HTTP: queries, reports, the check of its seals."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from shared import audit, audit_seals, budget_config
from shared.auth import Role
from shared.context import SYSTEM, Caller
from shared.limits import Overrides
from shared.ports import Write
from tests.functions.conftest import World
from tests.support.api_client import ApiClient
from tests.support.lines import ENGINE
from tests.support.scenario import everything

SOMEBODY = Caller("key:0a0a0a0a", "user", "203.0.113.9", "curl", "request-1")
OTHER = Caller("key:0b0b0b0b", "admin", "203.0.113.7")
FORMULA = '=HYPERLINK("http://evil")'


@pytest.fixture(scope="module")
def world(make_world: Callable[[], World]) -> World:
    """A trail of three days."""
    world = make_world()
    services = world.services

    def told(
        caller: Caller, action: str, resource: tuple[str, str], text: str, **more: Any
    ) -> None:
        services.documents.write([audit.record(services, caller, action, resource, text, **more)])
        world.clock.advance(timedelta(minutes=1))

    told(SYSTEM, "key.created", ("key", "0a0a0a0a"), "First admin key made")
    for _ in range(3):
        told(SOMEBODY, "auth.refused", ("key", "unknown"), "Unknown API key")
    world.clock.advance(timedelta(days=1))
    told(OTHER, "config.changed", ("rules", "2"), FORMULA, old={"a": 1}, new={"a": [1, 2]})
    told(OTHER, "auth.accepted", ("key", "0b0b0b0b"), "Admin key let in")
    told(OTHER, "auth.accepted", ("key", "0b0b0b0b"), "Admin key let in")
    budget_config.change(services, OTHER, Overrides(daily_usd=8), seen=None)
    world.clock.advance(timedelta(days=1))
    told(SOMEBODY, "job.cancelled", ("job", "1"), "cancelled")
    told(SYSTEM, "job.completed", ("job", "2"), "completed")
    told(SOMEBODY, "repository.registered", ("repository", "octo/engine"), "registered")
    return world


@pytest.fixture(scope="module")
def admin(world: World) -> ApiClient:
    return world.client(world.key(Role.ADMIN))


def asked(admin: ApiClient, address: str) -> Any:
    answer = admin.get(f"/api/v1/audit{address}")
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def span(world: World, back: int) -> str:
    """From so many days before today up to and with today."""
    today = world.clock().date()
    return f"start={today - timedelta(days=back)}&end={today + timedelta(days=1)}"


# --- queries --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "actions"),
    [
        ("actor=key:0a0a0a0a", ["repository.registered", "job.cancelled", *["auth.refused"] * 3]),
        ("resource_type=rules", ["config.changed"]),
        ("resource_id=octo/engine", ["repository.registered"]),
        ("action=auth.refused", ["auth.refused"] * 3),
        ("category=config", ["config.changed"] * 2),
        ("severity=medium&actor=key:0a0a0a0a", ["auth.refused"] * 3),
        ("actor=key:0b0b0b0b&action=config.changed&resource_type=budget", ["config.changed"]),
        ("actor=nobody", []),
    ],
)
def test_records_are_found_by_who_what_and_how_bad(
    admin: ApiClient, condition: str, actions: list[str]
) -> None:
    found = asked(admin, f"?{condition}")["data"]
    assert [record["action"] for record in found] == actions


def test_records_are_found_by_time(world: World, admin: ApiClient) -> None:
    days = [world.clock() - timedelta(days=back) for back in (1, 0)]
    start, end = (day.date() for day in days)
    found = asked(admin, f"?start={start}&end={end}&actor=key:0b0b0b0b")["data"]
    assert {record["timestamp"][:10] for record in found} == {str(start)}
    assert len(found) == 4
    assert asked(admin, "?end=2001-01-01")["data"] == []
    backwards = admin.get("/api/v1/audit?start=2025-03-02&end=2025-03-01")
    assert backwards.status_code == 400


def test_a_record_has_every_field_of_the_requirements(admin: ApiClient) -> None:
    (record,) = asked(admin, "?resource_type=rules")["data"]
    assert record | {"id": "", "timestamp": "", "seal": None} == {
        "id": "",
        "timestamp": "",
        "actor_id": "key:0b0b0b0b",
        "actor_type": "admin",
        "action": "config.changed",
        "category": "config",
        "severity": "low",
        "resource_type": "rules",
        "resource_id": "2",
        "description": FORMULA,
        "old_value": {"a": 1},
        "new_value": {"a": [1, 2]},
        "ip_address": "203.0.113.7",
        "user_agent": None,
        "request_id": None,
        "seal": None,
        "damaged": [],
    }


DAMAGE: Mapping[str, tuple[Callable[[dict[str, Any]], Any], list[str], dict[str, Any]]] = {
    # What is done to its fields, which of them the answer names, and how they are shown.
    "a lost text": (lambda f: f.pop("actor_id"), ["actor_id"], {"actor_id": ""}),
    "a lost value": (lambda f: f.pop("new_value"), ["new_value"], {"new_value": None}),
    "two": (
        lambda f: [f.pop(name) for name in ("severity", "seal")],
        ["seal", "severity"],
        {"seal": None, "severity": "low"},
    ),
    "another type": (
        lambda f: f.update(description=[7], ip_address=7),
        ["description", "ip_address"],
        {"description": "[7]", "ip_address": None},
    ),
    "no severity": (lambda f: f.update(severity="x"), ["severity"], {"severity": "low"}),
    "no time": (lambda f: f.update(timestamp="2001"), ["timestamp"], {"timestamp": "2001"}),
}  # fmt: skip


@pytest.mark.parametrize("how", DAMAGE)
def test_a_sealed_record_that_lost_something_is_shown_and_marked(fresh: World, how: str) -> None:
    admin = fresh.client(fresh.key(Role.ADMIN))
    fresh.register(ENGINE)
    audit_seals.seal(fresh.services)
    *_, record = everything(fresh.services, "audit")
    fields = dict(record.fields)
    damage, damaged, shown = DAMAGE[how]
    damage(fields)
    fresh.services.documents.write([Write(record.path, fields)])
    (found,) = [r for r in asked(admin, "?limit=100")["data"] if r["id"] == record.id]
    assert found["damaged"] == damaged
    assert {name: found[name] for name in shown} == shown
    for name in ("access", "changes", "security"):
        asked(admin, f"/reports/{name}?{span(fresh, 1)}")


def test_pages_follow_each_other_without_a_gap(admin: ApiClient) -> None:
    whole = [r["id"] for r in asked(admin, "?category=auth&severity=medium")["data"]]
    address, found = "/api/v1/audit?category=auth&severity=medium&limit=2", []
    while address:
        page = admin.get(address).get_json()
        found += [record["id"] for record in page["data"]]
        address = page["links"]["next"]
    assert found == whole
    assert len(found) == 3
    foreign = admin.get("/api/v1/audit?cursor=bm9uZQ==")
    assert (foreign.status_code, foreign.get_json()["details"]["field"]) == (400, "cursor")


# --- reports --------------------------------------------------------------------------------------


def test_the_report_on_access_says_who_was_let_in_for_what_how_often(
    world: World, admin: ApiClient
) -> None:
    report = asked(admin, f"/reports/access?{span(world, 2)}")
    (row,) = [r for r in report["data"] if r["actor_id"] == "key:0b0b0b0b"]
    assert (row["action"], row["times"], row["ip_addresses"]) == (
        "auth.accepted", 2, ["203.0.113.7"],
    )  # fmt: skip
    assert row["first_at"] < row["last_at"]
    assert {r["action"] for r in report["data"]} <= {"auth.accepted", "auth.key_used"}
    assert report["meta"]["rows"] == len(report["data"])


def test_the_report_on_changes_has_old_and_new_values(world: World, admin: ApiClient) -> None:
    found = asked(admin, f"/reports/changes?{span(world, 2)}")["data"]
    assert [row["action"] for row in found] == [
        "repository.registered", "job.cancelled", "config.changed", "config.changed", "key.created",
    ]  # fmt: skip
    assert found[3]["new_value"] == {"a": [1, 2]}
    assert found[0]["request_id"] == "request-1"


def test_the_report_on_security_adds_up_failed_attempts_by_address(
    world: World, admin: ApiClient
) -> None:
    found = asked(admin, f"/reports/security?{span(world, 2)}")["data"]
    refused, made = found
    assert (refused["action"], refused["times"], refused["ip_address"]) == (
        "auth.refused", 3, "203.0.113.9",
    )  # fmt: skip
    assert (refused["severity"], made["action"]) == ("medium", "key.created")


def test_the_report_on_security_tells_who_came_to_stand_for_a_key(fresh: World) -> None:
    admin = fresh.client(fresh.key(Role.ADMIN))
    for action in ("key.attached", "key.detached"):
        record = audit.record(fresh.services, OTHER, action, ("key", "0c0c0c0c"), "An account")
        fresh.services.documents.write([record])
    found = asked(admin, "/reports/security")["data"]
    assert {"key.attached", "key.detached"} <= {row["action"] for row in found}


def test_the_report_on_costs_has_every_day_and_what_was_done_about_the_budget(
    world: World, admin: ApiClient
) -> None:
    found = asked(admin, f"/reports/costs?{span(world, 2)}")["data"]
    assert [row["limits_changed"] for row in found] == [0, 1, 0]
    assert [row["usd"] for row in found] == [0, 0, 0]


def test_a_report_as_csv_holds_the_same_and_no_formula(world: World, admin: ApiClient) -> None:
    for name in ("access", "changes", "security", "costs"):
        address = f"/reports/{name}?{span(world, 2)}"
        rows = asked(admin, address)["data"]
        answer = admin.get(f"/api/v1/audit{address}&format=csv")
        assert answer.mimetype == "text/csv"
        assert f"audit-{name}-" in answer.headers["Content-Disposition"]
        told = list(csv.DictReader(io.StringIO(answer.text)))
        assert list(told[0]) == list(rows[0])
        # The question for the first was itself let in, and is on the trail by the second.
        assert len(told) == len(rows)
    changed = admin.get(f"/api/v1/audit/reports/changes?{span(world, 2)}&format=csv").text
    (row,) = [r for r in csv.DictReader(io.StringIO(changed)) if r["resource_type"] == "rules"]
    assert row["description"] == f"'{FORMULA}"
    assert row["new_value"] == '{"a": [1, 2]}'


def test_a_report_without_days_is_of_the_last_thirty(world: World, admin: ApiClient) -> None:
    meta = asked(admin, "/reports/changes")["meta"]
    today = world.clock().date()
    assert (meta["start"], meta["end"]) == (
        str(today - timedelta(days=29)),
        str(today + timedelta(days=1)),
    )


@pytest.mark.parametrize(
    "wrong",
    ["start=2025-03-01", "end=2025-03-01", "start=2025-03-02&end=2025-03-01", "format=xlsx",
     "start=2020-01-01&end=2025-01-01"],
)  # fmt: skip
def test_half_a_span_or_too_long_a_one_is_refused(admin: ApiClient, wrong: str) -> None:
    for name in ("access", "changes", "security", "costs"):
        assert admin.get(f"/api/v1/audit/reports/{name}?{wrong}").status_code == 400


def test_a_report_that_would_have_to_leave_something_out_is_refused(
    world: World, admin: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.audit_reports.MOST_RECORDS", 2)
    answer = admin.get(f"/api/v1/audit/reports/security?{span(world, 2)}")
    assert answer.status_code == 400
    assert "fewer days" in answer.get_json()["message"]


# --- the check ------------------------------------------------------------------------------------


def walked(admin: ApiClient) -> list[Any]:
    """All slices of the check."""
    address, slices = "/api/v1/audit/integrity", []
    while address:
        answer = admin.get(address)
        assert answer.status_code == 200, answer.text
        slices.append(answer.get_json()["data"])
        address = answer.get_json()["links"]["next"]
    return slices


def test_the_check_is_walked_by_its_links_and_names_what_was_tampered_with(
    fresh: World,
) -> None:
    admin = fresh.client(fresh.key(Role.ADMIN))
    fresh.register(ENGINE)
    audit_seals.seal(fresh.services)
    before = walked(admin)
    assert all(slice_["intact"] for slice_ in before)
    assert before[0]["last_seal"] == 1
    assert before[0]["records"] > 3
    record, *_ = everything(fresh.services, "audit")
    fresh.services.documents.write([Write(record.path, {**record.fields, "actor_id": "nobody"})])
    first, *_ = walked(admin)
    assert not first["intact"]
    assert first["fault"] == {"record": record.id, "what": "changed", "seal": 1}
    fresh.services.documents.write([Write("audit_seals/1", None)])
    first, *_ = walked(admin)
    assert first["broken_seal"] == {"seal": 1, "what": "missing"}
