"""What a pipeline run looks at before it begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shared import preflight
from shared.errors import RetryLater
from shared.settings import Settings
from tests.support.job_world import World
from tests.support.watched_ports import watched

GCP = {
    "backend": "gcp",
    "google_cloud_project": "p",
    "tasks_service_account": "t@p",
    "invoker_service_accounts": ("t@p",),
}
SECRET = "sixteen letters.."


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, None),
        (GCP, None),
        ({**GCP, "google_cloud_project": None}, "GOOGLE_CLOUD_PROJECT is missing"),
        ({**GCP, "tasks_service_account": None}, "TASKS_SERVICE_ACCOUNT is missing"),
        ({**GCP, "invoker_service_accounts": ()}, "INVOKER_SERVICE_ACCOUNTS is missing"),
        ({"notify_webhook_url": "https://e.org"}, "belong together"),
        ({"notify_webhook_secret": SECRET}, "belong together"),
        ({"notify_webhook_url": "https://e.org", "notify_webhook_secret": SECRET}, None),
        ({"pipeline_minutes": 5}, "PIPELINE_MINUTES is shorter"),
        ({"pipeline_minutes": 6}, None),
    ],
)
def test_settings_that_contradict_themselves_are_named(
    settings: dict[str, Any], problem: str | None
) -> None:
    found = preflight.settings_problem(Settings.model_validate(settings))
    assert (found is None) == (problem is None)
    assert problem is None or problem in str(found)


def failing(name: str, error: Exception) -> Callable[[str, Callable[[], Any]], Any]:
    def around(called: str, call: Callable[[], Any]) -> Any:
        if called.startswith(name):
            raise error
        return call()

    return around


def test_all_is_well(world: World) -> None:
    found = preflight.look(world.services, lambda _: None)
    assert set(found.checks) == {"settings", "documents", "warehouse", "tasks"}
    assert found.wrong == {}
    assert found.over_budget is None


@pytest.mark.parametrize("port", ["documents", "warehouse", "tasks"])
@pytest.mark.parametrize(
    ("error", "shown"), [(RetryLater("it is busy"), "it is busy"), (OSError("/secret"), "OSError")]
)
def test_a_service_that_cannot_be_used_is_named_and_the_budget_not_asked(
    world: World, port: str, error: Exception, shown: str
) -> None:
    def never(_: object) -> str | None:
        raise AssertionError

    found = preflight.look(watched(world.services, failing(port, error)), never)
    assert found.wrong == {port: shown}


def test_an_exhausted_budget_is_no_failed_check(world: World) -> None:
    found = preflight.look(world.services, lambda _: "the day's 5.00 USD are spent")
    assert found.wrong == {}
    assert found.over_budget == "the day's 5.00 USD are spent"


def test_wrong_settings_are_a_failed_check(world: World) -> None:
    settings = world.services.settings.model_copy(update={"pipeline_minutes": 1})
    found = preflight.look(replace(world.services, settings=settings))
    assert set(found.wrong) == {"settings"}
