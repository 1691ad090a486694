"""The API over a small data directory: one to read, shared by all tests, and empty ones."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from flask import Flask

from shared import audit, auth, repositories
from shared.auth import Role
from shared.context import SYSTEM, Services
from tests.support.api_client import ApiClient
from tests.support.apps import app_over
from tests.support.by_hand import HandQueue, by_hand, deliver_all
from tests.support.copies import copy_data
from tests.support.lines import COPILOT, ENGINE, WHEELS, Line, Repo, User, day, pr_opened, push
from tests.support.manual_clock import ManualClock
from tests.support.scenario import LINES, ingest, name_of, open_services

SCRIPT = User(900, '"><script>alert(1)</script>')
BACKWARDS = User(901, "\u202eevil\u2066\u05d0")
ENDLESS = User(902, "x" * 300)
SPACED = User(903, "a b?c=d&e#f%2F")
HOSTILE = (SCRIPT, BACKWARDS, ENDLESS, SPACED)

TEAM: tuple[Line, ...] = (
    *LINES,
    push(20, day(5), COPILOT, push_id=20, distinct_size=2),
    *(
        push(30 + number, day(4), somebody, push_id=30 + number, distinct_size=1)
        for number, somebody in enumerate(HOSTILE)
    ),
    *(
        pr_opened(40 + number, day(6), User(800 + number, f"guest-{number:02}"), 40 + number)
        for number in range(20)
    ),
)


@dataclass
class World:
    """An API over services whose tasks and events are delivered when a test says so."""

    services: Services
    queue: HandQueue
    clock: ManualClock
    folder: Path
    app: Flask

    def client(self, key: str | None = None) -> ApiClient:
        return ApiClient(self.app, key)

    def key(self, role: Role) -> str:
        """A new key."""
        text, write = auth.new_key(self.services, f"{role} of a test", role)
        self.services.documents.write([write])
        return text

    def ingest(self, name: str, lines: Iterable[Line]) -> None:
        ingest(self.services, self.folder / "files", {name: lines})

    def register(self, *repos: Repo) -> None:
        for repo in repos:
            repositories.register(self.services, name_of(repo), SYSTEM)
        self.work()

    def work(self) -> None:
        """Everything that waits is done, and no cache remembers how it was."""
        deliver_all(self.services, self.queue)
        self.clock.advance(timedelta(seconds=10))

    def audited(self) -> list[dict[str, object]]:
        """The audit trail, oldest first."""
        newest_first = audit.trail(self.services, limit=500).documents
        return [dict(document.fields) for document in reversed(newest_first)]

    def copy(self, folder: Path) -> World:
        """Another world in which the same has happened and nothing waits."""
        assert self.queue.depths() == {"all": 0}
        copy_data(self.folder / "data", folder / "data")
        made = _open(folder, ManualClock(self.clock()))
        made.queue.remember(self.queue)
        return made


def _open(folder: Path, clock: ManualClock) -> World:
    services, queue = by_hand(open_services(folder / "data", clock, retry_seconds=()))
    return World(services, queue, clock, folder, app_over(lambda: services))


@pytest.fixture(scope="session")
def make_world(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], World]:
    def make() -> World:
        return _open(tmp_path_factory.mktemp("world"), ManualClock())

    return make


@pytest.fixture(scope="session")
def registered(
    make_world: Callable[[], World], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[tuple[Repo, ...]], World]:
    """Worlds like ``fresh`` in which some repositories have boards, each counted once only."""
    made: dict[tuple[Repo, ...], World] = {}

    def copied(repos: tuple[Repo, ...]) -> World:
        if repos not in made:
            made[repos] = make_world()
            made[repos].ingest("team.json.gz", TEAM)
            made[repos].register(*repos)
        return made[repos].copy(tmp_path_factory.mktemp("world"))

    return copied


@pytest.fixture(scope="session")
def team(make_world: Callable[[], World]) -> World:
    """Two repositories with boards. To be read only."""
    world = make_world()
    world.ingest("team.json.gz", TEAM)
    world.register(ENGINE, WHEELS)
    return world


@pytest.fixture(scope="session")
def api(team: World) -> ApiClient:
    """A client of the team's API, without a key."""
    return team.client()


@pytest.fixture
def fresh(make_world: Callable[[], World]) -> World:
    """Nothing registered, and the same events ingested."""
    world = make_world()
    world.ingest("team.json.gz", TEAM)
    return world


@pytest.fixture
def engine(registered: Callable[[tuple[Repo, ...]], World]) -> World:
    """As ``fresh``, after ``register(ENGINE)``."""
    return registered((ENGINE,))


@pytest.fixture
def both(registered: Callable[[tuple[Repo, ...]], World]) -> World:
    """As ``fresh``, after ``register(ENGINE, WHEELS)``."""
    return registered((ENGINE, WHEELS))


@pytest.fixture
def quiet() -> Iterator[None]:
    """No lines of log: of thousands of requests, or among what is printed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()
