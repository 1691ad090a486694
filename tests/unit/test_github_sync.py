"""Reading a repository's lists from GitHub: everything once, what is new, whatever happens."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared import capture, github_sync, job_steps, jobs, repositories, retention
from shared.context import SYSTEM
from shared.errors import NotFound, RetryLater
from shared.jobs import RepositoryStatus, Stage, State
from shared.models import Kind, iso
from shared.tables import Dataset
from tests.support.fake_github import ANA, BEN, FakeRepository, hours
from tests.support.github_world import GitHubWorld, github_world
from tests.support.manual_clock import ManualClock
from tests.support.watched_ports import watched


class Killed(BaseException):
    """Ends a step as SIGKILL would."""


@pytest.fixture
def world(tmp_path: Path) -> GitHubWorld:
    made = github_world(tmp_path)
    made.register()
    return made


EVERYTHING = {
    *(f"pull-{number}-opened" for number in range(1, 8)),
    "pull-2-merged",
    *(f"review-{id_}" for id_ in range(1, 6)),
    "issue-8-opened",
    "issue-8-closed-1742292000000000",
    "issue-9-opened",
    *(f"commit-c{number}" for number in range(1, 7)),
    "comment-1",
    "comment-2",
    "review-comment-3",
    "commit-comment-4",
    "release-5",
}


def test_a_first_scrape_reads_every_list(world: GitHubWorld) -> None:
    world.read()
    assert world.ids() == EVERYTHING
    state = world.state()
    assert state.pages == 0
    assert len(state.held) == len(world.services.warehouse.units(Dataset.GITHUB_EVENTS)) == 1
    now = world.clock()
    for kind in Kind:
        assert state.known(kind) == (now - timedelta(days=730), now)


def test_a_quiet_repository_costs_one_request(world: GitHubWorld) -> None:
    world.read()
    units = world.state().units
    assert world.refresh() == 1
    assert world.github.log[-1] == "states 1"
    assert world.state().units == units
    known = world.state().known(Kind.PR_MERGED)
    assert known is not None
    assert known[1] == world.clock()


def test_only_lists_that_may_have_something_new_are_read(world: GitHubWorld) -> None:
    world.read()
    world.clock.advance(hours(1))
    world.repository.commit("c7", world.clock() - hours(0.5))
    world.refresh()
    assert [request.split()[0] for request in world.github.log[-5:]] == [
        "states", "compare", "commits", "commit_comments", "releases",
    ]  # fmt: skip
    assert world.ids() == EVERYTHING | {"commit-c7"}


def test_what_happens_between_two_scrapes_is_found_by_the_second(world: GitHubWorld) -> None:
    world.read()
    now, told = world.clock(), world.repository
    told.merge(5, now + hours(0.1))
    told.review(1, 11, now + hours(0.2))
    told.open_pull(20, now + hours(0.2))
    told.close_issue(9, now + hours(0.3))
    told.comment(12, 9, now + hours(0.4))
    told.comment(13, 20, now + hours(0.4), on_lines=True)
    told.comment_commit(14, "c2", now + hours(0.5))
    told.release(15, now + hours(0.5))
    requests = world.refresh()
    assert world.ids() - EVERYTHING == {
        "pull-5-merged", "review-11", "pull-20-opened", "issue-9-closed-1742473080000000",
        "comment-12", "review-comment-13", "commit-comment-14", "release-15",
    }  # fmt: skip
    assert world.ids() >= EVERYTHING
    assert requests == 8


def test_what_was_there_before_the_history_is_not_read(tmp_path: Path) -> None:
    world = github_world(tmp_path, history_days=3)
    world.register()
    world.read()
    assert world.ids() == EVERYTHING - {
        *(f"pull-{number}-opened" for number in (1, 4, 5, 6, 7)),
        "pull-2-opened", "pull-2-merged",
    }  # fmt: skip


# --- kills -------------------------------------------------------------------------------------


def _small_pages(folder: Path) -> GitHubWorld:
    made = github_world(folder)
    made.github.pages, made.github.reviews_with_pull = 2, 1
    made.register()
    made.github.log.clear()
    return made


def test_killed_after_every_request_in_turn_it_finds_the_same_and_repeats_one_at_most(
    tmp_path: Path,
) -> None:
    undisturbed = _small_pages(tmp_path / "undisturbed")
    total = undisturbed.read()
    assert total > 15
    for number in range(1, total + 1):
        world = _small_pages(tmp_path / str(number))
        world.github.on_answer = _killing(world, number)
        with pytest.raises(Killed):
            world.read()
        world.read()
        assert world.facts() == undisturbed.facts()
        assert len(world.github.log) <= total + 1


def _killing(world: GitHubWorld, at: int) -> Any:
    start = len(world.github.log)

    def kill(_: str) -> None:
        if len(world.github.log) == start + at:
            world.github.on_answer = lambda _: None
            raise Killed

    return kill


@pytest.mark.parametrize("side", ["before", "after"])
def test_killed_at_every_call_of_a_port_while_history_is_rewritten_it_repeats_one_at_most(
    tmp_path: Path, side: str
) -> None:
    def start(folder: Path) -> tuple[GitHubWorld, jobs.Job]:
        world = github_world(folder)
        world.register()
        world.read()
        _rewrite(world)
        world.clock.advance(hours(1))
        world.github.log.clear()
        return world, world.ask()

    calls = 0

    def around(_: str, call: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == fatal and side == "before":
            raise Killed
        answer = call()
        if calls == fatal and side == "after":
            raise Killed
        return answer

    fatal = 0
    undisturbed, job = start(tmp_path / "undisturbed")
    services = undisturbed.services
    undisturbed.services = watched(services, around)
    requests = undisturbed.read(job)
    total, expected = calls, undisturbed.facts()
    for fatal in range(1, total - 1):
        calls = 0
        world, job = start(tmp_path / str(fatal))
        world.services = watched(world.services, around)
        with pytest.raises(Killed):
            world.read(job)
        world.read(job)
        assert world.facts() == expected
        assert len(world.github.log) <= requests + 1
        assert len(world.services.warehouse.units(Dataset.GITHUB_EVENTS)) == 1


def _rewrite(world: GitHubWorld) -> None:
    """A force push: c5 and c6 go, d5 comes."""
    told = world.repository
    del told.branch[-2:]
    told.commit("d5", world.clock() - hours(0.5))


# --- the branch --------------------------------------------------------------------------------


def test_commits_that_land_late_are_found_whatever_their_dates(world: GitHubWorld) -> None:
    world.read()
    world.github.pages = 2
    for number in range(5):
        world.repository.commit(f"late{number}", world.clock() - hours(500 + number))
    world.refresh()
    assert world.ids() == EVERYTHING | {f"commit-late{number}" for number in range(5)}


@pytest.mark.parametrize("is_collected", [False, True])
def test_after_a_force_push_the_vanished_commits_are_gone(
    world: GitHubWorld, is_collected: bool
) -> None:
    world.read()
    _rewrite(world)
    if is_collected:
        del world.repository.objects["c6"]
    world.refresh()
    expected = EVERYTHING - {"commit-c5", "commit-c6"} | {"commit-d5"}
    assert world.ids() == expected
    stored = world.services.warehouse.units(Dataset.GITHUB_EVENTS)
    assert [unit.rows for unit in stored] == [len(expected)]
    assert world.refresh() == 1


def test_a_branch_that_was_emptied_has_no_commits(world: GitHubWorld) -> None:
    world.read()
    world.repository.branch.clear()
    world.refresh()
    assert world.ids() == {id_ for id_ in EVERYTHING if not id_.startswith("commit-c")} | {
        "commit-comment-4"
    }


# --- lists that change while they are walked ---------------------------------------------------


def test_all_reviews_are_read_of_a_pull_request_that_has_more_than_come_with_it(
    world: GitHubWorld,
) -> None:
    for id_ in range(100, 175):
        world.repository.review(4, id_, world.clock() - hours(1))
    world.read()
    assert {f"review-{id_}" for id_ in range(100, 175)} <= world.ids()
    assert [r for r in world.github.log if r.startswith("reviews")] == ["reviews 4 30"]


def test_what_moves_while_its_list_is_walked_is_not_missed(tmp_path: Path) -> None:
    world = github_world(tmp_path)
    world.github.pages = 2
    world.register()
    told, now = world.repository, world.clock()

    def move(request: str) -> None:
        # Not reached yet by the walk, it comes to the top of the list while the second page is
        # asked for, with a review from before the scrape.
        if request.startswith("pulls 2025") and 1 in told.pulls and not told.pulls[1].reviews:
            told.review(1, 77, now - timedelta(minutes=1))

    world.github.on_request = move
    world.read()
    assert world.ids() == EVERYTHING | {"review-77"}


def test_comments_that_are_edited_while_they_are_listed_are_not_missed(tmp_path: Path) -> None:
    told = FakeRepository(1, "octo/engine")
    clock = ManualClock()
    told.open_issue(1, clock() - hours(900))
    for id_ in range(250):
        told.comment(id_, 1, clock() - hours(800 - id_))
    world = github_world(tmp_path, [told])
    world.register()

    def edit(request: str) -> None:
        """Each page but the first begins with others than it would have had."""
        if request.startswith("comments issue"):
            for id_ in range(60):
                comment = told.issue_comments[id_]
                told.issue_comments[id_] = replace(comment, updated_at=clock())

    world.github.on_answer = edit
    world.read()
    assert {f"comment-{id_}" for id_ in range(250)} <= world.ids()


def test_many_comments_of_one_moment_are_all_read(tmp_path: Path) -> None:
    told = FakeRepository(1, "octo/engine")
    at = ManualClock()() - hours(5)
    told.open_issue(1, at)
    for id_ in range(230):
        told.comment(id_, 1, at)
    world = github_world(tmp_path, [told])
    world.register()
    world.read()
    assert {f"comment-{id_}" for id_ in range(230)} <= world.ids()


def test_comments_on_commits_are_read_on_from_the_last_full_page(tmp_path: Path) -> None:
    world = github_world(tmp_path)
    for id_ in range(100, 340):
        world.repository.comment_commit(id_, "c1", world.clock() - hours(5))
    world.register()
    world.read()
    world.repository.comment_commit(400, "c2", world.clock() + hours(0.5))
    world.refresh()
    pages = [request for request in world.github.log if request.startswith("commit_comments")]
    assert pages == [f"commit_comments {number}" for number in (1, 2, 3, 2, 3)]
    assert {f"commit-comment-{id_}" for id_ in (*range(100, 340), 400)} <= world.ids()


# --- refusals ----------------------------------------------------------------------------------


def test_a_cursor_that_is_refused_begins_its_walk_anew(tmp_path: Path) -> None:
    undisturbed = _small_pages(tmp_path / "undisturbed")
    undisturbed.read()
    for stream in ("pulls", "reviews", "history"):
        world = _small_pages(tmp_path / stream)
        cursors = [r for r in undisturbed.github.log if r.startswith(stream) and "None" not in r]
        world.github.refused = {cursors[-1].removeprefix(stream).strip().removeprefix("3 ")}
        world.read()
        assert not world.github.refused
        assert world.facts() == undisturbed.facts()


def test_cursors_that_are_refused_for_ever_do_not_keep_it_busy(world: GitHubWorld) -> None:
    world.github.pages = 2
    refusing = _Always()
    world.github.refused = refusing
    with pytest.raises(RetryLater, match="its own cursors"):
        world.read()
    assert len(world.github.log) < 15


class _Always(set[str]):
    """All cursors there are."""

    def __contains__(self, _: object) -> bool:
        return True


def _run(world: GitHubWorld) -> jobs.Job:
    """The next delivery of the job's current dispatch."""
    job = world.job()
    job_steps.run(
        world.services, job.id, job.dispatches, job.task_name,
        lambda running: github_sync.sync(world.services, running),
    )  # fmt: skip
    return jobs.get(world.services, job.id)


