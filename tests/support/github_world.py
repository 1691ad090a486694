"""Repositories that are read from a GitHub in memory, on a clock that a test moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from shared import github_sync, jobs, repositories, sync_state
from shared.context import SYSTEM, Services
from shared.jobs import Job, Stage
from shared.models import RepositoryName
from shared.repositories import Repository
from shared.sync_state import SyncState
from tests.support.by_hand import HandQueue, by_hand
from tests.support.fake_github import BEN, CLEO, FakeGitHub, FakeRepository, hours
from tests.support.manual_clock import ManualClock
from tests.support.scenario import open_services

NAME = "octo/engine"
SECRET = "a secret of sixteen"


@dataclass
class GitHubWorld:
    """Services that read from ``github``, whose tasks wait."""

    services: Services
    github: FakeGitHub
    clock: ManualClock
    queue: HandQueue

    @property
    def repository(self) -> FakeRepository:
        return self.github.repositories[0]

    def register(self, name: str = NAME) -> Repository:
        """A registered repository, with its first job."""
        return repositories.register(self.services, RepositoryName.parse(name), SYSTEM).repository

    def ask(self, name: str = NAME, *, full: bool = False) -> Job:
        """A scrape of a repository whose last one has ended."""
        self.end(name)
        asked, _ = repositories.request_scrape(
            self.services, RepositoryName.parse(name), SYSTEM, full=full
        )
        return asked

    def end(self, name: str = NAME) -> None:
        """As the end of a scrape's later stages does."""
        found = self.registered(name).model_copy(update={"active_job": None})
        self.services.documents.write([repositories.stored(found)])

    def registered(self, name: str = NAME) -> Repository:
        return repositories.get(self.services, RepositoryName.parse(name))

    def job(self, name: str = NAME) -> Job:
        return jobs.get(self.services, str(self.registered(name).active_job))

    def read(self, job: Job | None = None) -> int:
        """Steps of a job until GitHub's lists are read. Returns how many requests were made."""
        before = len(self.github.log)
        working = job or self.job()
        for _ in range(200):
            stage, _ = github_sync.sync(self.services, working)
            if stage is Stage.SCRAPE:
                return len(self.github.log) - before
        raise AssertionError("it never ends")

    def refresh(self, *, full: bool = False, after: timedelta = timedelta(hours=1)) -> int:
        """Later, what is new. Returns how many requests were made."""
        self.clock.advance(after)
        return self.read(self.ask(full=full))

    def facts(self, repo_id: int = 1) -> list[dict[str, Any]]:
        """The events as they hold, without when they were observed."""
        found = self.services.warehouse.query(
            "compact_github_events", {"repo_ids": [repo_id], "reread": "[]"}
        )
        rows: list[dict[str, Any]] = found.drop_columns(["observed_at"]).to_pylist()
        return rows

    def ids(self, repo_id: int = 1) -> set[str]:
        return {str(row["event_id"]) for row in self.facts(repo_id)}

    def state(self, repo_id: int = 1) -> SyncState:
        (document,) = self.services.documents.get(sync_state.path(repo_id))
        assert document is not None
        return sync_state.read(document)


def github_world(
    folder: Path, repositories_: Sequence[FakeRepository] | None = None, **settings: object
) -> GitHubWorld:
    """A world in a folder; with the small history of ``story`` unless others are given."""
    clock = ManualClock()
    chosen: dict[str, object] = {"mail_secret": SECRET, **settings}
    services, queue = by_hand(open_services(folder, clock, **chosen))
    github = FakeGitHub(list(repositories_ or [story(clock)]))
    return GitHubWorld(replace(services, github=github), github, clock, queue)


def story(clock: ManualClock) -> FakeRepository:
    """Something in every list, over the last days."""
    now = clock()
    told = FakeRepository(1, NAME)
    for number in range(1, 8):
        told.open_pull(number, now - hours(100 - number))
    told.merge(2, now - hours(80))
    for id_ in range(1, 6):
        told.review(3, id_, now - hours(70 - id_), BEN if id_ % 2 else CLEO)
    told.open_issue(8, now - hours(60))
    told.close_issue(8, now - hours(50))
    told.open_issue(9, now - hours(49))
    for number in range(1, 7):
        told.commit(f"c{number}", now - hours(48 - number), parents=2 if number == 4 else 1)
    told.comment(1, 8, now - hours(20))
    told.comment(2, 3, now - hours(19))
    told.comment(3, 3, now - hours(18), on_lines=True)
    told.comment_commit(4, "c1", now - hours(17))
    told.release(5, now - hours(16))
    return told
