"""Commands of the pipeline and of what keeps the data directory small."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import click

from infra.cli.app import CALLER, App, command
from infra.cli.server import Occupied, drain, ended_by_signals, is_served, started_server
from infra.cli.waiting import pause
from shared import pipeline_runs, retention
from shared.pipeline_runs import PipelineRun, PipelineState

_BY_HAND = "manual"
_LONGEST_DRAIN = timedelta(minutes=1)


def add_to(group: click.Group) -> None:
    """Add the commands of this file."""
    _add_pipeline(group)
    _add_retention(group)


def _add_pipeline(group: click.Group) -> None:
    @command(group, "pipeline")
    @click.option("--wait/--no-wait", default=True, help="See the run through. [default: wait]")
    def pipeline(app: App, wait: bool) -> None:
        """Scrape what is stale and bring the boards up to date, as every night."""
        run = pipeline_runs.start(app.services, CALLER, _BY_HAND).run
        if wait:
            run = _see_through(app, run.id)
        if not app.emit(run.model_dump(mode="json")):
            _say(app, run)
        if run.state is PipelineState.FAILED:
            raise click.exceptions.Exit(1)


def _add_retention(group: click.Group) -> None:
    @command(group, "retention")
    def apply_retention(app: App) -> None:
        """Remove ended jobs, runs and other leftovers older than RETENTION_DAYS."""
        removed = retention.apply(app.services, f"retention-{app.services.new_id()}")
        if not app.emit(removed):
            for sweep, count in removed.items():
                app.say(f"{sweep.replace('_', ' ')}: {count:,} removed")


def _say(app: App, run: PipelineRun) -> None:
    for share in run.repositories:
        app.say(f"{share.name}: {share.error or (share.state or 'waiting').lower()}")
    if run.skipped is not None:
        app.say(f"Nothing was scraped: {run.skipped}", "yellow")
    if run.error is not None:
        app.say(f"The run failed: {run.error}", "red")
    if run.summary is None:
        app.say(f"Run {run.id} is {run.state.value.lower()}.")
        return
    app.say(
        f"{run.summary.scraped} of {run.summary.repositories} repositories scraped, "
        f"{run.summary.rows:,} contributions; {run.summary.contributors:,} contributors on the "
        f"global board, in {run.summary.seconds} s."
    )


def _see_through(app: App, run_id: str) -> PipelineRun:
    """Wait until the run has ended, whoever works on it."""
    while True:
        if is_served(app.settings):
            ended = _follow(app, run_id, still=lambda: is_served(app.settings))
        else:
            ended = _work_here(app, run_id)
        if ended is not None:
            return ended


def _work_here(app: App, run_id: str) -> PipelineRun | None:
    """Work on it with a server of our own. None if another one came first."""
    try:
        with ended_by_signals(), started_server(app, for_now=True) as server:
            ended = _follow(app, run_id, still=lambda: True)
            drain(app, server, _LONGEST_DRAIN)
            return ended
    except Occupied:
        return None


def _follow(app: App, run_id: str, *, still: Callable[[], bool]) -> PipelineRun | None:
    while not (run := pipeline_runs.get(app.services, run_id)).ended:
        if not still():
            return None
        pause(app)
    return run
