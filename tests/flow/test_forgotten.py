"""What a removed repository leaves among the gathered events goes, and nothing else does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from shared import forgotten, repositories
from shared.context import SYSTEM
from shared.errors import RetryLater
from shared.models import RepositoryName
from shared.ports import Unit
from shared.tables import Dataset
from tests.support.bigquery_bench import PLACE, make_tables
from tests.support.bigquery_server import BigQueryServer, bigquery
from tests.support.capture_place import LoopbackPlace, loopback_place
from tests.support.lines import ENGINE, WHEELS, Repo
from tests.support.scenario import everything

LATER = timedelta(hours=3)


@pytest.fixture
def server() -> Iterator[BigQueryServer]:
    with bigquery() as running:
        make_tables(running)
        yield running


@pytest.fixture
def place(tmp_path: Path, server: BigQueryServer) -> LoopbackPlace:
    """Two repositories whose events were gathered, and nothing done with them yet."""
    found = loopback_place(tmp_path, server)
    found.register(ENGINE.name, WHEELS.name)
    found.capture()
    for repo in (ENGINE, WHEELS):
        note_id(found, repo)
    return found


def note_id(place: LoopbackPlace, repo: Repo) -> None:
    """What a scrape finds out."""
    known = repositories.get(place.services, RepositoryName.parse(repo.name))
    scraped = known.model_copy(update={"github_id": repo.id})
    place.services.documents.write([repositories.stored(scraped)])


def stored(place: LoopbackPlace) -> Counter[int]:
    """How many rows of each repository are among the gathered events."""
    store = place.server.store
    table = store.table((PLACE.project, PLACE.dataset, "events"))
    found = store.engine.execute(f"SELECT repo_id FROM {table.sql_name}").fetchall()
    return Counter(repo_id for (repo_id,) in found)


def remove(place: LoopbackPlace, repo: Repo) -> None:
    repositories.remove(place.services, RepositoryName.parse(repo.name), SYSTEM)


def units(place: LoopbackPlace) -> tuple[Unit, ...]:
    return place.services.warehouse.units(Dataset.EVENTS)


def notes(place: LoopbackPlace) -> int:
    return sum(1 for _ in everything(place.services, "removed_repositories"))


def test_the_rows_of_one_that_was_removed_go_and_no_others(place: LoopbackPlace) -> None:
    before, gathered = stored(place), units(place)
    assert before.keys() == {ENGINE.id, WHEELS.id}
    remove(place, WHEELS)
    assert forgotten.sweep_events(place.services) == 0
    assert (stored(place), notes(place)) == (before, 1)
    place.clock.advance(LATER)
    assert forgotten.sweep_events(place.services) == before[WHEELS.id]
    assert stored(place) == {ENGINE.id: before[ENGINE.id]}
    assert (units(place), notes(place)) == (gathered, 0)
    assert forgotten.sweep_events(place.services) == 0


def test_units_of_which_nobody_is_left_go_whole(place: LoopbackPlace) -> None:
    for repo in (ENGINE, WHEELS):
        remove(place, repo)
    place.clock.advance(LATER)
    assert forgotten.sweep_events(place.services) > 0
    assert (units(place), stored(place), notes(place)) == ((), {}, 0)


def test_one_that_came_back_keeps_its_rows(place: LoopbackPlace) -> None:
    remove(place, WHEELS)
    place.clock.advance(LATER)
    place.register(WHEELS.name)
    place.capture()
    anew = stored(place)[WHEELS.id]
    place.clock.advance(LATER)
    # Nobody knows yet that it is the same: the note stays.
    assert forgotten.sweep_events(place.services) == 0
    assert notes(place) == 1
    note_id(place, WHEELS)
    assert forgotten.sweep_events(place.services) == 0
    assert (stored(place)[WHEELS.id], notes(place)) == (anew, 0)


def test_one_that_was_removed_before_its_id_was_known_is_found_by_its_name(
    place: LoopbackPlace,
) -> None:
    (note,) = repositories._noted_removal(
        place.services,
        repositories.get(place.services, RepositoryName.parse(WHEELS.name)).model_copy(
            update={"github_id": None}
        ),
    )
    remove(place, WHEELS)
    place.services.documents.write([note])
    place.clock.advance(LATER)
    forgotten.sweep_events(place.services)
    assert stored(place).keys() == {ENGINE.id}


def test_a_round_that_dies_before_its_end_is_made_good_by_the_next(place: LoopbackPlace) -> None:
    remove(place, WHEELS)
    place.clock.advance(LATER)
    place.server.lose_answers(method="POST", path="/jobs", times=1000)
    with pytest.raises(RetryLater):
        forgotten.sweep_events(place.services)
    assert notes(place) == 1
    place.server.recover()
    place.clock.advance(LATER)
    forgotten.sweep_events(place.services)
    assert (stored(place).keys(), notes(place)) == ({ENGINE.id}, 0)
