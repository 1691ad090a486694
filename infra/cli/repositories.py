"""Commands about registered repositories: list them, pause, resume and remove them."""

from __future__ import annotations

import click
from rich.markup import escape

from infra.cli.app import CALLER, App, command
from infra.cli.names import registered
from infra.cli.tables import table
from infra.cli.texts import minute
from shared import pausing, repositories, repository_list
from shared.jobs import RepositoryStatus
from shared.repository_list import SORTS, Listing, RepositoryLists
from shared.repository_records import Repository

_names = click.argument("names", nargs=-1, required=True, metavar="OWNER/NAME...")


def add_to(group: click.Group) -> None:
    """Add the commands of this file."""
    _add_list(group)
    _add_switches(group)
    _add_remove(group)


def _add_list(group: click.Group) -> None:
    @command(group, "repositories")
    @click.option("--status", type=click.Choice(list(RepositoryStatus), case_sensitive=False))
    @click.option("--search", default="", help="Part of owner/name, in any case.")
    @click.option("--sort", type=click.Choice(SORTS), default="name", show_default=True)
    @click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
    def list_(app: App, status: str | None, search: str, sort: str, limit: int) -> None:
        """List registered repositories, by name or the largest first."""
        wanted = None if status is None else RepositoryStatus(status.upper())
        listing = Listing(wanted, search, sort, descending=sort != "name")
        page = repository_list.find(app.services, listing, RepositoryLists(), limit=limit)
        found = [each.model_dump(mode="json") for each in page.repositories]
        if app.emit(found, more=page.cursor is not None):
            return
        if not found:
            app.say("There is no such repository.")
            return
        made = table(
            "Repositories", "name", "status", "stars", "scraped (UTC)", right=("stars",),
            wide=("name",),
        )  # fmt: skip
        for each in page.repositories:
            stars = "-" if each.stars is None else f"{each.stars:,}"
            scraped = minute(each.last_scraped_at or "-")
            made.add_row(escape(each.name), each.status.value, stars, scraped)
        app.show(made)
        if page.cursor is not None:
            app.say("There are more. --limit shows them.", "dim")


def _add_switches(group: click.Group) -> None:
    @command(group, "disable")
    @_names
    def disable(app: App, names: tuple[str, ...]) -> None:
        """Pause repositories: their boards stay, and nothing is scraped until they are enabled."""
        _told(app, "is paused", [_switched(app, name, on=False) for name in names])

    @command(group, "enable")
    @_names
    def enable(app: App, names: tuple[str, ...]) -> None:
        """Have paused repositories scraped again, at their set times and on request."""
        _told(app, "is scraped again", [_switched(app, name, on=True) for name in names])


def _add_remove(group: click.Group) -> None:
    @command(group, "remove")
    @click.argument("name", metavar="OWNER/NAME")
    @click.confirmation_option(prompt="Its contributions and boards go. Remove it?")
    def remove(app: App, name: str) -> None:
        """Unregister a repository: its contributions and boards go, the global board follows."""
        found = registered(app, name)
        removed = repositories.remove(app.services, found.registered_as, CALLER)
        _told(app, "is removed", [removed])


def _switched(app: App, name: str, *, on: bool) -> Repository:
    found = registered(app, name).registered_as
    change = pausing.enable if on else pausing.disable
    return change(app.services, found, CALLER)


def _told(app: App, what: str, found: list[Repository]) -> None:
    if not app.emit([each.model_dump(mode="json") for each in found]):
        for each in found:
            app.say(f"{each.name} {what}.")
