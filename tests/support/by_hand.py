"""Tasks and events that a test hands over itself: in any order, late, as often as it likes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from functions import edge, enrich, export, maintenance, pipeline, recalculate, scrape
from shared.context import Services
from shared.errors import LeaderboardError, RetryLater
from shared.ports import Fields, Task

Steps = Mapping[str, Callable[[Services, edge.Delivery], None]]

STEPS: Steps = {
    "scrape_repository": scrape.step,
    "recalculate_board": recalculate.step,
    "run_pipeline": pipeline.step,
    "recalculate_everything": recalculate.everything,
    "apply_retention": maintenance.retain,
    "export_data": export.step,
    "enrich_contributor": enrich.step,
    "batch_enrich_top_contributors": enrich.ask,
}
"""What carries out a task, by the function that it calls."""


@dataclass(frozen=True, slots=True)
class Handed:
    """Something to deliver: a task, or the data of a message. ``number`` names a message."""

    task: Task | None
    data: Fields
    number: int


class HandQueue:
    """The ports Tasks and Events; names collapse as on the platform, and stay taken for good."""

    def __init__(self) -> None:
        self.given: list[Handed] = []
        self.postponed: list[Handed] = []
        self._names: set[tuple[str, str]] = set()
        self._taken = 0

    def add(self, task: Task) -> bool:
        if (task.queue, task.name) in self._names:
            return False
        self._names.add((task.queue, task.name))
        self.given.append(Handed(task, task.body, len(self.given)))
        return True

    def remember(self, before: HandQueue) -> None:
        """The names that were taken there are taken here."""
        self._names |= before._names

    def depths(self) -> Mapping[str, int]:
        """What was given and not taken, all in one queue."""
        return {"all": len(self.postponed) + len(self.given) - self._taken}

    def publish(self, topic: str, data: Fields, attributes: Mapping[str, str]) -> None:
        self.given.append(Handed(None, {"topic": topic, **data}, len(self.given)))

    def take(self) -> list[Handed]:
        """What was given since the last time, and before it what has to wait."""
        new = [*self.postponed, *self.given[self._taken :]]
        self._taken = len(self.given)
        self.postponed.clear()
        return new

    @property
    def tasks(self) -> list[Task]:
        return [handed.task for handed in self.given if handed.task is not None]


def by_hand(services: Services) -> tuple[Services, HandQueue]:
    """The services with a queue that delivers nothing by itself."""
    queue = HandQueue()
    return replace(services, tasks=queue, events=queue), queue


def deliver(
    services: Services, handed: Handed, *, retry: int = 0, steps: Steps | None = None
) -> bool:
    """One delivery through the function's own step. False if it is to be delivered again."""
    try:
        if handed.task is None:
            recalculate.enqueue(services, handed.data)
        else:
            name = f"{handed.task.name}#{retry}"
            (steps or STEPS)[handed.task.function](services, edge.Delivery(handed.data, name))
    except RetryLater:
        return False
    except LeaderboardError:
        return True
    return True


def deliver_all(services: Services, queue: HandQueue) -> None:
    """Deliver everything once, in the order it was given, until nothing is due any more."""
    while due := [handed for handed in queue.take() if _is_due(services, queue, handed)]:
        for handed in due:
            assert deliver(services, handed)


def _is_due(services: Services, queue: HandQueue, handed: Handed) -> bool:
    """False for a task that has to wait; it is given back."""
    not_before = None if handed.task is None else handed.task.not_before
    if not_before is None or not_before <= services.now():
        return True
    queue.postponed.append(handed)
    return False
