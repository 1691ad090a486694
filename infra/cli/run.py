"""``run``: from nothing to a board that is served. What ``make run`` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import click
from rich.panel import Panel

from infra.archive_files import Source
from infra.cli import ingesting
from infra.cli.app import CALLER, COMMAND, App, command
from infra.cli.ingesting import Ingested, sources_of
from infra.cli.sample import (
    forget_older_samples,
    is_sample,
    put_away_sample,
    sample_names,
    sample_sources,
)
from infra.cli.server import drain, ended_by_signals, started_server, wait_for_the_end
from infra.cli.tables import board_table, head_json, others, rows_json
from infra.cli.texts import coverage_lines, plural
from infra.cli.waiting import describe, follow
from shared import auth, jobs, recalculation, repositories, rule_sets
from shared.board_reading import Selection, Slice
from shared.boards import GLOBAL
from shared.coverage import captured
from shared.errors import LeaderboardError, NotFound, Rejected, RetryLater
from shared.jobs import Job, RepositoryStatus, State
from shared.models import RepositoryName, iso
from shared.repositories import Repository
from shared.statements import method_digest
from shared.tables import Dataset

if TYPE_CHECKING:
    from infra.local.dev_server import RunningServer

_ROWS = 15
_MOST_ACTIVE = 5
_LABELS = ("Dashboard", "API", "API docs")
_LONGEST_DRAIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class _Facts:
    """The events that are here now. ``names`` are the repositories to show, None to find some."""

    done: Ingested | None
    names: list[RepositoryName] | None


def add_to(group: click.Group) -> None:
    """Add the commands of this file."""

    @command(group, "run", makes_data=True, only_here=True)
    @click.option(
        "--archive",
        envvar="ARCHIVE",
        help="Archive files instead of the sample: a path, pattern, directory, or dates. [ARCHIVE]",
    )
    @click.option("--repos", envvar="REPOS", default="", help="'owner/name ...' to rank. [REPOS]")
    @click.option(
        "--serve/--no-serve",
        "keep",
        envvar="SERVE",
        default=True,
        help="Keep serving after the board is shown. [SERVE]",
    )
    def run(app: App, archive: str | None, repos: str, keep: bool) -> None:
        """Read events, rank their repositories, print the board and serve it.

        Without --archive that is the small sample that comes with the project, or with GITHUB_TOKEN
        what GitHub's API tells of --repos. A second start reuses what is there.
        """
        wanted = [RepositoryName.parse(name) for name in repos.replace(",", " ").split()]
        sources = sources_of(app, archive) if archive else None
        with ended_by_signals(), started_server(app) as server:
            key = auth.create_first_key(app.services)
            _show_key(app, key)
            facts = _take_in(app, sources, wanted)
            names = wanted or facts.names or _most_active(app)
            ended = _bring_up_to_date(app, server, names, fresh=_is_fresh(facts))
            board = _board(app, ended)
            if not app.emit(_as_json(server, key, ended, board), **head_json(board.head)):
                _show(app, server, board)
            if keep:
                app.say("\nServing until Ctrl-C.")
                wait_for_the_end()
                app.say("Stopped. A second start reuses what is there.")


def _show_key(app: App, key: str | None) -> None:
    if key is None:
        return
    text = (
        f"[bold]{key}[/]\n\n"
        "Changes need it as the header X-API-Key. It is stored as a hash only\n"
        "and shown this once: keep it."
    )
    app.show(Panel(text, title="Your admin key", expand=False, border_style="green"))


def _take_in(app: App, sources: Sequence[Source] | None, wanted: list[RepositoryName]) -> _Facts:
    """Read what was asked for, or see what is there. Real events and the sample never mix."""
    if sources is not None:
        if put_away_sample(app):
            app.say("The sample made room for real events.")
        return _Facts(_ingest(app, sources), None)
    held = app.services.warehouse.units(Dataset.EVENTS)
    real = [unit for unit in held if not is_sample(unit)]
    if real:
        events = sum(unit.rows for unit in real)
        app.say(f"Using what is there: {plural(len(real), 'file')} with {events:,} events.")
        registered = repositories.everyone(app.services)
        known = [r.registered_as for r in registered if not r.paused]
        return _Facts(None, known or None)
    if wanted and app.services.github is not None:
        if put_away_sample(app):
            app.say("The sample made room for real repositories.")
        app.say("No ARCHIVE is set: reading GitHub's API.")
        return _Facts(None, wanted)
    app.say("No ARCHIVE is set: this is the sample, invented people in invented repositories.")
    done = _ingest(app, sample_sources())
    forget_older_samples(app, done.units)
    return _Facts(done, sample_names())


def _ingest(app: App, sources: Sequence[Source]) -> Ingested:
    done = ingesting.ingest(app, sources)
    for line in ingesting.summary(done):
        app.say(line)
    if not done.units:
        raise NotFound("None of these hours is in the archive. Ask for others.")
    return done


def _is_fresh(facts: _Facts) -> bool:
    return facts.done is not None and bool(facts.done.fresh)


def _most_active(app: App) -> list[RepositoryName]:
    """The repositories in which most people did something."""
    warehouse = app.services.warehouse
    found = warehouse.query("most_active_repositories", {"top": _MOST_ACTIVE})
    ids = found["repo_id"].to_pylist()
    named = warehouse.query("latest_repository_names", {"repo_ids": ids}) if ids else None
    if named is None:
        raise Rejected("No event in these files belongs to a repository. Give other files.")
    by_id = dict(zip(named["repo_id"].to_pylist(), named["repo_name"].to_pylist(), strict=True))
    names = [by_id[id_] for id_ in ids]
    app.say(f"The most active of the repositories found (REPOS names others): {', '.join(names)}")
    return [RepositoryName.parse(name) for name in names]


# --- boards -----------------------------------------------------------------------------------


def _bring_up_to_date(
    app: App, server: RunningServer, names: Sequence[RepositoryName], *, fresh: bool
) -> list[Job]:
    """Register what is new, scrape what is not up to date, and wait for it. Failures are said."""
    units = app.services.warehouse.units(Dataset.EVENTS)
    as_of = captured(units).as_of
    newest = None if fresh or as_of is None or _method_changed(app) else iso(as_of)
    asked = [job for name in names if (job := _ask(app, name, newest)) is not None]
    if len(asked) < len(names):
        current = plural(len(names) - len(asked), "board")
        app.say(f"{current} of {len(names)} are up to date already.")
    ended = follow(app, [job.id for job in asked], enough=_settled) or []
    drain(app, server, _LONGEST_DRAIN)
    for job in ended:
        if job.state is not State.COMPLETED:
            app.warn(describe(job))
    return ended


def _ask(app: App, name: RepositoryName, newest: str | None) -> Job | None:
    """The job that brings a repository up to date; None if it is. ``newest`` None: it is not."""
    try:
        found = repositories.register(app.services, name, CALLER)
        if found.job is not None:
            return found.job
        if found.repository.active_job is not None:
            return jobs.get(app.services, found.repository.active_job)
        if newest is not None and _is_current(found.repository, newest):
            return None
        return repositories.request_scrape(app.services, name, CALLER, full=True)[0]
    except LeaderboardError as error:
        app.warn(f"{name.full}: {error.message}")
        return None


def _is_current(repository: Repository, newest: str) -> bool:
    done = repository.status in (RepositoryStatus.COMPLETED, RepositoryStatus.STALE)
    return done and repository.latest_data_at == newest


def _method_changed(app: App) -> bool:
    """True if another version of the program published the global board, or nobody did."""
    try:
        head = app.services.boards.head(GLOBAL, "all")
    except NotFound:
        recalculation.request_global(app.services, CALLER)
        return True
    return head.receipt.inputs.method != method_digest()


def _settled(job: Job) -> bool:
    return job.ended or job.state is State.RETRYING


def _board(app: App, ended: Sequence[Job]) -> Slice:
    try:
        return app.services.boards.read(GLOBAL, "all", Selection(limit=_ROWS))
    except NotFound:
        if any(job.state is State.RETRYING for job in ended):
            raise RetryLater(
                "There is no board to show yet: the work failed for the reason above. "
                "Start once more to go on with it."
            ) from None
        raise NotFound(
            "There is no board to show: of none of these repositories was anything captured. "
            "Name others with REPOS, or read other hours with ARCHIVE."
        ) from None


# --- showing ----------------------------------------------------------------------------------


def _show(app: App, server: RunningServer, board: Slice) -> None:
    rules = rule_sets.version(app.services, board.head.rules).rules
    count = len(repositories.everyone(app.services))
    title = f"All {plural(count, 'repository', 'repositories')}, all time"
    app.show(board_table(title, board.rows, rules, app.out.width))
    app.say()
    more = board.total - len(board.rows)
    apart = others(board.head, "human")
    if more > 0:
        app.say(f"... and {more:,} more: {COMMAND} board --page-size 100", "dim")
    if apart:
        app.say(f"Ranked apart: {apart} ({COMMAND} board --class all).", "dim")
    for line in coverage_lines(board.head.coverage):
        app.say(line, "dim")
    app.say()
    for label, address in zip(_LABELS, _addresses(server).values(), strict=True):
        app.say(f"{label:<10} {address}")
    if app.settings.log_file is not None:
        app.say(f"{'Log':<10} {app.settings.log_file}")


def _addresses(server: RunningServer) -> dict[str, str]:
    return {
        "dashboard": f"{server.url}/",
        "api": f"{server.url}/api/v1/leaderboard/global",
        "docs": f"{server.url}/docs",
    }


def _as_json(
    server: RunningServer, key: str | None, ended: Sequence[Job], board: Slice
) -> dict[str, object]:
    return {
        "addresses": _addresses(server),
        "admin_key": key,
        "jobs": [job.model_dump(mode="json") for job in ended],
        "rows": rows_json(board),
    }
