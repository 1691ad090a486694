"""Commands that look: coverage, verify, jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import click
from rich.markup import escape
from rich.table import Table

from infra.cli.app import App, command
from infra.cli.names import board_of, head_of, name_argument, registered
from infra.cli.tables import table
from infra.cli.texts import coverage_lines, minute, plural
from infra.cli.waiting import style_of
from shared import jobs
from shared.coverage import Coverage
from shared.jobs import Job, State
from shared.models import WINDOW_DAYS
from shared.verification import Verified, verify

_HOLES_SHOWN = 10


def add_to(group: click.Group) -> None:
    """Add the commands of this file."""
    _add_coverage(group)
    _add_verify(group)
    _add_jobs(group)


def _add_coverage(group: click.Group) -> None:
    @command(group, "coverage")
    @name_argument
    def coverage(app: App, name: str | None) -> None:
        """Say how complete a board is: what was captured, what is missing, what is unknown."""
        id_, title, _ = board_of(app, name)
        bodies = {window: dict(head_of(app, id_, window).coverage) for window in WINDOW_DAYS}
        if app.emit(bodies, board=id_, name=title):
            return
        made = table(
            title, "window", "from", "to (UTC)", "hours", "captured", "holes",
            right=("hours", "captured", "holes"),
        )  # fmt: skip
        for window, body in bodies.items():
            part = Coverage.model_validate(body)
            made.add_row(
                window,
                minute(part.start or part.captured_from or "-"),
                minute(part.end),
                f"{part.hours_expected:,}",
                f"{part.percent} %",
                f"{len(part.holes) + part.more_holes:,}",
            )
        app.show(made)
        _show_holes(app, Coverage.model_validate(bodies["all"]))
        for line in (*coverage_lines(bodies["all"])[1:], *bodies["all"]["notes"]):
            app.say(line)


def _show_holes(app: App, coverage: Coverage) -> None:
    for hole in coverage.holes[:_HOLES_SHOWN]:
        app.say(f"Missing: {minute(hole.start)} to {minute(hole.end)}, {hole.reason}.")
    rest = len(coverage.holes) + coverage.more_holes - _HOLES_SHOWN
    if rest > 0:
        app.say(
            f"... and {plural(rest, 'hole')} more; --json lists the first {len(coverage.holes)}."
        )


def _add_verify(group: click.Group) -> None:
    @command(group, "verify")
    @name_argument
    @click.option("--window", type=click.Choice(list(WINDOW_DAYS)), help="[default: every one]")
    def verify_(app: App, name: str | None, window: str | None) -> None:
        """Compute receipts anew from the stored facts. Exit code 1 if one does not hold."""
        id_, title, where = board_of(app, name)
        head_of(app, id_, window or "all")
        ids = [r.github_id for r in where if r.github_id is not None]
        found = [
            result
            for result in verify(app.services, id_, title, ids)
            if window in (None, result.window)
        ]
        if not app.emit(
            [{**asdict(one), "holds": one.holds} for one in found], board=id_, name=title
        ):
            _show_verified(app, title, found)
        if not all(result.holds for result in found):
            raise click.exceptions.Exit(1)


def _show_verified(app: App, title: str, found: Sequence[Verified]) -> None:
    made = table(title, "window", "generation", "board (SHA-256)", "receipt", wide=("receipt",))
    for one in found:
        verdict = (
            "[green]holds[/]" if one.holds else f"[red]differs: {', '.join(one.differences)}[/]"
        )
        made.add_row(one.window, one.generation[:12], one.published[:16], verdict)
    app.show(made)


def _add_jobs(group: click.Group) -> None:
    @command(group, "jobs")
    @click.argument("id_", required=False, metavar="[ID]")
    @click.option("--state", type=click.Choice(list(State), case_sensitive=False))
    @click.option("--repository", help="Only of this one, as owner/name.")
    @click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
    def jobs_(
        app: App, id_: str | None, state: str | None, repository: str | None, limit: int
    ) -> None:
        """List jobs, newest first, or show one."""
        if id_ is not None:
            job = jobs.get(app.services, id_)
            if not app.emit(job.model_dump(mode="json")):
                _show_job(app, job)
            return
        where: dict[str, str] = {"state": State(state.upper()).value} if state else {}
        if repository is not None:
            where["repository_key"] = registered(app, repository).key
        page = jobs.listed(app.services, where, limit=limit)
        found = [jobs.read(document) for document in page.documents]
        if app.emit([job.model_dump(mode="json") for job in found], more=page.cursor is not None):
            return
        if found:
            app.show(_jobs_table(found))
        else:
            app.say("There is no such job." if where else "There are no jobs yet.")


def _jobs_table(found: Sequence[Job]) -> Table:
    made = table("Jobs", "id", "state", "what", "about", "asked (UTC)", wide=("about",))
    for job in found:
        style = style_of(job.state)
        made.add_row(
            job.id,
            f"[{style}]{job.state}[/]",
            "boards" if job.type.value.startswith("recalculate") else "scrape",
            escape(job.repository or "all repositories"),
            minute(job.created_at)[5:],
        )
    return made


def _show_job(app: App, job: Job) -> None:
    facts: Mapping[str, object] = {
        "job": job.id,
        "type": job.type.value.replace("_", " "),
        "state": job.state.value,
        "about": job.repository or "all repositories",
        "progress": f"{job.progress.done} of {job.progress.total}, {job.progress.message}",
        "asked for": f"{minute(job.created_at)} UTC by {job.requested_by}",
        "started": f"{minute(job.started_at)} UTC" if job.started_at else "-",
        "ended": f"{minute(job.finished_at)} UTC" if job.finished_at else "-",
        "failures": job.failures,
        "waits until": f"{minute(job.waits_until)} UTC" if job.waits_until else "-",
        "last error": f"{job.error.message} ({job.error.code})" if job.error else "-",
    }
    for name, value in facts.items():
        app.say(f"{name:<11} {value}")
