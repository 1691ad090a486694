"""How the whole system stands, in numbers: for ``/metrics``, and for the sweep to push.

A reading makes at most ``ROUND_TRIPS`` calls and bills at most ``MOST_READS`` documents, however
much is stored: 13 counts of at most 10,000 documents each (a read a thousand), the five global
boards' pointers, the budget's eleven documents, the three circuits, and a question for the queues.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import structlog

from shared.boards import GLOBAL
from shared.breaker import SERVICES
from shared.budget_status import Standing
from shared.context import Services
from shared.errors import LeaderboardError, NotFound
from shared.jobs import RepositoryStatus, State
from shared.kept_value import KeptValue
from shared.limits import dollars
from shared.metrics import (
    BOARD_AGE,
    BUDGET_LIMIT,
    BUDGET_RESERVED,
    BUDGET_SPENT,
    BUDGET_USED,
    CIRCUIT_OPEN,
    DEAD_LETTERS,
    JOBS_NOW,
    QUEUE_DEPTH,
    REPOSITORIES_NOW,
    Metric,
)
from shared.models import WINDOW_DAYS, parse_time
from shared.ports import Query

log = structlog.get_logger()

MOST_COUNTED = 10_000
"""Of more documents no more are counted."""

ROUND_TRIPS = 21
MOST_READS = 13 * 10 + 5 + 11 + 3

KEPT = timedelta(seconds=15)
"""How old a reading may be that an instance answers with."""

KEPT_WHILE_READING = timedelta(seconds=60)
"""How old it may be while the next one is being read."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A metric's value for some labels."""

    metric: Metric
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SystemState:
    """What could be read, and the names of the parts that could not."""

    readings: tuple[Reading, ...]
    unreadable: tuple[str, ...]


def read(services: Services) -> SystemState:
    """The numbers now. A part that cannot be read is left out and named."""
    readings: list[Reading] = []
    unreadable: list[str] = []
    for name, part in PARTS.items():
        try:
            found = [*part(services)]
        except LeaderboardError as error:
            log.warning("state_unreadable", part=name, reason=error.message)
            unreadable.append(name)
        except Exception as error:
            # A defect, as of a document of another form; the other parts stand all the same.
            log.exception("state_unreadable", part=name, reason=type(error).__name__)
            unreadable.append(name)
        else:
            readings += found
    return SystemState(tuple(readings), tuple(unreadable))


def push(services: Services) -> None:
    """Measure how the system stands, where anybody wants to know."""
    if services.telemetry.on:
        for reading in read(services).readings:
            services.telemetry.measure(reading.metric, reading.value, **reading.labels)


class KeptState:
    """The last reading, taken anew when it is too old, by one reader at a time."""

    def __init__(self) -> None:
        self._kept = KeptValue[SystemState](KEPT, KEPT_WHILE_READING)

    def get(self, services: Services) -> SystemState:
        """The numbers as of at most ``KEPT`` ago, or ``KEPT_WHILE_READING`` while others read."""
        return self._kept.get(services.now, lambda: read(services))


# --- parts ----------------------------------------------------------------------------------------


def _queues(services: Services) -> Iterator[Reading]:
    for queue, depth in services.tasks.depths().items():
        yield Reading(QUEUE_DEPTH, depth, {"queue": queue})


def _jobs(services: Services) -> Iterator[Reading]:
    for state in State:
        query = Query("jobs", (("state", "==", state.value),), limit=MOST_COUNTED)
        yield Reading(JOBS_NOW, services.documents.count(query), {"state": state.value.lower()})


def _repositories(services: Services) -> Iterator[Reading]:
    for status in RepositoryStatus:
        query = Query("repositories", (("status", "==", status.value),), limit=MOST_COUNTED)
        count = services.documents.count(query)
        yield Reading(REPOSITORIES_NOW, count, {"status": status.value.lower()})


def _dead_letters(services: Services) -> Iterator[Reading]:
    query = Query("dead_letters", (("settled_at", "==", None),), limit=MOST_COUNTED)
    yield Reading(DEAD_LETTERS, services.documents.count(query))


def _budget(services: Services) -> Iterator[Reading]:
    status = services.budget.status()
    if not status.limits.metered:
        return
    yield from _standing("day", status.day)
    yield from _standing("month", status.month)


def _standing(period: str, found: Standing) -> Iterator[Reading]:
    labels = {"period": period}
    yield Reading(BUDGET_SPENT, float(dollars(found.spent)), labels)
    yield Reading(BUDGET_RESERVED, float(dollars(found.reserved)), labels)
    yield Reading(BUDGET_LIMIT, float(dollars(found.limit)), labels)
    yield Reading(BUDGET_USED, found.hundredths / 10_000, labels)


def _boards(services: Services) -> Iterator[Reading]:
    for window in WINDOW_DAYS:
        try:
            head = services.boards.head(GLOBAL, window)
        except NotFound:
            continue
        age = (services.now() - parse_time(head.as_of)).total_seconds()
        yield Reading(BOARD_AGE, age, {"window": window})


def _circuits(services: Services) -> Iterator[Reading]:
    for service, circuit in services.breaker.circuits(SERVICES).items():
        yield Reading(CIRCUIT_OPEN, float(circuit.opened_at is not None), {"service": service})


PARTS: Mapping[str, Callable[[Services], Iterator[Reading]]] = {
    "queues": _queues,
    "jobs": _jobs,
    "repositories": _repositories,
    "dead_letters": _dead_letters,
    "budget": _budget,
    "boards": _boards,
    "circuits": _circuits,
}