def test_a_limit_in_the_middle_postpones_the_job_and_loses_nothing(world: GitHubWorld) -> None:
    renewal = world.clock() + hours(1)

    def limited(_: str) -> None:
        if len(world.github.log) >= 4 and world.clock() < renewal:
            raise RetryLater("The hour's requests are used up.", not_before=renewal)

    world.github.on_request = limited
    job = _run(world)
    assert (job.state, job.stage, job.failures) == (State.RUNNING, Stage.SYNC, 0)
    for _ in range(6):  # however often: no failure is held against it
        job = _run(world)
        assert (job.state, job.failures) == (State.QUEUED, 0)
        assert job.waits_until == iso(renewal)
        assert world.queue.tasks[-1].not_before == renewal
    assert len(world.github.log) == 4
    world.clock.now = renewal
    while world.job().stage is Stage.SYNC:
        _run(world)
    assert world.ids() == EVERYTHING
    assert len(world.github.log) == len(set(world.github.log))


def test_a_repository_that_is_gone_fails_its_job_with_the_reason(world: GitHubWorld) -> None:
    world.read()
    world.repository.gone = True
    world.ask()
    job = _run(world)
    assert job.state is State.FAILED
    assert job.error is not None
    assert "is gone from GitHub" in job.error.message
    assert world.registered().status is RepositoryStatus.ERROR
    assert world.registered().error_message == job.error.message


