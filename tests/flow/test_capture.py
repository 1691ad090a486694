"""From the public archive to the boards: each table is scanned once, within the budget."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared import job_steps, repositories, staleness
from shared.boards import repository_board
from shared.budget import Budget
from shared.context import SYSTEM
from shared.jobs import RepositoryStatus, Stage, State
from shared.models import RepositoryName
from shared.ports import Query
from tests.support.archive_bench import DAY_BYTES
from tests.support.by_hand import by_hand, deliver_all
from tests.support.capture_place import (
    DAYS,
    EVERY_DAY,
    LAST,
    LONG,
    BenchPlace,
    Place,
    many,
    place_of,
)
from tests.support.lines import ANA, ENGINE, WHEELS, Repo, day, push
from tests.support.scenario import LINES, ingest, open_services, receipts


def on_board(place: Place, repo: Repo) -> int:
    """How many are on a repository's board."""
    return place.services.boards.head(repository_board(repo.id), "all").total


def test_the_boards_are_those_of_the_same_hours_as_files(tmp_path: Path) -> None:
    place = place_of(tmp_path / "archive", first=date(2023, 1, 1), **LONG)
    place.register(ENGINE.name, WHEELS.name)
    place.work()
    assert {job.state for job in place.jobs()} == {State.COMPLETED}

    files, queue = by_hand(open_services(tmp_path / "files"))
    ingest(files, tmp_path / "hours", {"events.json.gz": LINES})
    for name in (ENGINE.name, WHEELS.name):
        repositories.register(files, RepositoryName.parse(name), SYSTEM)
    deliver_all(files, queue)
    assert receipts(place.services)
    assert receipts(place.services) == receipts(files)
    assert next(name for name in place.bench.scanned if name.startswith("month")) == "month.202502"


@pytest.mark.parametrize("count", [1, 10, 100])
def test_however_many_repositories_each_table_is_scanned_once(tmp_path: Path, count: int) -> None:
    names, lines = many(count)
    place = place_of(tmp_path, lines)
    place.register(*names)
    place.capture()
    assert sorted(place.bench.scanned) == EVERY_DAY
    gathered = [usage for usage in place.bench.usages.values() if "gather" in usage.statement]
    assert len(gathered) == 1
    ids = place.services.warehouse.query("find_repositories", {"names": names})
    assert ids.num_rows == count


def test_who_is_registered_later_scans_nothing_again(tmp_path: Path) -> None:
    place = place_of(tmp_path)
    place.register(ENGINE.name)
    place.work()
    scanned = list(place.bench.scanned)
    place.register(WHEELS.name)
    place.work()
    assert place.bench.scanned == scanned
    assert place.status(WHEELS.name) is RepositoryStatus.COMPLETED


def test_with_the_scope_registered_a_later_one_scans_all_again(tmp_path: Path) -> None:
    place = place_of(tmp_path, archive_scope="registered")
    place.register(ENGINE.name)
    place.work()
    assert len(place.bench.scanned) == DAYS
    place.register(WHEELS.name)
    place.work()
    assert len(place.bench.scanned) == 2 * DAYS
    assert place.status(WHEELS.name) is RepositoryStatus.COMPLETED


def test_both_scopes_give_the_same_receipts(tmp_path: Path) -> None:
    found = []
    for scope in ("all", "registered"):
        place = place_of(tmp_path / scope, archive_scope=scope)
        place.register(ENGINE.name, WHEELS.name)
        place.work()
        found.append(receipts(place.services))
    assert found[0]
    assert found[0] == found[1]


def test_what_the_budget_does_not_allow_waits_and_goes_on_the_next_day(tmp_path: Path) -> None:
    place = place_of(tmp_path, budget_daily_usd="1")
    a_day = int(2**40 / 6.25) // DAY_BYTES
    place.register(ENGINE.name)
    place.work()
    first = list(place.bench.scanned)
    assert 0 < len(first) < a_day + 1
    assert min(first) == f"day.202503{20 - len(first):02d}"  # the newest
    (job,) = [job for job in place.jobs() if job.repository]
    assert job.state is State.COMPLETED
    assert job.result["days_waiting"] == DAYS - len(first)

    place.clock.advance(timedelta(days=1))
    staleness.refresh_stale(place.services, 5)
    place.work()
    assert sorted(place.bench.scanned) == EVERY_DAY[1:]  # two years end a day later, too
    assert on_board(place, ENGINE) > 0


