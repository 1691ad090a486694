"""Commands about people: what is stored about somebody, hiding, removing, merging accounts."""

from __future__ import annotations

import json
from typing import Any

import click

from infra.cli.app import CALLER, App, command
from infra.cli.work import finish
from shared import audit, identities, personal_data, pseudonyms, removals
from shared.jobs import Job

_ROWS = 5000

_who = click.argument("who", metavar="LOGIN|id:NUMBER")
_wait = click.option("--wait", is_flag=True, help="Wait until it holds everywhere.")
_reason = click.option("--reason", required=True, help="Why; it stays on the audit trail.")


def add_to(group: click.Group) -> None:
    """Add the commands of this file."""

    @group.group("person")
    def person() -> None:
        """People's rights: export, hide, show, remove, merge, unmerge."""

    _add_export(person)
    _add_visibility(person)
    _add_removal(person)
    _add_merges(person)


def _asked(app: App, job: Job | None, *, wait: bool, what: str) -> None:
    """Say what was asked for, or see it through."""
    if job is None:
        if not app.emit([]):
            app.say("That is so already.")
    elif wait:
        finish(app, [job])
    elif not app.emit([job.model_dump(mode="json")]):
        app.say(f"{what} A running server carries it out as job {job.id}; --wait does it here.")


def _add_export(group: click.Group) -> None:
    @command(group, "export")
    @_who
    def export(app: App, who: str) -> None:
        """Write everything stored about a person to standard output, as JSON."""
        services = app.services
        account = identities.account_of(services, who)
        name = pseudonyms.of(services, account)
        entry = audit.record(
            services, CALLER, "person.exported", ("person", name), f"Data of {name} exported"
        )
        services.documents.write([entry])
        skipped = 0
        whole: dict[str, Any] = {}
        while True:
            # A stretch at a time is counted and sorted, and the next is asked for.
            found: dict[str, Any] = dict(
                personal_data.export(services, account, skipped=skipped, most=_ROWS)
            )
            for dataset, rows in found["facts"].items():
                whole.setdefault("facts", {}).setdefault(dataset, []).extend(rows)
            whole = {**found, "facts": whole["facts"]}
            skipped += _ROWS
            if not found["more"]:
                break
        del whole["skipped"], whole["more"]
        click.echo(json.dumps(whole, ensure_ascii=False, indent=2))


def _add_visibility(group: click.Group) -> None:
    @command(group, "hide")
    @_who
    @_wait
    def hide(app: App, who: str, wait: bool) -> None:
        """Show a person under a pseudonym, with all merged accounts. They count on."""
        job = removals.hide(app.services, identities.account_of(app.services, who), CALLER)
        _asked(app, job, wait=wait, what="They will be shown as anonymous.")

    @command(group, "show")
    @_who
    @_wait
    def show(app: App, who: str, wait: bool) -> None:
        """Show an anonymous person by name again."""
        job = removals.show(app.services, identities.account_of(app.services, who), CALLER)
        _asked(app, job, wait=wait, what="They will be shown again.")


def _add_removal(group: click.Group) -> None:
    @command(group, "remove")
    @_who
    @_wait
    def remove(app: App, who: str, wait: bool) -> None:
        """Remove all that is stored about a person, and take in nothing of them again."""
        job = removals.remove(app.services, identities.account_of(app.services, who), CALLER)
        _asked(app, job, wait=wait, what="They will be removed.")

    @command(group, "lift")
    @click.argument("account", type=click.IntRange(1), metavar="NUMBER")
    def lift(app: App, account: int) -> None:
        """Take a removal back. Ingesting and scraping again bring what the sources have."""
        lifted = removals.lift(app.services, account, CALLER)
        if not app.emit([*lifted]):
            app.say(f"The removal of {', '.join(map(str, lifted))} is lifted.")


def _add_merges(group: click.Group) -> None:
    @command(group, "merge")
    @click.argument("person", metavar="PERSON")
    @click.argument("accounts", nargs=-1, required=True, metavar="OTHER...")
    @_reason
    @_wait
    def merge(app: App, person: str, accounts: tuple[str, ...], reason: str, wait: bool) -> None:
        """Have other accounts count as PERSON. Each is a login or id:NUMBER."""
        into, *others = (identities.account_of(app.services, who) for who in (person, *accounts))
        job = identities.merge(app.services, into, others, reason, CALLER)
        _asked(app, job, wait=wait, what="They will count as one.")

    @command(group, "unmerge")
    @click.argument("account", metavar="LOGIN|id:NUMBER")
    @_reason
    @_wait
    def unmerge(app: App, account: str, reason: str, wait: bool) -> None:
        """Have a merged account count by itself again."""
        who = identities.account_of(app.services, account)
        job = identities.unmerge(app.services, who, reason, CALLER)
        _asked(app, job, wait=wait, what="They will count apart.")