def test_reading_follows_the_archive_where_there_is_one(world: GitHubWorld) -> None:
    archived: Any = object()
    services = world.services
    assert jobs.first_stage(replace(services, archive=archived)) is Stage.CAPTURE
    assert jobs.first_stage(services) is Stage.SYNC
    assert capture.capture(services, world.job()) == (Stage.SYNC, {})
    assert jobs.first_stage(replace(services, github=None)) is Stage.SCRAPE


def test_no_more_are_read_at_once_than_are_scraped_at_once(tmp_path: Path) -> None:
    world = github_world(tmp_path, [FakeRepository(n, f"octo/r{n}") for n in range(1, 5)])
    begun: list[str] = []

    def begin(running: jobs.Job) -> Any:
        begun.append(str(running.repository))
        raise Killed

    for one in world.github.repositories:
        job = jobs.get(world.services, str(world.register(one.name).active_job))
        with contextlib.suppress(Killed):
            job_steps.run(world.services, job.id, 0, f"{job.task_name}#0", begin)
    assert begun == ["octo/r1", "octo/r2", "octo/r3"]


def test_without_a_token_github_is_not_read(world: GitHubWorld) -> None:
    world.github.reads_contributions = False
    before = len(world.github.log)
    assert world.read() == 0
    assert len(world.github.log) == before
    assert world.facts() == []


