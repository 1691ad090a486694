"""What a removed repository leaves among the gathered events goes, and nothing else does."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from infra.gcp.archive import BigQueryArchive
from shared import forgotten, gathered, repositories
from shared.context import SYSTEM, Services
from shared.errors import RetryLater
from shared.models import RepositoryName
from shared.ports import Unit
from shared.tables import EVENTS, Dataset
from tests.support.bigquery_bench import PLACE, QUICK, Bench
from tests.support.bigquery_server import BigQueryServer
from tests.support.by_hand import by_hand
from tests.support.lines import ENGINE, WHEELS, Repo
from tests.support.manual_clock import ManualClock
from tests.support.scenario import everything, open_services
from tests.support.warehouse_rows import push, table

LATER = timedelta(hours=3)


@dataclass
class Place:
    """A backend that gathers events, whose units tests write as a gathering would."""

    services: Services
    server: BigQueryServer
    clock: ManualClock

    def register(self, *repos: Repo) -> None:
        for repo in repos:
            repositories.register(self.services, RepositoryName.parse(repo.name), SYSTEM)

    def gather(self, unit: str, after: int, *repos: Repo) -> None:
        rows = [{**push(repo.id), "repo_name": repo.name} for repo in repos]
        self.services.warehouse.replace(
            Dataset.EVENTS,
            unit,
            table(EVENTS, rows).to_batches(),
            gathered.note_of([self.clock().date()], after, after + len(repos)),
        )


@pytest.fixture
def place(tmp_path: Path, bigquery_bench: Bench) -> Place:
    """Two repositories whose events were gathered."""
    clock = ManualClock()
    bigquery_bench.now = clock
    made, _ = by_hand(open_services(tmp_path / "data", clock))
    warehouse = bigquery_bench.warehouse(QUICK)
    services = replace(
        made,
        warehouse=warehouse,
        archive=BigQueryArchive(warehouse, bigquery_bench.documents, now=clock),
    )
    found = Place(services, bigquery_bench.server, clock)
    found.register(ENGINE, WHEELS)
    found.gather("first", 0, ENGINE, WHEELS)
    for repo in (ENGINE, WHEELS):
        note_id(found, repo)
    return found


def note_id(place: Place, repo: Repo) -> None:
    """What a scrape finds out."""
    known = repositories.get(place.services, RepositoryName.parse(repo.name))
    scraped = known.model_copy(update={"github_id": repo.id})
    place.services.documents.write([repositories.stored(scraped)])


def stored(place: Place) -> Counter[int]:
    """How many rows of each repository are among the gathered events."""
    store = place.server.store
    table = store.table((PLACE.project, PLACE.dataset, "events"))
    found = store.engine.execute(f"SELECT repo_id FROM {table.sql_name}").fetchall()
    return Counter(repo_id for (repo_id,) in found)


def remove(place: Place, repo: Repo) -> None:
    repositories.remove(place.services, RepositoryName.parse(repo.name), SYSTEM)


def units(place: Place) -> tuple[Unit, ...]:
    return place.services.warehouse.units(Dataset.EVENTS)


def notes(place: Place) -> int:
    return sum(1 for _ in everything(place.services, "removed_repositories"))


def test_the_rows_of_one_that_was_removed_go_and_no_others(place: Place) -> None:
    before, there = stored(place), units(place)
    assert before.keys() == {ENGINE.id, WHEELS.id}
    remove(place, WHEELS)
    assert forgotten.sweep_events(place.services) == 0
    assert (stored(place), notes(place)) == (before, 1)
    place.clock.advance(LATER)
    assert forgotten.sweep_events(place.services) == before[WHEELS.id]
    assert stored(place) == {ENGINE.id: before[ENGINE.id]}
    assert (units(place), notes(place)) == (there, 0)
    assert forgotten.sweep_events(place.services) == 0


def test_units_of_which_nobody_is_left_go_whole(place: Place) -> None:
    for repo in (ENGINE, WHEELS):
        remove(place, repo)
    place.clock.advance(LATER)
    assert forgotten.sweep_events(place.services) > 0
    assert (units(place), stored(place), notes(place)) == ((), {}, 0)


def test_one_that_came_back_keeps_its_rows(place: Place) -> None:
    remove(place, WHEELS)
    place.clock.advance(LATER)
    place.register(WHEELS)
    place.gather("second", 2, WHEELS)
    assert stored(place)[WHEELS.id] == 2
    place.clock.advance(LATER)
    # Nobody knows yet that it is the same: the note stays.
    assert forgotten.sweep_events(place.services) == 0
    assert notes(place) == 1
    note_id(place, WHEELS)
    assert forgotten.sweep_events(place.services) == 0
    assert (stored(place)[WHEELS.id], notes(place)) == (2, 0)


def test_one_that_was_removed_before_its_id_was_known_is_found_by_its_name(
    place: Place,
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


def test_a_round_that_dies_before_its_end_is_made_good_by_the_next(place: Place) -> None:
    remove(place, WHEELS)
    place.clock.advance(LATER)
    place.server.lose_answers(method="POST", path="/jobs", times=1000)
    with pytest.raises(RetryLater):
        forgotten.sweep_events(place.services)
    assert notes(place) == 1
    place.server.recover()
    place.clock.advance(LATER)
    forgotten.sweep_events(place.services)
    assert (set(stored(place)), notes(place)) == ({ENGINE.id}, 0)
