"""Registering a list of repositories, or an organization: bounded, and taken up again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from shared import bulk_registration, repositories
from shared.bulk_registration import Several, register_all, register_organization
from shared.context import SYSTEM
from shared.errors import Conflict, NotFound, Rejected, RetryLater
from tests.support.fake_github import FakeRepository
from tests.support.github_world import GitHubWorld, github_world


@pytest.fixture
def world(tmp_path: Path) -> GitHubWorld:
    """An organization with a fork, an archived repository and three others, in pages of two."""
    made = github_world(tmp_path)
    made.github.pages = 2
    made.github.repositories[:] = [
        FakeRepository(1, "Octo/engine"),
        FakeRepository(2, "Octo/Attic", archived=True),
        FakeRepository(3, "Octo/copy", fork=True),
        FakeRepository(4, "Octo/wheels"),
        FakeRepository(5, "Octo/brakes"),
        FakeRepository(6, "octocat/other"),
    ]
    return made


def names(found: Several) -> list[str]:
    return [each.name for each in found.registered]


def passing(world: GitHubWorld, time: timedelta) -> Callable[[str], None]:
    """GitHub takes its time for every answer."""
    return lambda _: world.clock.advance(time)


def test_an_organization_is_registered_without_asking_about_each(world: GitHubWorld) -> None:
    found = register_organization(world.services, "octo", SYSTEM)
    assert names(found) == ["Octo/brakes", "Octo/engine", "Octo/wheels"]
    assert (found.forks, found.archived, found.left_out, found.complete) == (1, 1, 0, True)
    assert {request.split(" ")[0] for request in world.github.log} == {"organization"}
    assert [(r.name, r.github_id, r.stars) for r in repositories.everyone(world.services)] == [
        ("Octo/brakes", 5, 5), ("Octo/engine", 1, 5), ("Octo/wheels", 4, 5),
    ]  # fmt: skip
    assert {task.queue for task in world.queue.tasks} == {"default"}
    assert len(world.queue.tasks) == 3


def test_a_repeat_finds_them_and_asks_for_nothing(world: GitHubWorld) -> None:
    register_organization(world.services, "octo", SYSTEM)
    again = register_organization(world.services, "octo", SYSTEM, forks=True, archived=True)
    assert names(again) == ["Octo/Attic", "Octo/copy"]
    assert again.existing == ("Octo/brakes", "Octo/engine", "Octo/wheels")
    assert (again.forks, again.archived) == (0, 0)
    third = register_organization(world.services, "octo", SYSTEM, forks=True, archived=True)
    assert (third.registered, len(third.existing)) == ((), 5)
    assert len(world.queue.tasks) == 5


def test_what_does_not_fit_is_counted_and_registered_by_the_next_call(
    world: GitHubWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_registration, "MOST_NEW", 2)
    first = register_organization(world.services, "octo", SYSTEM)
    assert (names(first), first.left_out) == (["Octo/brakes", "Octo/engine"], 1)
    rest = register_organization(world.services, "octo", SYSTEM)
    assert (names(rest), rest.left_out, rest.complete) == (["Octo/wheels"], 0, True)


def test_a_call_ends_in_time_and_says_so(world: GitHubWorld) -> None:
    world.github.on_answer = passing(world, timedelta(seconds=20))
    first = register_organization(world.services, "octo", SYSTEM)
    assert (names(first), first.complete) == (["Octo/brakes"], False)
    assert world.github.log == ["organization None", "organization 2"]
    assert first.left_out == 1
    world.github.on_answer = lambda _: None
    rest = register_organization(world.services, "octo", SYSTEM)
    assert (names(rest), rest.complete) == (["Octo/engine", "Octo/wheels"], True)


def test_where_github_stops_answering_what_is_registered_is_told(world: GitHubWorld) -> None:
    def silent(request: str) -> None:
        if request == "organization 2":
            raise RetryLater("GitHub does not answer.")

    world.github.on_request = silent
    found = register_organization(world.services, "octo", SYSTEM)
    assert (names(found), found.complete) == (["Octo/brakes"], False)


def test_where_github_does_not_answer_at_all_nothing_is_told(world: GitHubWorld) -> None:
    def silent(_: str) -> None:
        raise RetryLater("GitHub does not answer.")

    world.github.on_request = silent
    with pytest.raises(RetryLater):
        register_organization(world.services, "octo", SYSTEM)


def test_a_kill_within_is_healed_by_a_repeat(world: GitHubWorld) -> None:
    class Killed(BaseException):
        pass

    add = world.services.tasks.add

    def dies(task: object) -> bool:
        if len(world.queue.tasks) == 1:
            raise Killed
        return add(task)  # type: ignore[arg-type]

    world.services.tasks.add = dies  # type: ignore[method-assign]
    with pytest.raises(Killed):
        register_organization(world.services, "octo", SYSTEM)
    world.services.tasks.add = add  # type: ignore[method-assign]
    found = register_organization(world.services, "octo", SYSTEM)
    assert (names(found), len(found.existing)) == (["Octo/wheels"], 2)
    # The task that was not added is the sweep's: the job is stored, and due.
    assert len(repositories.everyone(world.services)) == 3


def test_an_organization_takes_a_token(world: GitHubWorld) -> None:
    for github in (None, replace(world.github, reads_contributions=False)):
        services = replace(world.services, github=github)
        with pytest.raises(Conflict, match="GITHUB_TOKEN"):
            register_organization(services, "octo", SYSTEM)


@pytest.mark.parametrize("login", ["", "-octo", "octo/engine", "a" * 40, "ö", "octo\n"])
def test_what_is_no_organizations_name_is_refused(world: GitHubWorld, login: str) -> None:
    with pytest.raises(Rejected, match="organization's name"):
        register_organization(world.services, login, SYSTEM)
    with pytest.raises(NotFound):
        register_organization(world.services, "nobody", SYSTEM)


def test_of_a_list_each_is_registered_or_refused_by_itself(world: GitHubWorld) -> None:
    wanted = [
        "octo/engine",
        "no name",
        "octo/missing",
        "https://github.com/octo/wheels",
        "OCTO/engine",
    ]
    found = register_all(world.services, wanted, SYSTEM)
    assert names(found) == ["Octo/engine", "Octo/wheels"]
    assert found.existing == ("Octo/engine",)
    assert [(each.name, each.error.code) for each in found.refused] == [
        ("no name", "invalid_request"), ("octo/missing", "not_found"),
    ]  # fmt: skip


def test_a_list_ends_in_time_too(world: GitHubWorld) -> None:
    world.github.on_answer = passing(world, timedelta(minutes=1))
    found = register_all(world.services, ["octo/engine", "octo/wheels", "octo/brakes"], SYSTEM)
    assert (names(found), found.left_out) == (["Octo/engine"], 2)


def test_an_organizations_list_is_a_request_a_hundred(world: GitHubWorld) -> None:
    world.github.pages = 100
    world.github.repositories[:] = [
        FakeRepository(number, f"octo/r{number}", archived=True) for number in range(1, 251)
    ]
    found = register_organization(world.services, "octo", SYSTEM)
    assert (found.archived, found.registered) == (250, ())
    assert len(world.github.log) == 3
