"""Commands that have work done: register, scrape, refresh, recalculate, ingest."""

from __future__ import annotations

from collections.abc import Sequence

import click

from infra.cli import ingesting
from infra.cli.app import CALLER, COMMAND, App, command
from infra.cli.names import registered
from infra.cli.sample import is_sample
from infra.cli.texts import plural
from infra.cli.waiting import describe, see_through, style_of
from shared import jobs, recalculation, repositories, staleness
from shared.bulk_registration import register_organization
from shared.jobs import Job, State
from shared.models import RepositoryName
from shared.repositories import Repository
from shared.tables import Dataset

_NO_LIMIT = 1_000_000


def add_to(group: click.Group) -> None:
    """Add the commands of this file."""
    _add_ingest(group)
    _add_register(group)
    _add_scrape(group)
    _add_refresh(group)
    _add_recalculate(group)


def finish(app: App, asked: Sequence[Job]) -> None:
    """See jobs through and say how they ended. Exit code 1 if one failed."""
    done = see_through(app, [job.id for job in asked])
    if not app.emit([job.model_dump(mode="json") for job in done]):
        for job in done:
            app.say(describe(job), style_of(job.state))
    if any(job.state is not State.COMPLETED for job in done):
        raise click.exceptions.Exit(1)


def _add_ingest(group: click.Group) -> None:
    @command(group, "ingest", makes_data=True, only_here=True)
    @click.argument("spec")
    def ingest(app: App, spec: str) -> None:
        """Read archive files: a path, a pattern, a directory, or dates such as 2025-03-20-9.

        Dates are hours of GH Archive in UTC, a whole day without the hour, or a range written as
        2025-03-20..2025-03-22. Hours are fetched once and kept in the data directory.
        """
        done = ingesting.ingest(app, ingesting.sources_of(app, spec))
        data = [{"unit": unit.name, "rows": unit.rows, **unit.about} for unit in done.units]
        fresh = [unit.name for unit in done.fresh]
        if app.emit(data, fresh=fresh, missing=list(done.missing)):
            return
        for line in ingesting.summary(done):
            app.say(line)
        if any(map(is_sample, app.services.warehouse.units(Dataset.EVENTS))):
            app.warn(
                "Invented sample events are here, too. Real ones want a DATA_DIR of their own."
            )
        if done.fresh and repositories.everyone(app.services):
            app.say(f"`{COMMAND} refresh --all` brings the boards up to date.", "dim")


def _add_register(group: click.Group) -> None:
    @command(group, "register", makes_data=True)
    @click.argument("names", nargs=-1, metavar="[OWNER/NAME...]")
    @click.option("--organization", help="All public repositories of this one on GitHub.")
    @click.option("--forks", is_flag=True, help="Its forks, too.")
    @click.option("--archived", is_flag=True, help="Those that are archived, too.")
    @click.option("--wait", is_flag=True, help="Scrape now and wait for the boards.")
    def register(
        app: App,
        names: tuple[str, ...],
        organization: str | None,
        forks: bool,
        archived: bool,
        wait: bool,
    ) -> None:
        """Register repositories; their boards follow when a server runs, or with --wait."""
        if bool(names) == bool(organization) or (names and (forks or archived)):
            raise click.UsageError("Name repositories, or say --organization with what of it.")
        if organization:
            _register_organization(app, organization, forks=forks, archived=archived, wait=wait)
            return
        wanted = [RepositoryName.parse(name) for name in names]
        found = [repositories.register(app.services, name, CALLER) for name in wanted]
        if not wait:
            if app.emit([each.repository.model_dump(mode="json") for each in found]):
                return
            for each in found:
                verb = "registered" if each.created else "was registered before"
                app.say(f"{each.repository.name} {verb}.")
            return
        finish(app, [each.job or _scrape(app, each.repository, full=True) for each in found])


def _register_organization(
    app: App, login: str, *, forks: bool, archived: bool, wait: bool
) -> None:
    found = register_organization(app.services, login, CALLER, forks=forks, archived=archived)
    if wait:
        finish(app, [jobs.get(app.services, str(r.active_job)) for r in found.registered])
        return
    counts = {
        "existing": len(found.existing),
        "refused": {each.name: each.error.message for each in found.refused},
        "forks": found.forks,
        "archived": found.archived,
        "left_out": found.left_out,
        "complete": found.complete,
    }
    if app.emit([each.model_dump(mode="json") for each in found.registered], **counts):
        return
    for each in found.registered:
        app.say(f"{each.name} registered.")
    for refused in found.refused:
        app.warn(f"{refused.name}: {refused.error.message}")
    app.say(
        f"{len(found.registered):,} registered, {len(found.existing):,} were before; "
        f"without {plural(found.forks, 'fork')} and {found.archived:,} archived."
    )
    if found.left_out or not found.complete:
        more = "" if found.complete else " at least"
        app.warn(f"{found.left_out:,}{more} left out. The same command again goes on with them.")


def _add_scrape(group: click.Group) -> None:
    @command(group, "scrape")
    @click.argument("name", metavar="OWNER/NAME")
    @click.option("--full", is_flag=True, help="Everything again, not only what is new.")
    def scrape(app: App, name: str, full: bool) -> None:
        """Bring one repository's contributions and boards up to date."""
        finish(app, [_scrape(app, registered(app, name), full=full)])


def _add_refresh(group: click.Group) -> None:
    @command(group, "refresh")
    @click.argument("names", nargs=-1, metavar="[OWNER/NAME...]")
    @click.option(
        "--all", "every", is_flag=True, help="Every one that is not paused, however fresh."
    )
    def refresh(app: App, names: tuple[str, ...], every: bool) -> None:
        """Bring the stale repositories up to date, or those that are named."""
        if every or names:
            chosen = (
                [r for r in repositories.everyone(app.services) if not r.paused]
                if every
                else [registered(app, name) for name in names]
            )
            asked = [_scrape(app, repository, full=False) for repository in chosen]
        else:
            asked = staleness.refresh_stale(app.services, _NO_LIMIT)
        if asked:
            finish(app, asked)
        elif not app.emit([]):
            app.say("No repository is stale. --all refreshes every one.")


def _add_recalculate(group: click.Group) -> None:
    @command(group, "recalculate")
    @click.argument("name", required=False, metavar="[OWNER/NAME]")
    @click.option("--global", "only_global", is_flag=True, help="The board over all repositories.")
    @click.option("--all", "every", is_flag=True, help="Every repository, and the global board.")
    def recalculate(app: App, name: str | None, only_global: bool, every: bool) -> None:
        """Count, score, rank and publish again from the contributions that are stored."""
        if (name is not None) + only_global + every != 1:
            raise click.UsageError("Name one repository, or say --global or --all.")
        if only_global:
            finish(app, [recalculation.request_global(app.services, CALLER)])
            return
        chosen = [registered(app, name)] if name else repositories.everyone(app.services)
        asked = [
            recalculation.request_repository(app.services, repository, CALLER)
            for repository in chosen
        ]
        finish(
            app, [*asked, recalculation.request_global(app.services, CALLER)][: len(asked) + every]
        )


def _scrape(app: App, repository: Repository, *, full: bool) -> Job:
    job, _ = repositories.request_scrape(app.services, repository.registered_as, CALLER, full=full)
    return job
