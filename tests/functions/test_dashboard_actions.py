"""What admins do on the pages, by plain forms."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from shared import budget_config, job_steps, jobs, repositories
from shared.auth import Role
from shared.context import SYSTEM
from shared.errors import Rejected
from shared.jobs import Job, Stage, State
from shared.limits import Overrides
from shared.models import RepositoryName
from shared.ports import Json
from tests.functions.conftest import World
from tests.support.dashboard_world import client_over


@pytest.fixture
def admin(fresh: World) -> FlaskClient:
    client = client_over(fresh.services)
    client.post("/sign-in", data={"key": fresh.key(Role.ADMIN)})
    return client


def forms(page: str) -> dict[str, str]:
    """The actions of a page's forms, and the token that they carry."""
    return dict(
        re.findall(r'action="([^"]+)"><input type="hidden" name="csrf" value="(\w+)"', page)
    )


def send(client: FlaskClient, page: str, action: str, **fields: str) -> TestResponse:
    """Fill in and send a form that is on a page."""
    found = forms(client.get(page).text)
    assert action in found, f"{action} is not among {sorted(found)}"
    return client.post(action, data={"csrf": found[action], **fields})


def register(client: FlaskClient, world: World) -> Job:
    answer = send(
        client, "/dashboard/pipeline", "/dashboard/repositories", repository="octo/engine"
    )
    assert answer.status_code == 303
    return jobs.read(jobs.listed(world.services, {}, limit=1).documents[0])


def fail(world: World, job: Job) -> None:
    def fails(_: Job) -> tuple[Stage | None, dict[str, Json]]:
        raise Rejected("It cannot be.")

    now = jobs.get(world.services, job.id)
    job_steps.run(world.services, job.id, now.dispatches, "once", fails)


def test_a_repository_is_registered_and_its_job_cancelled(fresh: World, admin: FlaskClient) -> None:
    job = register(admin, fresh)
    answer = send(admin, "/dashboard/pipeline", f"/jobs/{job.id}/cancel")
    assert answer.headers["Location"] == "/dashboard/pipeline?done=cancelled"
    assert "The job is cancelled." in admin.get(answer.headers["Location"]).text
    assert jobs.get(fresh.services, job.id).state is State.CANCELLED
    cancelled = [r for r in fresh.audited() if r["action"] == "job.cancelled"]
    assert str(cancelled[0]["actor_id"]).startswith("key:")
    assert cancelled[0]["actor_type"] == "admin"


def test_a_failed_job_is_retried_from_its_own_page(fresh: World, admin: FlaskClient) -> None:
    job = register(admin, fresh)
    fail(fresh, job)
    answer = send(admin, f"/jobs/{job.id}", f"/jobs/{job.id}/retry")
    assert answer.status_code == 303
    fresh.work()
    assert jobs.get(fresh.services, job.id).state is State.COMPLETED
    assert "octo/engine" in admin.get("/coverage").text


def test_a_letter_is_retried_or_discarded(fresh: World, admin: FlaskClient) -> None:
    job = register(admin, fresh)
    fail(fresh, job)
    letter = f"/dashboard/letters/{job.id}"
    send(admin, "/dashboard/pipeline", f"{letter}/retry")
    assert jobs.get(fresh.services, job.id).state is State.QUEUED
    fail(fresh, job)
    send(admin, "/dashboard/pipeline", f"{letter}/discard")
    assert "nothing has failed for good" in admin.get("/dashboard/pipeline").text
    assert jobs.get(fresh.services, job.id).state is State.FAILED


def test_what_came_too_late_is_told_as_a_conflict(fresh: World, admin: FlaskClient) -> None:
    job = register(admin, fresh)
    found = forms(admin.get("/dashboard/pipeline").text)
    fresh.work()
    form = {"csrf": found[f"/jobs/{job.id}/cancel"]}
    answer = admin.post(f"/jobs/{job.id}/cancel", data=form)
    assert answer.status_code == 409
    assert "it is COMPLETED" in answer.text
    assert admin.post("/jobs/nobody/cancel", data=form).status_code == 404


def test_a_run_is_started_once(fresh: World, admin: FlaskClient) -> None:
    for _ in range(2):
        answer = send(admin, "/dashboard/pipeline", "/dashboard/pipeline/runs")
        assert answer.headers["Location"] == "/dashboard/pipeline?done=started"
    assert [r["action"] for r in fresh.audited()].count("pipeline.started") == 1


PAUSE, RESUME = (f"/repositories/octo/engine/{verb}" for verb in ("pause", "resume"))


