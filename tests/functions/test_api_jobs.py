"""What people do about jobs and dead letters over HTTP, and what a job cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared import job_steps, jobs
from shared.auth import Role
from shared.budget_books import Charge
from shared.errors import Rejected
from shared.jobs import Job, Stage, State
from shared.ports import Json, Usage, Write
from tests.functions.conftest import World
from tests.support.api_client import ApiClient
from tests.support.lines import ENGINE
from tests.support.operations_world import priced

LETTERS = "/api/v1/dead-letters"


@pytest.fixture
def admin(fresh: World) -> ApiClient:
    return fresh.client(fresh.key(Role.ADMIN))


def asked(world: World, admin: ApiClient) -> str:
    """The job of a registration, which nobody has begun."""
    body = admin.post("/api/v1/repositories", {"repository": ENGINE.name}).get_json()
    return str(body["data"]["job"]["id"])


def fail(world: World, job_id: str) -> None:
    def fails(_: Job) -> tuple[Stage | None, dict[str, Json]]:
        raise Rejected("It cannot be.")

    now = jobs.get(world.services, job_id)
    job_steps.run(world.services, job_id, now.dispatches, "once", fails)


def actions(world: World) -> list[object]:
    return [entry["action"] for entry in world.audited()]


def test_a_job_is_cancelled_once_and_retried_to_its_end(fresh: World, admin: ApiClient) -> None:
    id_ = asked(fresh, admin)
    for _ in range(2):
        answer = admin.post(f"/api/v1/jobs/{id_}/cancel")
        assert answer.status_code == 200
        assert answer.get_json()["data"]["state"] == "CANCELLED"
    assert actions(fresh).count("job.cancelled") == 1
    again = admin.post(f"/api/v1/jobs/{id_}/retry").get_json()["data"]
    assert (again["id"], again["state"]) == (id_, "QUEUED")
    fresh.work()
    assert admin.data(f"/api/v1/jobs/{id_}")["state"] == "COMPLETED"
    for way in ("cancel", "retry"):
        late = admin.post(f"/api/v1/jobs/{id_}/{way}")
        assert late.status_code == 409
        assert late.get_json()["error"] == "conflict"


def test_a_letter_is_retried_through_its_job(fresh: World, admin: ApiClient) -> None:
    id_ = asked(fresh, admin)
    fail(fresh, id_)
    (letter,) = admin.data(LETTERS)
    assert (letter["id"], letter["job"], letter["type"]) == (id_, id_, "full_scrape")
    assert letter["settled_at"] is None
    settled = admin.post(f"{LETTERS}/{id_}/retry").get_json()["data"]
    assert settled["settled_as"] == "retried"
    assert admin.data(LETTERS) == []
    assert admin.data(f"{LETTERS}/{id_}") == settled
    assert jobs.get(fresh.services, id_).state is State.QUEUED
    assert admin.post(f"{LETTERS}/{id_}/retry").status_code == 200
    assert actions(fresh).count("job.retried") == 1


def test_a_letter_is_discarded_once(fresh: World, admin: ApiClient) -> None:
    id_ = asked(fresh, admin)
    fail(fresh, id_)
    for _ in range(2):
        settled = admin.post(f"{LETTERS}/{id_}/discard").get_json()["data"]
        assert settled["settled_as"] == "discarded"
    assert actions(fresh).count("dead_letter.discarded") == 1
    assert jobs.get(fresh.services, id_).state is State.FAILED


def test_what_a_message_said_is_not_shown(fresh: World, admin: ApiClient) -> None:
    letter: dict[str, Json] = {
        "message_id": "17", "failed_at": "2025-03-20T00:00:00.000000Z",
        "reason": "undeliverable_event", "data": {"board": "octo/engine"}, "settled_at": None,
    }  # fmt: skip
    fresh.services.documents.write([Write("dead_letters/message-17", letter)])
    answer = fresh.client().get(f"{LETTERS}/message-17")
    assert answer.get_json()["data"]["reason"] == "undeliverable_event"
    assert answer.get_json()["data"]["job"] is None
    assert "octo/engine" not in answer.text


def test_letters_come_in_pages_newest_first(fresh: World, admin: ApiClient) -> None:
    for day in (1, 2, 3):
        at = f"2025-03-0{day}T00:00:00.000000Z"
        fields: dict[str, Json] = {"failed_at": at, "reason": "x", "settled_at": None}
        fresh.services.documents.write([Write(f"dead_letters/message-{day}", fields)])
    first = admin.get(f"{LETTERS}?limit=2").get_json()
    rest = admin.data(first["links"]["next"])
    assert [each["id"] for each in (*first["data"], *rest)] == [
        "message-3", "message-2", "message-1",
    ]  # fmt: skip
    assert admin.get(f"{LETTERS}?cursor=nonsense").status_code == 400


def test_a_job_says_what_its_runs_were_billed(fresh: World) -> None:
    fresh.services = priced(fresh.services, fresh.clock)
    kept = fresh.app.extensions["leaderboard"]
    fresh.app.extensions["leaderboard"] = replace(kept, services=lambda: fresh.services)
    api = fresh.client(fresh.key(Role.USER))
    id_ = asked(fresh, api)
    budget = fresh.services.budget
    for number, job in enumerate((id_, id_, "another"), start=1):
        run, size = f"run-{number}", number << 36
        budget.reserve(Charge(run, size, "count_standings", job, (ENGINE.name,)))
        budget.settle(Usage("count_standings", fresh.clock(), 70, 5, size, size, id=run))
    budget.reserve(Charge("run-open", 1 << 30, "rank_board", id_, (ENGINE.name,)))
    found = api.data(f"/api/v1/jobs/{id_}")["cost"]
    assert (found["runs"], found["bytes_billed"], found["rows"]) == (2, 3 << 36, 10)
    everything = api.data("/api/v1/costs?period=day")["summary"]["usd"]
    assert 0 < found["usd"] == pytest.approx(everything / 2)


def test_on_google_cloud_a_jobs_cost_is_for_keys_that_may_read(fresh: World) -> None:
    id_ = asked(fresh, fresh.client(fresh.key(Role.USER)))
    reader = fresh.key(Role.READONLY)
    settings = fresh.services.settings.model_copy(update={"backend": "gcp"})
    cloud = replace(fresh.services, settings=settings)
    kept = fresh.app.extensions["leaderboard"]
    fresh.app.extensions["leaderboard"] = replace(kept, services=lambda: cloud)
    assert fresh.client().data(f"/api/v1/jobs/{id_}")["cost"] is None
    assert fresh.client(reader).data(f"/api/v1/jobs/{id_}")["cost"]["runs"] == 0
