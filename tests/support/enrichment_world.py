"""Enrichments whose tasks a test delivers, on a clock that stands still."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from shared import enrichment, enrichment_steps
from shared.context import SYSTEM, Caller, Services
from shared.enrichment import Enrichment
from shared.ports import Task
from tests.support.by_hand import Handed, HandQueue, deliver
from tests.support.fake_profiles import Profiles
from tests.support.job_world import World

ANA = 11
BY_KEY = Caller(actor="key:1", actor_type="user")


@dataclass
class Profiling:
    """A world, and who GitHub knows in it."""

    world: World
    github: Profiles = field(default_factory=Profiles)

    def __post_init__(self) -> None:
        self.services: Services = replace(self.world.services, github=self.github.port)

    @property
    def queue(self) -> HandQueue:
        return self.world.queue

    def ask(self, login: str = "ana", caller: Caller = SYSTEM) -> Enrichment:
        return enrichment.request(self.services, ANA, login, caller).enrichment

    def last(self) -> Task:
        return self.queue.tasks[-1]

    def deliver(self, *, retry: int = 0) -> bool:
        """Deliver the task that was added last. False if it is to be delivered again."""
        return deliver(self.services, Handed(self.last(), self.last().body, 0), retry=retry)

    def run(self, task: Task, services: Services, delivery: str) -> Enrichment | None:
        """Carry out a task whatever has become of it."""
        number = int(str(task.body["dispatch"]))
        return enrichment_steps.enrich(services, str(task.body["enrichment"]), number, delivery)

    def now(self) -> Enrichment:
        found = enrichment.get(self.services, ANA)
        assert found is not None
        return found

    def pass_by(self, time: timedelta) -> int:
        """Let time pass, and sweep. Returns how many were looked after."""
        self.world.clock.advance(time)
        return enrichment_steps.sweep(self.services)
