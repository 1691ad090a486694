"""The worker process is killed between any two calls of a port; nobody notices at the end.

Where it is killed counts by what it leaves behind: before the first call, and after each that may
have changed something. Between two of these a kill finds what one right after the former found.

The calls are those of registering a repository beside another one, scraping it and publishing its
boards and the global ones, which replaces a generation of these. The flow has three legs, between
which only an event waits: a kill in a leg is made in a copy of the directory as it was before.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

import pytest

from infra.local.dev_server import ServerPlan, running_server
from shared import auth, repositories
from shared.context import SYSTEM
from tests.support import killing
from tests.support.by_hand import by_hand, deliver_all
from tests.support.copies import copy_data
from tests.support.fast_folder import fast_folder
from tests.support.kill_runs import (
    BOARDS,
    GLOBALS,
    IMPATIENT_QUEUES,
    IMPATIENT_SUBSCRIPTIONS,
    KILLING_MAIN,
    Ended,
    Start,
    Workers,
    ended,
    plan_of,
    register,
    see_through,
    workers,
)
from tests.support.killing import Side
from tests.support.lines import ENGINE, WHEELS
from tests.support.scenario import (
    LINES,
    Receipts,
    ingest,
    name_of,
    open_services,
    receipts,
    unfinished,
)

SERVERS = 2
SAMPLES = 2
LEGS = ((), (BOARDS,), (BOARDS, GLOBALS))
"""The subscriptions that are served in each leg: without one, its events wait for the next."""


@dataclass(frozen=True)
class Leg:
    """A part of the flow: where it starts, its port calls, those that were made before."""

    number: int
    start: Start
    calls: Sequence[str]
    before: int


@dataclass(frozen=True)
class Undisturbed:
    """The flow without a kill: its legs, and what the boards show in the end."""

    legs: Sequence[Leg]
    receipts: Receipts

    @property
    def calls(self) -> int:
        return sum(len(leg.calls) for leg in self.legs)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with fast_folder() as found:
        yield found


@pytest.fixture(scope="module")
def servers(place: Path) -> Iterator[SimpleQueue[Workers]]:
    """Servers that nobody uses just now."""
    free: SimpleQueue[Workers] = SimpleQueue()
    with ExitStack() as stack:
        for number in range(SERVERS):
            free.put(stack.enter_context(workers(place / f"server-{number}")))
        yield free


@pytest.fixture(scope="module")
def undisturbed(place: Path, servers: SimpleQueue[Workers]) -> Undisturbed:
    folder, key = prepare(place)
    legs: list[Leg] = []
    last: Ended | None = None
    for number, served in enumerate(LEGS):
        repository = ENGINE.name if number == 0 else None
        start = Start(folder, key, repository, served)
        last = run(servers, start, place / f"leg-{number}")
        legs.append(
            Leg(
                number,
                replace(start, subscriptions=LEGS[-1]),
                last.calls,
                sum(len(leg.calls) for leg in legs),
            )
        )
        folder = place / f"leg-{number}" / "data"
    assert last is not None
    assert last.wrong == ()
    assert len(last.receipts) == 15
    return Undisturbed(legs, last.receipts)


def prepare(place: Path) -> tuple[Path, str]:
    """A directory with a repository on the boards already, and its key."""
    services, queue = by_hand(open_services(place / "prepared"))
    key = auth.create_first_key(services)
    assert key is not None
    ingest(services, place / "files", {"events.json.gz": LINES})
    repositories.register(services, name_of(WHEELS), SYSTEM)
    deliver_all(services, queue)
    assert unfinished(services) == []
    return place / "prepared", key


READS = {
    "documents.get",
    "documents.query",
    "tasks.depths",
    "warehouse.estimate",
    "warehouse.ledger",
    "warehouse.query",
    "warehouse.unit",
    "warehouse.units",
    "warehouse.usage",
}
"""Calls that leave nothing behind."""


def kills_of(leg: Leg) -> list[tuple[Leg, int, Side]]:
    """Everything that can be left behind by a kill in a leg."""
    changes = [at for at, call in enumerate(leg.calls, 1) if call not in READS]
    return [(leg, 1, "before"), *((leg, at, "after") for at in changes)]


def run(
    servers: SimpleQueue[Workers], start: Start, folder: Path, at: int = 0, side: Side = "before"
) -> Ended:
    """A run on a server that is free."""
    server = servers.get()
    try:
        return server.run(start, folder, at, side)
    finally:
        servers.put(server)


@pytest.mark.timeout(900)
def test_a_kill_between_any_two_port_calls_changes_no_receipt_and_leaves_nothing_stuck(
    place: Path, servers: SimpleQueue[Workers], undisturbed: Undisturbed
) -> None:
    kills = [kill for leg in undisturbed.legs for kill in kills_of(leg)]

    def wounds(kill: tuple[Leg, int, Side]) -> list[str]:
        leg, at, side = kill
        folder = place / f"kill-{leg.number}-{at}-{side}"
        killed = run(servers, leg.start, folder, at, side)
        shutil.rmtree(folder)
        found = list(killed.wrong)
        if not killed.died:
            found.append("nobody was killed")
        if killed.receipts != undisturbed.receipts:
            found.append("the receipts are others")
        where = f"{side} call {leg.before + at}, {leg.calls[at - 1]}"
        return [f"{where}: {wound}" for wound in found]

    with ThreadPoolExecutor(SERVERS) as pool:
        found = [wound for wounds in pool.map(wounds, kills) for wound in wounds]
    print(f"\nN = {undisturbed.calls} port calls, {len(kills)} kills")  # noqa: T201
    assert found == []
    assert len(kills) > 40


def test_the_server_as_it_is_started_survives_its_worker_being_killed(
    place: Path, undisturbed: Undisturbed
) -> None:
    """Every few calls, on one server that loads everything anew, on one data directory."""
    folder = place / "one-server"
    start = undisturbed.legs[0].start
    copy_data(start.folder, folder / "data")
    services = open_services(folder / "data")
    file = folder / "plan.json"
    plan_of(folder, 0, "before").put(file)
    plan = ServerPlan(
        source=KILLING_MAIN,
        state=folder / "data" / "queues.sqlite",
        port=0,
        threads=8,
        queues=IMPATIENT_QUEUES,
        subscriptions=IMPATIENT_SUBSCRIPTIONS,
        schedules=(),
        environment={killing.VARIABLE: str(file)},
    )
    with running_server(plan) as server:
        for at in range(2, undisturbed.calls, undisturbed.calls // SAMPLES)[:SAMPLES]:
            (folder / "died").unlink(missing_ok=True)
            plan_of(folder, at, "after" if at % 2 else "before").put(file)
            register(server.url, ENGINE.name, start.key)
            see_through(services, server)
            found = ended(services, folder)
            assert (found.died, found.wrong) == (True, ())
            assert found.receipts == undisturbed.receipts
            repositories.remove(services, name_of(ENGINE), SYSTEM)
            see_through(services, server)
            assert len(receipts(services)) == 10
