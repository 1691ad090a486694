"""Commands about work that is stuck or failed: cancel and retry jobs, settle dead letters."""

from __future__ import annotations

import click

from infra.cli.app import CALLER, App, command
from infra.cli.tables import table
from infra.cli.texts import minute
from infra.cli.waiting import describe, style_of
from shared import dead_letters, job_control
from shared.dead_letters import DeadLetter
from shared.jobs import Job

_job = click.argument("id_", metavar="ID")


def add_to(group: click.Group) -> None:
    """Add the commands of this file."""

    @command(group, "cancel")
    @_job
    def cancel(app: App, id_: str) -> None:
        """End a job. What a schedule asks for comes again at its set time."""
        _tell(app, job_control.cancel(app.services, CALLER, id_))

    @command(group, "retry")
    @_job
    def retry(app: App, id_: str) -> None:
        """Begin a failed or cancelled job again where it ended, for a server to go on with."""
        _tell(app, job_control.retry(app.services, CALLER, id_))

    _add_letters(group)


def _add_letters(group: click.Group) -> None:
    @command(group, "dead-letters")
    @click.option("--retry", "retried", metavar="ID", help="Have this one done again.")
    @click.option("--discard", "discarded", metavar="ID", help="Settle this one as it is.")
    @click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
    def letters(app: App, retried: str | None, discarded: str | None, limit: int) -> None:
        """List what failed for good and waits for somebody, or settle one of them."""
        if retried is not None and discarded is not None:
            raise click.UsageError("Say --retry or --discard.")
        if retried is not None:
            dead_letters.retry(app.services, CALLER, retried)
            _settled(app, dead_letters.get(app.services, retried))
        elif discarded is not None:
            dead_letters.discard(app.services, CALLER, discarded)
            _settled(app, dead_letters.get(app.services, discarded))
        else:
            _list(app, limit)


def _list(app: App, limit: int) -> None:
    page = dead_letters.open_letters(app.services, limit=limit)
    found = [dead_letters.read(document) for document in page.documents]
    if app.emit([each.model_dump(mode="json") for each in found], more=page.cursor is not None):
        return
    if not found:
        app.say("There is none: nothing has failed for good.")
        return
    made = table("Dead letters", "id", "what", "failed (UTC)", "why", wide=("why",))
    for each in found:
        what = (each.type or "message").replace("_", " ")
        made.add_row(each.id, what, minute(each.failed_at)[5:], each.reason)
    app.show(made)


def _settled(app: App, letter: DeadLetter) -> None:
    if not app.emit(letter.model_dump(mode="json")):
        app.say(f"{letter.id} is {letter.settled_as}.")


def _tell(app: App, job: Job) -> None:
    if not app.emit(job.model_dump(mode="json")):
        app.say(describe(job), style_of(job.state))
