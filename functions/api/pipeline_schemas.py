"""Pipeline runs in answers."""

from __future__ import annotations

from functions.api.schemas import CursorLinks, Envelope, Links, ListMeta, Nothing, Shape, Time
from shared import pipeline_runs
from shared.jobs import State
from shared.pipeline_runs import PipelineState, Summary
from shared.ports import DocumentPage


class PipelineShare(Shape):
    """A repository's part in a run: its scrape, how that ended, the contributions stored now.

    ``waits`` is true for a scrape that is put off beyond the run; ``error`` then says why.
    """

    name: str
    job: str | None
    state: State | None
    error: str | None
    rows: int | None
    waits: bool


class PipelineRun(Shape):
    """A run, and how far it is.

    ``checks`` are those before it began, ``skipped`` says why nothing was scraped, ``error`` why
    the run failed.
    """

    id: str
    key: str
    state: PipelineState
    created_at: Time
    finished_at: Time | None
    deadline_at: Time
    checks: dict[str, str]
    skipped: str | None
    repositories: list[PipelineShare]
    global_job: str | None
    summary: Summary | None
    error: str | None


class RunMeta(Shape):
    """``created`` is false if a run that was under way already serves this request, too."""

    created: bool


class RunLinks(Links):
    """Where to see how far a run is."""

    run: str


class StartedAnswer(Envelope[PipelineRun, RunMeta, RunLinks]):
    """The run that a request is served by."""


class RunAnswer(Envelope[PipelineRun, Nothing, Links]):
    """A run."""


class RunsAnswer(Envelope[list[PipelineRun], ListMeta, CursorLinks]):
    """Runs, newest first."""


def run(found: pipeline_runs.PipelineRun) -> PipelineRun:
    """A run as it is shown: without what only its steps need."""
    shown = {name: getattr(found, name) for name in PipelineRun.model_fields}
    shares = [
        PipelineShare(**share.model_dump(include=set(PipelineShare.model_fields)))
        for share in found.repositories
    ]
    return PipelineRun(**{**shown, "repositories": shares})


def runs_of(page: DocumentPage) -> list[PipelineRun]:
    return [run(pipeline_runs.read(document)) for document in page.documents]
