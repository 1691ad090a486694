"""What is on the audit trail: jobs, boards, defects, keys, attempts to get in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared import audit, job_steps, repositories
from shared.audit_records import CHANGES, OTHERS
from shared.auth import Role
from shared.context import SYSTEM
from shared.jobs import Job
from tests.functions.conftest import World
from tests.support.lines import ENGINE
from tests.support.scenario import name_of


def actions(world: World) -> list[str]:
    return [str(record["action"]) for record in world.audited()]


def test_jobs_and_boards_are_on_the_trail_from_beginning_to_end(engine: World) -> None:
    told = actions(engine)
    assert told.count("job.started") == told.count("job.completed") == 2
    boards = [r for r in engine.audited() if r["action"] == "leaderboard.recalculated"]
    assert [r["resource_id"] for r in boards] == ["octo/engine", "global"]
    assert all(isinstance(r["new_value"], dict) and r["new_value"]["boards"] for r in boards)


def test_a_step_that_breaks_is_on_the_trail_and_so_is_the_job_that_fails(fresh: World) -> None:
    job = repositories.register(fresh.services, name_of(ENGINE), SYSTEM).job
    assert job is not None

    def breaks(_: Job) -> Any:
        raise RuntimeError("secret words")

    job_steps.run(fresh.services, job.id, job.dispatches, "delivery", breaks)
    (failed,) = [r for r in fresh.audited() if r["action"] == "job.failed"]
    assert failed["severity"] == "high"
    assert "secret words" not in str(failed)


def test_a_defect_in_a_request_is_on_the_trail_by_its_kind(
    fresh: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("secret words")

    monkeypatch.setattr("shared.keys.listed", breaks)
    admin = fresh.client(fresh.key(Role.ADMIN))
    assert admin.get("/api/v1/keys", headers={"X-Request-ID": "mine"}).status_code == 500
    (record,) = [r for r in fresh.audited() if r["action"] == "error.in_request"]
    assert (record["resource_id"], record["severity"]) == ("GET /api/v1/keys", "high")
    assert (record["request_id"], record["description"]) == ("mine", "RuntimeError")
    assert str(record["actor_id"]).startswith("key:")
    assert "secret words" not in str(record)


def test_more_than_five_failures_of_an_address_are_told_of_once(fresh: World) -> None:
    for _ in range(7):
        fresh.client("lb_0000aaaa_" + "x" * 43).get("/api/v1/keys")
    told = [r for r in fresh.audited() if r["action"] == "auth.many_failures"]
    assert [(r["resource_type"], r["severity"]) for r in told] == [("address", "high")]


def test_the_use_of_a_key_is_on_the_trail_once_in_ten_minutes(fresh: World) -> None:
    reader = fresh.client(fresh.key(Role.READONLY))
    for _ in range(3):
        reader.get("/api/v1/repositories")
    assert actions(fresh).count("auth.key_used") == 1
    fresh.clock.advance(timedelta(minutes=11))
    reader.get("/api/v1/repositories")
    used = [r for r in fresh.audited() if r["action"] == "auth.key_used"]
    assert len(used) == 2
    assert used[0]["actor_id"] == f"key:{used[0]['resource_id']}"
    assert used[0]["ip_address"] == "127.0.0.1"


def test_categories_are_changes_or_others_and_no_other_is_taken(fresh: World) -> None:
    assert not set(CHANGES) & set(OTHERS)
    with pytest.raises(ValueError, match="neither"):
        audit.record(fresh.services, SYSTEM, "surprise.made", ("x", "y"), "z")
