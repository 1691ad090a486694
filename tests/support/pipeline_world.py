"""Pipeline runs over jobs that do nothing but end, delivered by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from functions import edge, maintenance, pipeline
from shared import global_requests, job_steps, jobs, pipeline_runs, repositories
from shared.boards import GLOBAL
from shared.budget import Budget
from shared.context import Services
from shared.errors import LeaderboardError, NotFound
from shared.jobs import Job, JobType, Stage
from shared.models import RepositoryName, iso
from shared.pipeline_runs import PipelineRun
from shared.ports import Json
from shared.repositories import Repository
from tests.support.by_hand import STEPS, Handed, Steps, by_hand, deliver
from tests.support.manual_clock import ManualClock
from tests.support.scenario import everything, open_services

NAMES = ("octo/engine", "octo/wheels", "octo/brakes", "octo/horn", "octo/ghost")
GHOST = "octo/ghost"
"""Of which there is no event."""

SET_TIME = "2025-03-20T02:00:00Z"


@dataclass
class Post:
    """A call of an address outside."""

    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass
class Mailbox:
    """The port ``Outward``: fails as it is told, then takes what comes."""

    failures: list[Exception] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        self.posts.append(Post(url, body, headers))
        if self.failures:
            raise self.failures.pop(0)


class PipelineWorld:
    """Five repositories that were never scraped, one of which cannot be."""

    def __init__(self, folder: Path, names: Sequence[str] = NAMES, **settings: object) -> None:
        self.clock = ManualClock()
        self.mailbox = Mailbox()
        opened, self.queue = by_hand(open_services(folder, self.clock, **settings))
        self.services = replace(opened, outward=self.mailbox)
        self.names = names
        self.undelivered: set[str] = set()
        self.failing: dict[str, Callable[[], LeaderboardError]] = {
            GHOST: lambda: NotFound("No event of octo/ghost was captured.")
        }
        for name in names:
            key = RepositoryName.parse(name).key
            registered = iso(self.clock())
            fresh = Repository(
                key=key, name=name, number=1, registered_at=registered, registered_by="test"
            )
            self.services.documents.write([repositories.stored(fresh)])

    @property
    def steps(self) -> Steps:
        return {**STEPS, "scrape_repository": self._step, "recalculate_board": self._step}

    def budget(self, daily_usd: int, monthly_usd: int) -> None:
        """From now on bytes cost something, and a day and a month may cost this."""
        priced = {
            "price_per_tib_usd": Decimal("6.25"),
            "budget_daily_usd": Decimal(daily_usd),
            "budget_monthly_usd": Decimal(monthly_usd),
        }
        settings = self.services.settings.model_copy(update=priced)
        budget = Budget(self.services.documents, settings, self.clock)
        self.services = replace(self.services, budget=budget)

    def set_time(self, services: Services | None = None, time: str = SET_TIME) -> None:
        """The Scheduler's call."""
        pipeline.step(services or self.services, edge.Delivery({}, f"{time}#0", time))

    def deliver(self, handed: Handed, services: Services | None = None, retry: int = 0) -> bool:
        return deliver(services or self.services, handed, retry=retry, steps=self.steps)

    def work(self) -> None:
        """Deliver what is due until nothing is, then let time pass and sweep."""
        while True:
            due = [h for h in self.queue.take() if self._is_due(h)]
            if not due:
                break
            for handed in due:
                assert self.deliver(handed)
        self.clock.advance(timedelta(seconds=70))
        maintenance.sweep(self.services)

    def see_through(self, rounds: int = 30) -> PipelineRun:
        """The only run, once it has nothing left to do."""
        for _ in range(rounds):
            self.work()
            run = self.run()
            if not run.open and not self.queue.depths()["all"]:
                return run
        raise AssertionError(f"it is stuck: {self.run()}")

    def run(self) -> PipelineRun:
        """The only run there is."""
        (found,) = everything(self.services, "pipelines")
        return pipeline_runs.read(found)

    def scrapes(self) -> dict[str, list[str]]:
        """The scrapes of each repository and how they ended."""
        found: dict[str, list[str]] = {name: [] for name in self.names}
        for job in everything(self.services, "jobs"):
            if job.fields["type"] != JobType.RECALCULATE_GLOBAL:
                found[str(job.fields["repository"])].append(str(job.fields["state"]))
        return found

    def audited(self, action: str) -> list[Mapping[str, Json]]:
        return [
            d.fields for d in everything(self.services, "audit") if d.fields["action"] == action
        ]

    def _is_due(self, handed: Handed) -> bool:
        not_before = None if handed.task is None else handed.task.not_before
        if not_before is None or not_before <= self.clock():
            return True
        self.queue.postponed.append(handed)
        return False

    def _step(self, services: Services, delivery: edge.Delivery) -> None:
        body = delivery.body
        if jobs.get(services, body["job_id"]).repository in self.undelivered:
            return
        job_steps.run(
            services,
            body["job_id"],
            body["dispatch"],
            delivery.name,
            lambda j: self._do(services, j),
        )

    def _do(self, services: Services, job: Job) -> tuple[Stage | None, dict[str, Json]]:
        """What a scrape or a recalculation comes to here."""
        if job.stage is Stage.GLOBAL:
            global_requests.made_from(services, global_requests.basis(services))
            return None, {"boards": {"all": GLOBAL}}
        failing = self.failing.get(job.repository or "")
        if failing is not None:
            raise failing()
        self._scraped(services, job)
        return None, {"contributions": 7}

    def _scraped(self, services: Services, job: Job) -> None:
        (document,) = services.documents.get(f"repositories/{job.repository_key}")
        assert document is not None
        noted = repositories.read(document).model_copy(
            update={"last_scraped_at": iso(services.now())}
        )
        services.documents.write([repositories.stored(noted)])