@pytest.mark.parametrize("page", ["/repositories/octo/engine", "/coverage"])
def test_a_repository_is_paused_and_goes_on(fresh: World, admin: FlaskClient, page: str) -> None:
    job = register(admin, fresh)
    answer = send(admin, page, PAUSE, back=page)
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{page}?done=paused"
    told = admin.get(answer.headers["Location"]).text
    assert "The repository is paused" in told
    assert "Paused</span>" in told
    assert jobs.get(fresh.services, job.id).state is State.CANCELLED
    answer = send(admin, page, RESUME, back=page)
    assert answer.headers["Location"] == f"{page}?done=resumed"
    assert "The repository goes on" in admin.get(answer.headers["Location"]).text
    done = {r["action"] for r in fresh.audited()}
    assert {"repository.disabled", "repository.enabled"} <= done


def test_a_board_has_the_button_and_keeps_the_page_that_one_looks_at(
    fresh: World, admin: FlaskClient
) -> None:
    register(admin, fresh)
    fresh.work()
    page = "/repositories/octo/engine?class=all"
    (back,) = re.findall(r'name="back" value="([^"]+)"', admin.get(page).text)
    answer = send(admin, page, PAUSE, back=back)
    assert answer.headers["Location"] == f"{page}&done=paused"
    assert RESUME in forms(admin.get(f"{page}&done=paused").text)
    assert repositories.get(fresh.services, RepositoryName.parse("octo/engine")).paused


def test_pausing_leads_to_no_other_site(fresh: World, admin: FlaskClient) -> None:
    register(admin, fresh)
    answer = send(admin, "/coverage", PAUSE, back="https://elsewhere.example/")
    assert answer.headers["Location"] == "/settings?done=paused"
    assert send(admin, "/coverage", RESUME).headers["Location"] == (
        "/repositories/octo/engine?done=resumed"
    )


def test_who_is_no_admin_cannot_pause_and_is_shown_no_button(
    fresh: World, admin: FlaskClient
) -> None:
    register(admin, fresh)
    user, visitor = client_over(fresh.services), client_over(fresh.services)
    user.post("/sign-in", data={"key": fresh.key(Role.USER)})
    token = re.findall(r'name="csrf" value="(\w+)"', user.get("/coverage").text)[0]
    for client in (user, visitor):
        for page in ("/coverage", "/repositories/octo/engine"):
            assert "/pause" not in client.get(page).text
    assert user.post(PAUSE, data={"csrf": token}).status_code == 403
    assert visitor.post(PAUSE, data={"csrf": token}).status_code == 401
    other_site = {"Sec-Fetch-Site": "cross-site"}
    right = forms(admin.get("/coverage").text)[PAUSE]
    assert admin.post(PAUSE, data={"csrf": right}, headers=other_site).status_code == 403
    assert admin.post(PAUSE, data={"csrf": "wrong"}).status_code == 403
    assert not repositories.get(fresh.services, RepositoryName.parse("octo/engine")).paused
    nobody = admin.post("/repositories/octo/nobody/pause", data={"csrf": right})
    assert nobody.status_code == 404


def test_limits_are_set_and_taken_back(fresh: World, admin: FlaskClient) -> None:
    answer = send(
        admin, "/settings", "/settings/budget", version="0", daily_usd=" 7.5 ", warning_percent="90"
    )
    assert answer.headers["Location"] == "/settings?done=budget"
    found = budget_config.current(fresh.services)
    assert found.overrides == Overrides(daily_usd=Decimal("7.5"), warning_percent=90)
    page = admin.get("/settings").text
    assert 'name="daily_usd" inputmode="decimal" autocomplete="off" value="7.5"' in page
    assert 'value="" placeholder="50"' in page
    send(admin, "/settings", "/settings/budget", version="1")
    assert budget_config.current(fresh.services).overrides == Overrides()
    assert [r["action"] for r in fresh.audited()].count("config.changed") == 2


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"daily_usd": "a lot"}, "A day, in USD: &#39;a lot&#39; is not a number"),
        ({"daily_usd": "-1"}, "A day, in USD: Input should be greater than or equal to 0"),
        ({"daily_usd": "NaN"}, "A day, in USD"),
        ({"warning_percent": "101"}, "Warning from, in percent"),
        ({"free_tib_per_month": "1e99"}, "Free TiB a month"),
        ({"version": "x"}, "The form is not complete"),
    ],
)
def test_a_wrong_limit_is_named_and_nothing_is_set(
    fresh: World, admin: FlaskClient, fields: dict[str, str], says: str
) -> None:
    answer = send(admin, "/settings", "/settings/budget", **{"version": "0", **fields})
    assert answer.status_code == 400
    assert says in answer.text
    assert budget_config.current(fresh.services).version == 0


def test_limits_that_somebody_else_changed_meanwhile_are_kept(
    fresh: World, admin: FlaskClient
) -> None:
    budget_config.change(fresh.services, SYSTEM, Overrides(daily_usd=Decimal(9)))
    answer = send(admin, "/settings", "/settings/budget", version="0", daily_usd="1")
    assert answer.status_code == 409
    assert "changed meanwhile" in answer.text
    assert budget_config.current(fresh.services).overrides.daily_usd == 9
