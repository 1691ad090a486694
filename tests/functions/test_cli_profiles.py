"""The command that reads profiles, and lists them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from infra.cli import profiles
from infra.cli.app import App
from infra.services import build
from shared import enrichment
from shared.settings import Settings
from tests.support.command_line import answer, command, filled_once, refusal
from tests.support.copies import copy_data
from tests.support.fake_profiles import Profiles, full
from tests.support.lines import ANA


@pytest.fixture
def data(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path / "data"
    copy_data(filled_once(tmp_path_factory), copy)
    return copy


def read_profile(data: Path, github: Profiles, login: str) -> None:
    """What the command does with a login, where GitHub is asked."""
    settings = Settings(data_dir=data)
    app = App(settings, as_json=False)
    app.services = replace(build(settings), github=github.port)
    try:
        profiles.enriched(app, login)
    finally:
        app.close()


def test_a_profile_that_was_read_is_listed_without_the_mail(data: Path) -> None:
    assert "No profile was asked for yet." in command(data, "enrich").stdout
    github = Profiles()
    github.known["ana"] = full(ANA.id, "ana")
    read_profile(data, github, "ana")
    assert github.asked == ["ana"]
    listed = command(data, "enrich").stdout
    assert "ana: completed" in listed
    assert "  location: Lima" in listed
    assert "  twitter: https://twitter.com/ana" in listed
    assert "mail" not in listed
    (found,) = answer(data, "enrich")["data"]
    assert found["state"] == "COMPLETED"
    assert "mail" not in found["fields"]
    assert "example.org/@ana" in json.dumps(found)


def test_the_task_that_is_left_finds_nothing_to_do(data: Path) -> None:
    github = Profiles()
    github.known["ana"] = full(ANA.id, "ana")
    read_profile(data, github, "ana")
    services = build(Settings(data_dir=data))
    found = enrichment.get(services, ANA.id)
    assert found is not None
    assert found.ended
    assert services.tasks.depths()["low"] == 1


def test_without_access_it_says_what_to_set(data: Path) -> None:
    assert "GITHUB_TOKEN" in refusal(command(data, "enrich", "ana", GITHUB_ACCESS="off"))


def test_somebody_unknown_is_named(data: Path) -> None:
    assert "nobody-here" in refusal(command(data, "enrich", "nobody-here"))
