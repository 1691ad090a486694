"""The command that reads contributors' public profiles, and lists what was read."""

from __future__ import annotations

import click

from infra.cli.app import CALLER, App, command
from infra.cli.texts import minute
from shared import enrichment, enrichment_steps
from shared.boards import GLOBAL
from shared.enrichment import Enrichment, EnrichmentState
from shared.errors import NotFound
from shared.ports import Json

_STYLES = {EnrichmentState.FAILED: "red", EnrichmentState.PENDING: "yellow"}


def add_to(group: click.Group) -> None:
    """Add the command of this file."""

    @command(group, "enrich")
    @click.argument("logins", nargs=-1, metavar="[LOGIN...]")
    @click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
    def enrich(app: App, logins: tuple[str, ...], limit: int) -> None:
        """Read public profiles on GitHub now; without a login, list those that were asked for."""
        if logins:
            found = [enriched(app, login) for login in logins]
        else:
            page = enrichment.listed(app.services, limit=limit)
            found = [enrichment.read(document) for document in page.documents]
        if not app.emit([_dumped(each) for each in found]):
            _show(app, found)
        if logins and any(each.state is not EnrichmentState.COMPLETED for each in found):
            raise click.exceptions.Exit(1)


def enriched(app: App, login: str) -> Enrichment:
    """Ask and do it here: the task that is in the queue then finds it done."""
    services = app.services
    rows = services.boards.person(GLOBAL, "all", login=login).rows
    if not rows:
        raise NotFound(f"Nobody called {login[:100]!r} is on the global board.")
    asked = enrichment.request(services, rows[0].github_id, rows[0].username, CALLER).enrichment
    done = enrichment_steps.enrich(
        services, asked.id, asked.dispatches, f"command-{services.new_id()}"
    )
    return done or enrichment.get(services, rows[0].github_id) or asked


def _dumped(found: Enrichment) -> dict[str, Json]:
    return found.model_dump(mode="json", exclude={"fields": {"mail"}, "holder": True})


def _show(app: App, found: list[Enrichment]) -> None:
    if not found:
        app.say("No profile was asked for yet.")
        return
    for each in found:
        about = each.note or (each.error.message if each.error else None)
        when = f", {minute(each.enriched_at)}" if each.enriched_at else ""
        app.say(f"{each.login}: {each.state.value.lower()}{when}", _STYLES.get(each.state))
        if about:
            app.say(f"  {about}")
        for name, noted in each.fields.items():
            if name != "mail":
                app.say(f"  {name.replace('_', ' ')}: {noted.value}")
        for link in each.social:
            app.say(f"  {link.provider}: {link.url}")
