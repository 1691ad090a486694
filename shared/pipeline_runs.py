"""A pipeline run as it is stored, started and found; ``shared/pipeline.py`` carries it out.

    CHECKING -> SCRAPING -> RECALCULATING -> COMPLETED
        |           |             |
        +-----------+-------------+-------> FAILED

A run is a document. It is moved on by *prompts*: tasks that say no more than its id, made when it
starts, when a job that it waits for ends, and by the sweep when nothing was heard for a while. Each
prompt looks at the documents and does what is due, so any may be lost, late or doubled.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256

import structlog
from pydantic import BaseModel, ConfigDict

from shared import audit
from shared.context import Caller, Services
from shared.errors import NotFound
from shared.jobs import State
from shared.models import RepositoryName, iso
from shared.ports import Document, DocumentPage, Query, Task, Transaction, Write

FUNCTION = "run_pipeline"
"""The function that starts runs and is prompted."""

QUIET = timedelta(minutes=2)
"""How long nothing may be heard of a run before the sweep prompts it."""

log = structlog.get_logger()


class PipelineState(StrEnum):
    CHECKING = "CHECKING"
    SCRAPING = "SCRAPING"
    RECALCULATING = "RECALCULATING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class Share(BaseModel):
    """A repository's part in a run. ``job`` is its scrape, ``state`` how that ended.

    ``error`` says why there is no result; ``rows`` are the contributions that are stored now.
    ``waits`` is true for a scrape that is put off beyond the run, as for the budget's renewal.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    key: str
    full: bool = False
    job: str | None = None
    state: State | None = None
    error: str | None = None
    rows: int | None = None
    waits: bool = False

    @property
    def asked(self) -> bool:
        return self.job is not None or self.error is not None

    @property
    def failed(self) -> bool:
        return self.error is not None and not self.waits

    @property
    def registered_as(self) -> RepositoryName:
        return RepositoryName(*self.key.split("~", 1))


class Summary(BaseModel):
    """What a run came to. ``contributors`` stand on the global board; durations in seconds.

    ``waiting`` scrapes are put off beyond the run and come by themselves. ``rows`` are the
    contributions of the scraped repositories. Bytes are None where nobody knows.
    """

    model_config = ConfigDict(frozen=True)

    repositories: int
    scraped: int
    failed: int
    waiting: int
    contributors: int
    rows: int
    seconds: int
    recalculated: bool
    bytes_processed: int | None = None
    bytes_billed: int | None = None


class PipelineRun(BaseModel):
    """A run as it is stored. Times are RFC 3339 texts in UTC.

    ``open`` is true while anything remains to be done, by ``due_at`` at the latest. ``checks`` are
    those of the preflight, ``skipped`` says why nothing was scraped, ``error`` why the run failed.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    key: str
    state: PipelineState = PipelineState.CHECKING
    requested_by: str
    request_id: str | None = None
    created_at: str
    finished_at: str | None = None
    deadline_at: str
    due_at: str
    open: bool = True
    prompts: int = 0
    checks: dict[str, str] = {}
    skipped: str | None = None
    repositories: tuple[Share, ...] = ()
    global_job: str | None = None
    summary: Summary | None = None
    error: str | None = None

    @property
    def ended(self) -> bool:
        return self.state in (PipelineState.COMPLETED, PipelineState.FAILED)


@dataclass(frozen=True, slots=True)
class Started:
    """A run, whether it is new, and whether the very same occasion had asked before."""

    run: PipelineRun
    created: bool
    repeated: bool


def start(services: Services, caller: Caller, key: str, *, once: str | None = None) -> Started:
    """Start a run, or find the one of that ``key`` that is under way.

    ``once`` names the occasion, such as a set time: asked for again it finds its run, even ended.
    """
    moment = services.now()
    run = PipelineRun(
        id=services.new_id(),
        key=key,
        requested_by=caller.actor,
        request_id=caller.request_id,
        created_at=iso(moment),
        deadline_at=iso(moment + timedelta(minutes=services.settings.pipeline_minutes)),
        due_at=iso(moment + QUIET),
    )
    occasion = None if once is None else f"pipeline_occasions/{sha256(once.encode()).hexdigest()}"

    def begin(transaction: Transaction) -> Started:
        before = None if occasion is None else _named_by(transaction, occasion)
        if before is not None:
            return Started(before, created=False, repeated=True)
        latest = _named_by(transaction, f"state/pipeline-{key}")
        asked = run if latest is None or latest.ended else latest
        if occasion is not None:
            transaction.write(Write(occasion, {"run": asked.id, "created_at": iso(moment)}))
        if asked is not run:
            return Started(asked, created=False, repeated=False)
        transaction.write(Write(f"state/pipeline-{key}", {"run": run.id}))
        transaction.write(stored(run))
        transaction.write(
            audit.record(
                services,
                caller,
                "pipeline.started",
                ("pipeline", run.id),
                f"Pipeline {key} started",
            )
        )
        return Started(run, created=True, repeated=False)

    started = services.documents.transact(begin)
    if started.run.state is PipelineState.CHECKING:
        # Also for a run that was found: whoever noted it may have died before this.
        prompt(services, started.run.id, "start")
    if started.created:
        log.info("pipeline_started", pipeline=started.run.id, key=key, by=caller.actor)
    return started


def _named_by(transaction: Transaction, path: str) -> PipelineRun | None:
    """The run that a document names."""
    name = transaction.get(path)
    document = None if name is None else transaction.get(f"pipelines/{name.fields['run']}")
    return None if document is None else read(document)


def prompt(services: Services, run_id: str, why: str) -> None:
    """Have somebody look at the run. Safe to repeat: the same reason collapses."""
    services.tasks.add(Task(f"{run_id}-{why}", FUNCTION, {"run_id": run_id}))


def stored(run: PipelineRun) -> Write:
    """The write that stores a run as it is."""
    return Write(f"pipelines/{run.id}", run.model_dump(mode="json"))


def read(document: Document) -> PipelineRun:
    return PipelineRun.model_validate(document.fields)


def find(services: Services, run_id: str) -> PipelineRun | None:
    (document,) = services.documents.get(f"pipelines/{run_id}")
    return None if document is None else read(document)


def get(services: Services, run_id: str) -> PipelineRun:
    """The run. Raises NotFound."""
    found = find(services, run_id)
    if found is None:
        raise NotFound(f"There is no pipeline run {run_id[:60]}.", details={"run": run_id[:60]})
    return found


def listed(services: Services, *, after: str | None = None, limit: int = 50) -> DocumentPage:
    """Runs, newest first."""
    return services.documents.query(
        Query("pipelines", order_by="created_at", descending=True, after=after, limit=limit)
    )