def test_a_repository_of_which_nothing_was_read_yet_waits_with_a_date(tmp_path: Path) -> None:
    place = place_of(tmp_path, budget_daily_usd="0.30")
    place.register(ENGINE.name)
    for days in range(5):
        place.work()
        (job,) = [job for job in place.jobs() if job.repository]
        scanned = len(place.bench.scanned)
        if job.ended:
            break
        # Nothing happened there on the newest days: it goes on when the budget is renewed.
        assert scanned == 3 * (days + 1)
        assert job.error is not None
        assert "2025-03-2" in job.error.message
        place.clock.now = place.services.budget.room().renews_at + timedelta(seconds=1)
    assert job.state is State.COMPLETED
    assert scanned == 9


def test_the_newest_day_is_the_only_one_that_a_refresh_scans(tmp_path: Path) -> None:
    place = place_of(tmp_path)
    place.register(ENGINE.name)
    place.work()
    place.bench.scanned.clear()
    place.bench._last = LAST + timedelta(days=1)  # the day after its table is there
    place.clock.advance(timedelta(days=1))
    staleness.refresh_stale(place.services, 5)
    place.work()
    assert place.bench.scanned == ["day.20250320"]


class Killed(BaseException):
    """The worker died."""


class Mortal:
    """Ports that live up to their nth call, made before or after it takes effect."""

    def __init__(self, at: int, after: bool) -> None:
        self.calls, self._at, self._after = 0, at, after

    def dead(self) -> bool:
        return 0 < self._at <= self.calls

    def port(self, inner: Any) -> Any:
        return _MortalPort(inner, self)

    def call(self, work: Callable[[], Any]) -> Any:
        if self.dead():
            raise Killed
        self.calls += 1
        if self.dead() and not self._after:
            raise Killed
        result = work()
        if self.dead():
            raise Killed
        return result


class _MortalPort:
    def __init__(self, inner: Any, life: Mortal) -> None:
        self._inner, self._life = inner, life

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found
        return lambda *given, **named: self._life.call(lambda: found(*given, **named))


def lived(folder: Path, at: int = 0, *, after: bool = False) -> tuple[BenchPlace, int]:
    """A first scrape whose worker dies once. Gives the calls that it made."""
    line = push(1, day(18), ANA, push_id=1, distinct_size=1, repo=WHEELS)
    place = place_of(folder, [line], history_days=3)
    place.register(WHEELS.name)
    life = Mortal(at, after)
    healthy = place.services
    mortal = replace(
        healthy,
        documents=life.port(healthy.documents),
        archive=life.port(place.bench),
        budget=Budget(life.port(healthy.documents), healthy.settings, place.clock),
    )
    place.services = mortal
    with contextlib.suppress(Killed):
        place.capture()
    place.services = healthy
    for _ in range(4):
        place.clock.advance(timedelta(seconds=healthy.settings.lease_seconds + 70))
        job_steps.sweep(healthy)
        place.capture()
    healthy.budget.sweep(healthy.warehouse.usage)
    return place, life.calls


def test_a_worker_killed_at_any_call_pays_nothing_twice_and_leaves_nothing_reserved(
    tmp_path: Path,
) -> None:
    undisturbed, calls = lived(tmp_path / "whole")
    books = booked(undisturbed)
    assert books == (sum(u.bytes_billed for u in undisturbed.bench.usages.values()), 0)
    assert calls > 20
    for at in range(1, calls + 1):
        for after in (False, True):
            place, _ = lived(tmp_path / f"{at}-{after}", at, after=after)
            assert [job.stage for job in place.jobs()] == [Stage.SCRAPE]
            assert sorted(place.bench.scanned) == EVERY_DAY[-3:]
            assert booked(place) == books


def booked(place: BenchPlace) -> tuple[int, int]:
    """The bytes that the budget has as billed, and the micro-dollars that are still reserved."""
    day = f"budget_days/{place.clock():%Y-%m-%d}"
    (document,) = place.services.documents.get(day)
    page = place.services.documents.query(Query("charges", limit=1000))
    assert document is not None
    billed = sum(int(str(charge.fields["bytes_billed"])) for charge in page.documents)
    return billed, int(str(document.fields["reserved"]))