# --- full scrapes, units, removal --------------------------------------------------------------


def test_a_full_scrape_reads_everything_anew_and_forgets_what_is_gone(world: GitHubWorld) -> None:
    world.read()
    del world.repository.issue_comments[1]
    del world.repository.pulls[7]
    world.refresh(full=True)
    assert world.ids() == EVERYTHING - {"comment-1", "pull-7-opened"}
    assert world.refresh() == 1


def test_a_full_scrape_keeps_what_it_is_not_to_read_again(world: GitHubWorld) -> None:
    world.read()
    since = world.clock() - hours(30)
    document = world.registered().model_copy(update={"never_rescrape_before": iso(since)})
    world.services.documents.write([repositories.stored(document)])
    world.refresh(full=True)
    assert world.ids() == EVERYTHING
    known = world.state().known(Kind.RELEASE)
    assert known is not None
    assert known == (ManualClock()() - timedelta(days=730), world.clock())


def test_a_full_scrape_that_follows_one_that_was_cut_short_begins_anew(
    world: GitHubWorld,
) -> None:
    world.github.on_answer = _killing(world, 4)
    with pytest.raises(Killed):
        world.read()
    world.refresh(full=True)
    assert world.ids() == EVERYTHING


def test_an_increment_ends_what_another_job_began_and_then_does_its_own(
    world: GitHubWorld,
) -> None:
    world.github.on_answer = _killing(world, 4)
    with pytest.raises(Killed):
        world.read()
    world.repository.open_pull(30, world.clock() + hours(0.5), BEN)
    world.refresh()
    assert world.ids() == EVERYTHING | {"pull-30-opened"}
    known = world.state().known(Kind.PR_OPENED)
    assert known is not None
    assert known[1] == world.clock()


