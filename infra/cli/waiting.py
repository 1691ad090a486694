"""Seeing jobs through: by the server that runs, or by one that is started for the time being."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

from infra.cli.app import App
from infra.cli.server import Occupied, drain, ended_by_signals, is_served, started_server
from shared import jobs
from shared.jobs import Job, JobType, State

_LONGEST_DRAIN = timedelta(minutes=30)
_STYLES = {State.COMPLETED: "green", State.FAILED: "red", State.CANCELLED: "yellow"}


def see_through(app: App, ids: Sequence[str]) -> list[Job]:
    """Wait until the jobs have ended, whoever works on them. Returns them as they are then.

    Nobody waits here for the renewal of the budget: such a job comes back as it is, too.
    """
    while True:
        if is_served(app.settings):
            done = follow(app, ids, enough=_over_for_now, still=lambda: is_served(app.settings))
        else:
            done = _work_here(app, ids)
        if done is not None:
            return done


def follow(
    app: App,
    ids: Sequence[str],
    *,
    enough: Callable[[Job], bool] = lambda job: job.ended,
    still: Callable[[], bool] = lambda: True,
) -> list[Job] | None:
    """Show the jobs' progress until each is ``enough``; None once there is ``still`` no more."""
    with bars(app) as progress:
        tasks = {id_: progress.add_task("", total=None, visible=False, note="") for id_ in ids}
        while True:
            found = [jobs.get(app.services, id_) for id_ in ids]
            for job in found:
                _update(progress, tasks[job.id], job)
            if all(map(enough, found)):
                return found
            if not still():
                return None
            pause(app)


def pause(app: App) -> None:
    """Wait before looking again. On Google Cloud each look is billed."""
    time.sleep(0.1 if app.settings.backend == "local" else 2.0)


def bars(app: App) -> Progress:
    """Bars on standard error, gone when their work is done; nothing where there is no terminal."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[note]}", markup=False),
        console=app.err,
        transient=True,
        disable=not app.err.is_terminal,
    )


def subject_of(job: Job) -> str:
    """What a job is about. One about people does not say who."""
    about = {JobType.FORGET_PERSON: "somebody's wish", JobType.APPLY_PEOPLE: "merged accounts"}
    return job.repository or about.get(job.type, "global board")


def describe(job: Job) -> str:
    """A job in a line: what it is about, how it went."""
    subject = subject_of(job)
    if job.error is not None and job.state is State.RETRYING:
        return f"{subject}: {job.error.message} It will be tried again by {job.due_at[11:16]} UTC."
    if job.error is not None:
        return f"{subject}: {job.error.message}"
    return f"{subject}: {job.state.value.lower()}, {job.progress.message}"


def _over_for_now(job: Job) -> bool:
    return job.ended or job.waits_for_budget


def style_of(state: State) -> str:
    return _STYLES.get(state, "cyan")


def _work_here(app: App, ids: Sequence[str]) -> list[Job] | None:
    """Work on the jobs with a server of our own. None if another one came first."""
    try:
        with ended_by_signals(), started_server(app, for_now=True) as server:
            done = follow(app, ids, enough=_over_for_now)
            drain(app, server, _LONGEST_DRAIN)
            return done
    except Occupied:
        return None


def _update(progress: Progress, task: TaskID, job: Job) -> None:
    note = job.error.message if job.error else job.progress.message
    progress.update(
        task,
        description=subject_of(job),
        total=job.progress.total,
        completed=job.progress.done,
        visible=True,
        note=note,
    )
