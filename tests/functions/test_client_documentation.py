"""The examples of docs/client.md, run in order by a client of a server on loopback."""

from __future__ import annotations

import doctest
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.cli.sample import sample_names, sample_sources
from infra.clock import utc_now
from infra.ingest import ingest_file
from shared import repositories
from shared.auth import Role
from shared.context import SYSTEM
from tests.functions.conftest import World
from tests.support.serving import served

PAGE = Path(__file__).parents[2] / "docs" / "client.md"


@pytest.fixture
def place(make_world: Callable[[], World]) -> Iterator[tuple[str, str]]:
    """A server of the sample, and the key of an admin."""
    world = make_world()
    for source in sample_sources():
        assert source.path is not None
        ingest_file(world.services.warehouse, source.path, now=utc_now())
    for name in sample_names():
        repositories.register(world.services, name, SYSTEM)
    world.work()
    with served(world.app) as url:
        yield url, world.key(Role.ADMIN)


@pytest.mark.usefixtures("quiet")
def test_the_examples_show_what_they_give(
    place: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.chdir(tmp_path)
    url, key = place
    text = PAGE.read_text(encoding="utf-8").replace("http://localhost:8080", url)
    found = doctest.DocTestParser().get_doctest(
        text.replace("lb_...", key), {}, PAGE.name, str(PAGE), 0
    )
    assert len(found.examples) == PAGE.read_text(encoding="utf-8").count(">>> ") >= 20
    told: list[str] = []
    doctest.DocTestRunner().run(found, out=told.append, clear_globs=False)
    found.globs["leaderboard"].close()
    assert not told, "".join(told).replace(key, "lb_...")
