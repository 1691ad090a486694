"""Costs and the budget through the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared import job_steps, repositories
from shared.auth import Role
from shared.budget import Budget
from shared.budget_books import Charge
from shared.context import SYSTEM
from shared.jobs import State
from shared.limits import TIB
from shared.metering import MeteredWarehouse
from shared.ports import Warehouse, Write
from tests.functions.conftest import TEAM, World
from tests.support.api_client import ApiClient
from tests.support.apps import app_over
from tests.support.billed_warehouse import BilledWarehouse
from tests.support.lines import ENGINE
from tests.support.scenario import name_of

COSTS = "/api/v1/costs"
LEDGER = "/api/v1/costs/ledger"
LIMITS = "/api/v1/config/budget"


@dataclass
class Priced:
    """A world where a TiB costs 1 USD, and runs that are billed what a test says."""

    world: World
    bare: BilledWarehouse
    local: Warehouse
    api: ApiClient
    admin: ApiClient

    def spend(self, id_: str, usd: float, *repositories: str, statement: str = "scan") -> None:
        budget = self.world.services.budget
        self.bare.bills[statement] = int(usd * TIB)
        charge = Charge(id_, int(usd * TIB), statement, "job-1", repositories)
        allowance = budget.reserve(charge)
        self.bare.query(statement, {}, allowance=allowance)
        usage = self.bare.usage(id_)
        assert usage is not None
        budget.settle(usage)


@pytest.fixture
def priced(make_world: Callable[[], World]) -> Priced:
    world = make_world()
    services = world.services
    settings = services.settings.model_copy(update={"price_per_tib_usd": 1})
    budget = Budget(services.documents, settings, services.now)
    bare = BilledWarehouse(services.now, TIB)
    world.services = replace(
        services,
        settings=settings,
        budget=budget,
        warehouse=MeteredWarehouse(bare, budget, services.new_id),
    )
    world.app = app_over(lambda: world.services)
    return Priced(
        world, bare, services.warehouse, world.client(), world.client(world.key(Role.ADMIN))
    )


def test_months_are_added_up_and_those_without_a_run_are_there(priced: Priced) -> None:
    priced.spend("a", 1, "octo/engine")
    priced.world.clock.advance(timedelta(days=1))
    priced.spend("b", 2, "octo/engine")
    priced.world.clock.advance(timedelta(days=45))
    priced.spend("c", 0.5)
    answer = priced.api.get(f"{COSTS}/monthly?months=4").get_json()
    assert [(m["month"], m["usd"], m["runs"], m["days"]) for m in answer["data"]] == [
        ("2025-02", 0, 0, 0), ("2025-03", 3, 2, 2), ("2025-04", 0, 0, 0), ("2025-05", 0.5, 1, 1),
    ]  # fmt: skip
    assert answer["meta"] == {"start": "2025-02-01"}
    assert len(priced.api.data(f"{COSTS}/monthly")) == 12
    for wrong in ("0", "13", "x"):
        assert priced.api.get(f"{COSTS}/monthly?months={wrong}").status_code == 400


def test_a_repository_is_told_its_share_under_every_name_it_had(priced: Priced) -> None:
    services = priced.world.services
    found = repositories.register(services, name_of(ENGINE), SYSTEM).repository
    renamed = found.model_copy(update={"name": "Acme/Motor", "aliases": ("acme~motor",)})
    services.documents.write(
        [repositories.stored(renamed), Write("repository_names/acme~motor", {"key": found.key})]
    )
    priced.spend("a", 1, "octo/engine", "octo/wheels")
    priced.world.clock.advance(timedelta(days=1))
    priced.spend("b", 2, "Acme/Motor")
    for name in ("octo/engine", "acme/motor"):
        answer = priced.api.get(f"{COSTS}/repositories/{name}").get_json()
        assert answer["data"]["repository"] == "Acme/Motor"
        assert answer["data"]["summary"]["usd"] == 2.5
        assert [(d["day"], d["usd"]) for d in answer["data"]["days"]] == [
            ("2025-03-20", 0.5), ("2025-03-21", 2),
        ]  # fmt: skip
    today = priced.api.get(f"{COSTS}/repositories/octo/engine?period=day").get_json()
    assert today["data"]["summary"]["usd"] == 2
    assert today["meta"] == {"period": "day", "start": "2025-03-21", "end": "2025-03-22"}
    assert priced.api.get(f"{COSTS}/repositories/octo/nothing").status_code == 404
    half = priced.api.get(f"{COSTS}/repositories/octo/engine?start=2025-03-01")
    assert half.status_code == 400


def test_before_anything_was_spent_everything_is_zero(priced: Priced) -> None:
    answer = priced.api.get(COSTS).get_json()
    assert answer["data"]["summary"]["usd"] == 0
    assert answer["data"]["days"] == answer["data"]["by_repository"] == []
    assert answer["data"]["forecast"] is None
    assert answer["data"]["budget"]["day"]["remaining_usd"] == 5
    assert answer["meta"] == {
        "period": "month", "start": "2025-03-01", "end": "2025-03-21", "repositories": 0,
    }  # fmt: skip


def test_costs_are_summed_by_day_statement_and_repository(priced: Priced) -> None:
    priced.spend("a", 1, "octo/engine", "octo/wheels", "octo/third")
    priced.world.clock.advance(timedelta(days=1))
    priced.spend("b", 2, "octo/wheels", statement="rank")
    priced.spend("c", 0.5)
    answer = priced.api.get(COSTS)
    data = answer.get_json()["data"]
    assert data["summary"]["usd"] == 3.5
    assert data["summary"]["runs"] == 3
    assert [(d["day"], d["usd"]) for d in data["days"]] == [("2025-03-20", 1), ("2025-03-21", 2.5)]
    assert [(s["statement"], s["usd"]) for s in data["by_statement"]] == [
        ("rank", 2),
        ("scan", 1.5),
    ]
    assert '"usd":0.333334' in answer.text
    shares = {r["repository"]: round(r["usd"] * 1_000_000) for r in data["by_repository"]}
    assert shares == {
        "octo/wheels": 2_333_333, None: 500_000, "octo/engine": 333_334, "octo/third": 333_333,
    }  # fmt: skip
    assert data["budget"]["day"] == {
        "name": "2025-03-21", "limit_usd": 5, "spent_usd": 2.5, "reserved_usd": 0,
        "remaining_usd": 2.5, "percent": 50, "warning": False,
        "renews_at": "2025-03-22T00:00:00.000000Z",
    }  # fmt: skip
    assert data["budget"]["month"]["spent_usd"] == 3.5
    # One whole day of 1 USD, and ten and a half days left.
    assert data["forecast"] == {"month_usd": 14, "per_day_usd": 1, "days": 1, "capped": False}


@pytest.mark.parametrize(
    ("query", "start", "end", "usd"),
    [
        ("period=day", "2025-03-21", "2025-03-22", 2),
        ("period=month", "2025-03-01", "2025-03-22", 3),
        ("start=2025-03-20&end=2025-03-21", "2025-03-20", "2025-03-21", 1),
        ("period=range&start=2024-03-21&end=2025-03-22", "2024-03-21", "2025-03-22", 3),
    ],
)
def test_a_period_is_a_day_a_month_or_a_range(
    priced: Priced, query: str, start: str, end: str, usd: int
) -> None:
    priced.spend("a", 1)
    priced.world.clock.advance(timedelta(days=1))
    priced.spend("b", 2)
    answer = priced.api.get(f"{COSTS}?{query}").get_json()
    assert (answer["meta"]["start"], answer["meta"]["end"]) == (start, end)
    assert answer["data"]["summary"]["usd"] == usd


@pytest.mark.parametrize(
    "query",
    ["period=week", "period=range", "start=2025-03-20", "end=2025-03-20", "start=x&end=y",
     "start=2025-03-20&end=2025-03-20", "start=2020-01-01&end=2025-01-01", "limit=0",
     "period=day&start=2025-03-20&end=2025-03-21"],
)  # fmt: skip
def test_a_wrong_period_is_refused_with_its_field(priced: Priced, query: str) -> None:
    answer = priced.api.get(f"{COSTS}?{query}")
    assert answer.status_code == 400
    assert answer.get_json()["details"]["field"] in ("period", "start", "end", "limit")


def test_the_ledger_shows_every_run_newest_first_in_pages(priced: Priced) -> None:
    for number in range(5):
        priced.world.clock.advance(timedelta(seconds=1))
        priced.spend(f"run-{number}", 0.1, *(f"octo/r{n:02}" for n in range(12)))
    priced.world.clock.advance(timedelta(seconds=1))
    priced.world.services.budget.reserve(Charge("open", TIB, "scan"))
    first = priced.api.get(f"{LEDGER}?limit=4").get_json()
    assert [row["id"] for row in first["data"]] == ["open", "run-4", "run-3", "run-2"]
    reserved, settled = first["data"][:2]
    assert (reserved["state"], reserved["usd"], reserved["reserved_usd"]) == ("reserved", 0, 1)
    assert (settled["state"], settled["job"]) == ("settled", "job-1")
    assert settled["usd"] == settled["reserved_usd"]
    assert (len(settled["repositories"]), settled["shared_by"]) == (10, 12)
    rest = priced.api.get(first["links"]["next"]).get_json()
    assert [row["id"] for row in rest["data"]] == ["run-1", "run-0"]
    assert rest["links"]["next"] is None
    assert priced.api.get(f"{LEDGER}?cursor=nonsense").status_code == 400


def test_reading_again_is_free_until_something_changes(priced: Priced) -> None:
    for address in (COSTS, LEDGER, LIMITS):
        answer = priced.api.get(address)
        etag = answer.headers["ETag"]
        again = priced.api.get(address, headers={"If-None-Match": etag})
        assert again.status_code == 304
    priced.spend("a", 1)
    assert priced.api.get(COSTS).headers["ETag"] != etag


# --- limits -------------------------------------------------------------------------------------


def test_limits_are_changed_by_an_admin_and_every_change_is_on_the_trail(priced: Priced) -> None:
    before = priced.api.get(LIMITS).get_json()
    assert before["data"]["version"] == 0
    assert before["data"]["limits"]["daily_usd"] == 5
    assert before["data"]["limits"]["metered"]

    changed = priced.admin.put(LIMITS, {"daily_usd": 7.5, "warning_percent": 90})
    assert changed.status_code == 200, changed.text
    assert changed.get_json()["data"]["limits"]["daily_usd"] == 7.5
    assert changed.get_json()["data"]["limits"]["monthly_usd"] == 50
    priced.admin.put(LIMITS, {"monthly_usd": 20})

    now = priced.api.get(LIMITS).get_json()
    assert (now["data"]["version"], now["data"]["limits"]["daily_usd"]) == (2, 5)
    assert now["data"]["overrides"]["monthly_usd"] == 20
    assert [each["version"] for each in now["meta"]["history"]] == [2, 1]
    first = priced.api.get(f"{LIMITS}?version=1").get_json()
    assert first["data"]["overrides"]["warning_percent"] == 90
    assert first["meta"]["version"] == 2
    assert priced.api.get(f"{LIMITS}?version=0").get_json()["data"]["limits"]["daily_usd"] == 5
    assert priced.api.get(f"{LIMITS}?version=9").status_code == 404

    trail = [r for r in priced.world.audited() if r["action"] == "config.changed"]
    assert [(r["old_value"], r["new_value"]) for r in trail] == [
        ({}, {"daily_usd": "7.5", "warning_percent": 90}),
        ({"daily_usd": "7.5", "warning_percent": 90}, {"monthly_usd": "20"}),
    ]
    assert all(str(r["actor_id"]).startswith("key:") for r in trail)


def test_the_same_limits_again_make_no_version(priced: Priced) -> None:
    for _ in range(2):
        answer = priced.admin.put(LIMITS, {"daily_usd": 7})
        assert answer.get_json()["data"]["version"] == 1


def test_a_change_of_what_somebody_else_changed_is_a_conflict(priced: Priced) -> None:
    assert priced.admin.put(LIMITS, {"daily_usd": 7, "version": 0}).status_code == 200
    answer = priced.admin.put(LIMITS, {"daily_usd": 8, "version": 0})
    assert answer.status_code == 409
    assert answer.get_json()["details"]["version"] == 1


@pytest.mark.parametrize(
    "body",
    [{"daily_usd": -1}, {"daily_usd": 1e9}, {"monthly_usd": "much"}, {"warning_percent": 0},
     {"warning_percent": 101}, {"price_per_tib_usd": 0.0000001}, {"free_tib_per_month": -1},
     {"weekly_usd": 5}, [], "nan", {"daily_usd": "NaN"}],
)  # fmt: skip
def test_limits_that_cannot_be_are_refused(priced: Priced, body: Any) -> None:
    assert priced.admin.put(LIMITS, body).status_code == 400
    assert priced.api.get(LIMITS).get_json()["data"]["version"] == 0


def test_only_an_admin_may_change_limits(priced: Priced) -> None:
    assert priced.api.put(LIMITS, {"daily_usd": 7}).status_code == 401
    user = priced.world.client(priced.world.key(Role.USER))
    assert user.put(LIMITS, {"daily_usd": 7}).status_code == 403


def test_costs_want_a_key_in_the_cloud(priced: Priced) -> None:
    services = priced.world.services
    settings = services.settings.model_copy(update={"backend": "gcp"})
    priced.world.services = replace(services, settings=settings)
    reader = priced.world.client(priced.world.key(Role.READONLY))
    for address in (COSTS, LEDGER, LIMITS):
        assert priced.api.get(address).status_code == 401
        assert reader.get(address).status_code == 200


# --- waiting ------------------------------------------------------------------------------------


def test_a_job_says_until_when_it_waits_and_goes_on_when_the_limit_is_raised(
    priced: Priced,
) -> None:
    world = priced.world
    registered = priced.admin.post("/api/v1/repositories", {"repository": name_of(ENGINE).full})
    job = registered.get_json()["data"]["job"]
    priced.spend("a", 5, statement="rank")

    def step(_: object) -> Any:
        return None, {"rows": world.services.warehouse.query("scan", {}).num_rows}

    job_steps.run(world.services, job["id"], 0, "first", step)
    waiting = priced.api.data(f"/api/v1/jobs/{job['id']}")
    assert (waiting["state"], waiting["failures"]) == (State.QUEUED, 0)
    assert waiting["waits_until"] == "2025-03-21T00:00:00.000000Z"
    assert waiting["error"]["code"] == "waits_for_budget"
    assert waiting["progress"]["message"] == "waits for budget until 2025-03-21 00:00 UTC"

    assert priced.admin.put(LIMITS, {"daily_usd": 10}).status_code == 200
    world.clock.advance(timedelta(seconds=1))
    assert job_steps.sweep(world.services) == 1
    job_steps.run(world.services, job["id"], 2, "second", step)
    assert priced.api.data(f"/api/v1/jobs/{job['id']}")["state"] == State.COMPLETED


def test_a_job_dearer_than_a_whole_limit_fails_at_once(priced: Priced) -> None:
    registered = priced.admin.post("/api/v1/repositories", {"repository": name_of(ENGINE).full})
    job = registered.get_json()["data"]["job"]
    priced.bare.estimates["scan"] = 6 * TIB
    services = priced.world.services

    def step(_: object) -> Any:
        return None, {"rows": services.warehouse.query("scan", {}).num_rows}

    job_steps.run(services, job["id"], 0, "first", step)
    failed = priced.api.data(f"/api/v1/jobs/{job['id']}")
    assert (failed["state"], failed["error"]["code"]) == (State.FAILED, "budget_exceeded")


def test_a_question_that_does_not_fit_says_when_to_ask_again(priced: Priced) -> None:
    world = priced.world
    metered = world.services.warehouse
    question = "/api/v1/leaderboard/octo/engine?start=2025-03-01&end=2025-03-12"
    world.services = replace(world.services, warehouse=priced.local)
    world.ingest("team.json.gz", TEAM)
    world.register(ENGINE)
    assert priced.api.get(question).status_code == 200

    world.services = replace(world.services, warehouse=metered)
    priced.bare.units = priced.local.units  # type: ignore[method-assign]
    priced.bare.unit = priced.local.unit  # type: ignore[method-assign]
    priced.spend("a", 4.5, statement="rank")
    question = question.replace("03-12", "03-11")
    answer = priced.api.get(question)
    assert answer.status_code == 503
    assert answer.get_json()["error"] == "waits_for_budget"
    until = datetime(2025, 3, 21, tzinfo=UTC)
    assert answer.get_json()["details"]["not_before"] == "2025-03-21T00:00:00.000000Z"
    wait = int((until - world.clock()).total_seconds())
    assert answer.headers["Retry-After"] == str(wait)

    priced.bare.size = 6 * TIB
    refused = priced.api.get(question)
    assert refused.status_code == 402
    assert refused.get_json()["error"] == "budget_exceeded"
