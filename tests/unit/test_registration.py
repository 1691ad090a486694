"""Which repository a name means: registered, renamed, transferred, reused, removed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from shared import github_check, repositories
from shared.context import SYSTEM
from shared.errors import Conflict, NotFound, Rejected, RetryLater
from shared.github import Blocked
from shared.jobs import RepositoryStatus, Stage
from shared.models import RepositoryName, iso
from shared.ports import Query
from shared.repositories import Registered, Repository
from tests.support.fake_github import FakeRepository, hours
from tests.support.github_world import GitHubWorld, github_world


@pytest.fixture
def world(tmp_path: Path) -> GitHubWorld:
    return github_world(tmp_path)


def register(world: GitHubWorld, name: str) -> Registered:
    return repositories.register(world.services, RepositoryName.parse(name), SYSTEM)


def silent(_: str) -> None:
    raise RetryLater("GitHub does not answer.")


def test_what_github_tells_is_stored(world: GitHubWorld) -> None:
    found = register(world, "octo/engine").repository
    assert found.model_dump(
        include={"github_id", "node_id", "description", "stars", "forks", "language", "checked_at"}
    ) == {
        "github_id": 1, "node_id": "R_1", "description": "about octo/engine", "stars": 5,
        "forks": 2, "language": "Python", "checked_at": iso(world.clock()),
    }  # fmt: skip
    job = register(world, "Octo/Engine").job
    assert job is None
    assert world.github.log == ["repository octo/engine"]
    assert world.job().stage is Stage.SYNC


def test_one_that_github_does_not_show_is_not_registered(world: GitHubWorld) -> None:
    with pytest.raises(NotFound, match="missing or private"):
        register(world, "octo/nothing")
    world.repository.blocked = True
    with pytest.raises(Blocked):
        register(world, "octo/engine")
    assert repositories.everyone(world.services) == ()
    assert world.queue.tasks == []


def test_a_former_name_registers_the_present_one_and_finds_it(world: GitHubWorld) -> None:
    world.github.rename(world.repository, "octo/motor")
    found = register(world, "octo/engine").repository
    assert (found.key, found.name) == ("octo~motor", "octo/motor")
    assert world.registered("octo/engine") == world.registered("octo/motor") == found
    assert not register(world, "octo/engine").created
    assert not register(world, "octo/motor").created


def test_one_that_is_registered_under_another_name_is_found_by_its_id(world: GitHubWorld) -> None:
    first = register(world, "octo/engine").repository
    world.github.rename(world.repository, "acme/engine")
    again = register(world, "acme/engine")
    assert not again.created
    assert again.repository.number == first.number
    assert again.repository.name == "acme/engine"
    assert len(repositories.everyone(world.services)) == 1
    for name in ("octo/engine", "acme/engine"):
        assert world.registered(name) == again.repository


def test_where_github_does_not_answer_the_first_step_asks(world: GitHubWorld) -> None:
    world.github.on_request = silent
    assert register(world, "octo/engine").repository.node_id is None
    with pytest.raises(RetryLater):
        world.read()
    world.github.on_request = lambda _: None
    world.github.rename(world.repository, "octo/motor")
    world.read()
    found = world.registered("octo/motor")
    assert (found.key, found.github_id, found.name) == ("octo~engine", 1, "octo/motor")
    assert world.ids()


def test_what_does_not_exist_fails_in_the_first_step_then(world: GitHubWorld) -> None:
    world.github.on_request = silent
    register(world, "octo/nothing")
    world.github.on_request = lambda _: None
    with pytest.raises(NotFound, match="missing or private"):
        world.read(world.job("octo/nothing"))


def test_one_registered_twice_while_github_was_silent_is_told_so(world: GitHubWorld) -> None:
    world.github.rename(world.repository, "octo/motor")
    register(world, "octo/motor")
    world.github.on_request = silent
    register(world, "octo/old-engine")
    world.github.former_names["octo/old-engine"] = 1
    world.github.on_request = lambda _: None
    with pytest.raises(Rejected, match="is registered as octo/motor"):
        world.read(world.job("octo/old-engine"))


# --- renamed and transferred afterwards ----------------------------------------------------------


def test_a_transfer_that_a_scrape_finds_keeps_the_history_and_both_names(
    world: GitHubWorld,
) -> None:
    register(world, "octo/engine")
    world.read()
    facts = world.ids()
    world.github.rename(world.repository, "acme/engine")
    assert world.refresh() == 1
    found = world.registered("acme/engine")
    assert (found.name, found.github_id, found.number) == ("acme/engine", 1, 1)
    assert world.registered("octo/engine") == found
    assert world.ids() == facts
    repositories.remove(world.services, RepositoryName.parse("acme/engine"), SYSTEM)
    for name in ("octo/engine", "acme/engine"):
        with pytest.raises(NotFound):
            world.registered(name)
    names = world.services.documents.query(Query("repository_names"))
    assert names.documents == ()


def test_a_scrape_is_asked_for_by_any_name(world: GitHubWorld) -> None:
    register(world, "octo/engine")
    world.read()
    world.github.rename(world.repository, "acme/engine")
    world.refresh()
    world.end("octo/engine")
    asked = [
        repositories.request_scrape(world.services, RepositoryName.parse(name), SYSTEM, full=False)[
            0
        ]
        for name in ("acme/engine", "octo/engine")
    ]
    assert asked[0].id == asked[1].id
    assert asked[0].repository_key == "octo~engine"


def test_a_name_that_another_repository_took_registers_that_one(world: GitHubWorld) -> None:
    register(world, "octo/engine")
    world.read()
    world.github.rename(world.repository, "octo/motor")
    world.refresh()
    world.github.repositories.append(FakeRepository(2, "octo/engine"))
    world.github.former_names.pop("octo/engine")
    with pytest.raises(Conflict, match="which is being scraped"):
        register(world, "octo/engine")
    world.end("octo/motor")
    taken = register(world, "octo/engine")
    assert taken.created
    assert _ids(world) == {"octo~engine": 2, "octo~motor": 1}
    assert world.registered("octo/engine").github_id == 2
    assert world.registered("octo/motor").github_id == 1
    assert world.registered("octo/motor").aliases == ()
    world.read(world.job("octo/engine"))
    assert world.read(world.ask("octo/motor")) == 1
    assert world.state(1).number == 1


def test_a_name_whose_former_bearer_is_not_known_to_have_left_is_not_given_away(
    world: GitHubWorld,
) -> None:
    register(world, "octo/engine")
    world.repository.name = "octo/motor"
    world.github.repositories.append(FakeRepository(2, "octo/engine"))
    # As the repository is known by this name, GitHub is not asked.
    assert not register(world, "octo/engine").created
    document = world.registered().model_copy(update={"node_id": None})
    world.services.documents.write([repositories.stored(document)])
    with pytest.raises(Conflict, match="present name is not known"):
        register(world, "octo/engine")
    with pytest.raises(Rejected, match="another repository on GitHub now"):
        world.read()


def test_who_takes_a_name_last_has_it(world: GitHubWorld) -> None:
    other = FakeRepository(2, "octo/other")
    world.github.repositories.append(other)
    for name in ("octo/engine", "octo/other"):
        register(world, name)
        world.read(world.job(name))
    world.github.rename(world.repository, "octo/motor")
    world.github.rename(other, "octo/engine")
    github_check.check(world.services)
    assert world.registered("octo/engine").github_id == 2
    assert world.registered("octo/motor").github_id == 1
    assert world.registered("octo/other").github_id == 2
    world.github.rename(other, "octo/other")
    world.github.rename(world.repository, "octo/engine")
    world.clock.advance(hours(1))
    github_check.check(world.services)
    assert world.registered("octo/engine").github_id == 1
    assert world.registered("octo/other").github_id == 2


def _ids(world: GitHubWorld) -> dict[str, int | None]:
    return {one.key: one.github_id for one in repositories.everyone(world.services)}


# --- the hourly question -------------------------------------------------------------------------


def _many(tmp_path: Path, count: int) -> GitHubWorld:
    world = github_world(
        tmp_path, [FakeRepository(n, f"octo/r{n:03}") for n in range(1, count + 1)]
    )
    for one in world.github.repositories:
        register(world, one.name)
        world.read(world.job(one.name))
        world.end(one.name)
    world.github.log.clear()
    world.clock.advance(hours(1))
    return world


def test_a_hundred_quiet_repositories_cost_two_queries(tmp_path: Path) -> None:
    world = github_world(tmp_path, [FakeRepository(n, f"octo/r{n:03}") for n in range(1, 101)])
    for one in world.github.repositories:
        register(world, one.name)
    world.github.log.clear()
    assert github_check.check(world.services) == []
    assert world.github.log == ["states 50", "states 50"]


def test_only_repositories_in_which_something_happened_are_scraped(tmp_path: Path) -> None:
    world = _many(tmp_path, 4)
    second = world.github.repositories[1]
    second.open_issue(1, world.clock())
    second.stars = 77
    (job,) = github_check.check(world.services)
    assert (job.repository, job.queue, job.stage) == ("octo/r002", "default", Stage.SYNC)
    assert world.registered("octo/r002").stars == 77
    # It is on its way, so nothing more is asked for.
    assert github_check.check(world.services) == []
    world.read(job)
    world.end("octo/r002")
    assert github_check.check(world.services) == []


def test_one_that_is_gone_says_so_and_is_scraped_when_it_is_back(tmp_path: Path) -> None:
    world = _many(tmp_path, 2)
    first = world.github.repositories[0]
    first.gone = True
    assert github_check.check(world.services) == []
    found = world.registered("octo/r001")
    assert found.status is RepositoryStatus.ERROR
    assert "is gone from GitHub" in str(found.error_message)
    first.gone = False
    (job,) = github_check.check(world.services)
    assert job.repository == "octo/r001"


def test_one_that_failed_of_something_else_waits_for_a_person(tmp_path: Path) -> None:
    world = _many(tmp_path, 1)
    failed = world.registered("octo/r001").model_copy(
        update={"status": RepositoryStatus.ERROR, "error_message": "A contradiction."}
    )
    world.services.documents.write([repositories.stored(failed)])
    world.repository.open_issue(1, world.clock())
    assert github_check.check(world.services) == []


def test_a_disabled_repository_is_not_asked_about(tmp_path: Path) -> None:
    world = _many(tmp_path, 1)
    disabled = world.registered("octo/r001").model_copy(
        update={"status": RepositoryStatus.DISABLED}
    )
    world.services.documents.write([repositories.stored(disabled)])
    assert github_check.check(world.services) == []
    assert world.github.log == []


def test_what_does_not_fit_into_a_run_is_first_in_the_next(tmp_path: Path) -> None:
    world = github_world(tmp_path, [FakeRepository(n, f"octo/r{n:03}") for n in range(1, 61)])
    for one in world.github.repositories:
        register(world, one.name)
    start = world.clock()
    world.clock.advance(hours(1))
    world.github.log.clear()
    world.github.on_answer = lambda _: world.clock.advance(github_check.TIME)
    github_check.check(world.services)
    assert world.github.log == ["states 50"]
    left = _checked(world, iso(start))
    assert len(left) == 10
    world.github.on_answer = lambda _: world.clock.advance(timedelta(seconds=60))
    github_check.check(world.services)
    assert _checked(world, iso(start)) == set()


def _checked(world: GitHubWorld, at: str) -> set[str]:
    everyone: tuple[Repository, ...] = repositories.everyone(world.services)
    return {one.name for one in everyone if one.checked_at == at}


def test_github_that_does_not_answer_leaves_the_rest_for_the_next_run(tmp_path: Path) -> None:
    world = _many(tmp_path, 1)
    world.repository.open_issue(1, world.clock())
    world.github.on_request = silent
    assert github_check.check(world.services) == []
    world.github.on_request = lambda _: None
    assert len(github_check.check(world.services)) == 1