def test_many_units_are_gathered_into_one(world: GitHubWorld) -> None:
    world.read()
    for number in range(30):
        world.clock.advance(hours(1))
        world.repository.open_pull(100 + number, world.clock() - hours(0.1), ANA)
        world.refresh()
        units = world.services.warehouse.units(Dataset.GITHUB_EVENTS)
        assert len(units) <= 10
        assert {unit.name for unit in units} == set(world.state().held)
    assert world.ids() == EVERYTHING | {f"pull-{100 + number}-opened" for number in range(30)}


def test_two_steps_at_once_end_with_what_one_finds(world: GitHubWorld) -> None:
    other = github_sync.sync

    def intrude(request: str) -> None:
        if request.startswith("issues"):
            world.github.on_answer = lambda _: None
            other(world.services, world.job())

    world.github.on_answer = intrude
    with pytest.raises(Exception, match="Another step"):
        world.read()
    world.read()
    assert world.ids() == EVERYTHING


def test_a_repository_that_is_removed_while_it_is_read_leaves_nothing(world: GitHubWorld) -> None:
    def remove(request: str) -> None:
        if request.startswith("issues"):
            repositories.remove(world.services, world.registered().registered_as, SYSTEM)

    world.github.on_answer = remove
    with pytest.raises(NotFound):
        world.read()
    assert world.services.documents.get("github/1", "github_pages/1~0") == (None, None)
    assert world.services.warehouse.units(Dataset.GITHUB_EVENTS) == ()


def test_who_is_registered_anew_is_read_anew(world: GitHubWorld) -> None:
    requests = world.read()
    repositories.remove(world.services, world.registered().registered_as, SYSTEM)
    assert world.facts() == []
    world.register()
    assert world.read() == requests
    assert world.ids() == EVERYTHING
    assert world.state().number == 2


def test_what_a_kill_left_behind_is_swept_up(world: GitHubWorld) -> None:
    world.read()
    state = world.state()
    warehouse = world.services.warehouse
    for repo_id, n in ((1, 0), (1, state.units), (77, 0)):
        about = {"repo_id": repo_id, "number": 1, "n": n}
        warehouse.replace(Dataset.GITHUB_EVENTS, f"repository-{repo_id}-{n}-9", (), about)
    assert retention.apply(world.services, "round")["github"] == 2
    kept = {unit.name for unit in warehouse.units(Dataset.GITHUB_EVENTS)}
    assert kept == {*state.held, f"repository-1-{state.units}-9"}
    world.services.documents.write([replace(w, fields=None) for w in [_stored(world)]])
    assert retention.apply(world.services, "another")["github"] == 2
    assert warehouse.units(Dataset.GITHUB_EVENTS) == ()
    assert world.services.documents.get("github/1") == (None,)


def _stored(world: GitHubWorld) -> Any:
    return repositories.stored(world.registered())


# --- what it costs -----------------------------------------------------------------------------


def test_a_repository_of_a_thousand_pull_requests_costs_a_request_a_page(tmp_path: Path) -> None:
    clock = ManualClock()
    told = FakeRepository(1, "octo/engine")
    for number in range(1, 1001):
        at = clock() - hours(5000 - 4 * number)
        told.open_pull(number, at)
        told.review(number, number, at)
        told.comment(number, number, at)
        told.comment(number, number, at, on_lines=True)
        told.merge(number, at)
        told.commit(f"c{number}", at)
    world = github_world(tmp_path, [told])
    world.github.pages = 50
    world.register()
    assert len(world.github.log) == 1
    pages = {"states": 1, "pulls": 21, "issues": 1, "history": 20, "comments": 22, "releases": 1}
    assert world.read() == sum(pages.values()) == 66
    asked = [request.split()[0] for request in world.github.log[1:]]
    assert {name: asked.count(name) for name in pages} == pages
    assert len(world.facts()) == 6000
