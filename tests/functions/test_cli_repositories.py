"""Commands about registered repositories and about work that failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared import job_steps, jobs
from shared.errors import Rejected
from shared.jobs import Job, Stage
from shared.ports import Json
from tests.support.command_line import ENGINE_NAME, WHEELS_NAME, answer, command, refusal
from tests.support.scenario import open_services


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two repositories whose jobs wait for a server."""
    answer(tmp_path, "register", ENGINE_NAME, WHEELS_NAME)
    return tmp_path


def statuses(data: Path, *options: str) -> dict[str, str]:
    return {each["name"]: each["status"] for each in answer(data, "repositories", *options)["data"]}


def test_a_repository_is_paused_and_resumed(data: Path) -> None:
    assert f"{ENGINE_NAME} is paused." in command(data, "disable", ENGINE_NAME).stdout
    assert statuses(data) == {ENGINE_NAME: "DISABLED", WHEELS_NAME: "PENDING"}
    assert statuses(data, "--status", "disabled") == {ENGINE_NAME: "DISABLED"}
    assert "Enable it first" in refusal(command(data, "scrape", ENGINE_NAME))
    assert answer(data, "enable", ENGINE_NAME)["data"][0]["status"] == "PENDING"
    (job,) = answer(data, "jobs", "--repository", ENGINE_NAME)["data"]
    assert job["state"] == "CANCELLED"


def test_refreshing_every_one_passes_over_the_paused(data: Path) -> None:
    answer(data, "disable", ENGINE_NAME, WHEELS_NAME)
    assert answer(data, "refresh", "--all")["data"] == []
    assert "Enable it first" in refusal(command(data, "refresh", ENGINE_NAME))


def test_repositories_are_listed_and_searched(data: Path) -> None:
    assert list(statuses(data, "--sort", "registered_at")) == [WHEELS_NAME, ENGINE_NAME]
    assert statuses(data, "--search", "WHEEL") == {WHEELS_NAME: "PENDING"}
    shown = command(data, "repositories", "--limit", "1").stdout
    assert ENGINE_NAME in shown
    assert WHEELS_NAME not in shown
    assert "There are more" in shown
    assert "no such repository" in command(data, "repositories", "--search", "zz").stdout


def test_a_repository_is_removed_when_that_is_confirmed(data: Path) -> None:
    assert command(data, "remove", ENGINE_NAME).exit_code == 1
    assert ENGINE_NAME in statuses(data)
    assert answer(data, "remove", ENGINE_NAME, "--yes")["data"][0]["name"] == ENGINE_NAME
    assert ENGINE_NAME not in statuses(data)


def test_an_organization_takes_a_token(data: Path) -> None:
    assert "GITHUB_TOKEN" in refusal(command(data, "register", "--organization", "octo"))
    for wrong in ((), (ENGINE_NAME, "--organization", "octo"), (ENGINE_NAME, "--forks")):
        assert "--organization" in refusal(command(data, "register", *wrong))


def test_a_job_is_cancelled_and_retried(data: Path) -> None:
    (job,) = answer(data, "jobs", "--repository", ENGINE_NAME)["data"]
    assert answer(data, "cancel", job["id"])["data"]["state"] == "CANCELLED"
    assert answer(data, "retry", job["id"])["data"]["state"] == "QUEUED"
    assert "There is no job" in refusal(command(data, "cancel", "nobody"))


def test_dead_letters_are_listed_and_settled(data: Path) -> None:
    def fails(_: Job) -> tuple[Stage | None, dict[str, Json]]:
        raise Rejected("It cannot be.")

    ids = [job["id"] for job in answer(data, "jobs")["data"]]
    services = open_services(data)
    for id_ in ids:
        now = jobs.get(services, id_)
        job_steps.run(services, id_, now.dispatches, "once", fails)
    assert {each["id"] for each in answer(data, "dead-letters")["data"]} == {*ids}
    assert ids[0] in command(data, "dead-letters").stdout
    assert answer(data, "dead-letters", "--retry", ids[0])["data"]["settled_as"] == "retried"
    assert "discarded" in command(data, "dead-letters", "--discard", ids[1]).stdout
    assert "nothing has failed for good" in command(data, "dead-letters").stdout
    both = command(data, "dead-letters", "--retry", ids[0], "--discard", ids[1])
    assert "--retry or --discard" in refusal(both)
