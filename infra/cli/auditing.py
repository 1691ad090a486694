"""The command that holds the audit trail against its seals."""

from __future__ import annotations

import re

import click

from infra.cli.app import App, command
from infra.cli.texts import plural
from shared import audit_integrity
from shared.audit_integrity import Checked

_NOTED = re.compile(r"(\d{1,10}):([0-9a-f]{64})")

_BREAKS = {
    "missing": "is missing",
    "changed": "is not what it was",
    "unlinked": "does not follow the one before",
    "replaced": "is another one than was noted",
}


def add_to(group: click.Group) -> None:
    """Add the commands of this file."""

    @group.group("audit")
    def audit() -> None:
        """The audit trail: is it what was recorded?"""

    @command(audit, "check")
    @click.option(
        "--seal",
        "noted",
        multiple=True,
        metavar="NUMBER:HASH",
        callback=_noted,
        help="A seal as it was noted elsewhere, such as by the log. May be given several times.",
    )
    def check(app: App, noted: dict[int, str]) -> None:
        """Hold every record of the audit trail against the seals. Exit code 1 if one differs."""
        found = audit_integrity.check(app.services, known=noted)
        if not app.emit({**found.model_dump(exclude={"following"}), "intact": found.intact}):
            _say(app, found)
        if not found.intact:
            raise click.exceptions.Exit(1)


def _noted(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[int, str]:
    found: dict[int, str] = {}
    for value in values:
        match = _NOTED.fullmatch(value)
        if match is None:
            raise click.BadParameter(f"{value[:80]!r} is not a number, a colon and 64 hex digits.")
        found[int(match[1])] = match[2]
    return found


def _say(app: App, found: Checked) -> None:
    app.say(
        f"{plural(found.records, 'record')} under {plural(found.seals, 'seal')}; "
        f"{plural(found.unsealed, 'record')} not sealed yet."
    )
    if found.last:
        app.say(f"The last seal is {found.last}:{found.hash}")
    if found.late is not None:
        app.say(f"Seal {found.late} has a record much older than the seal before.", "yellow")
    if found.broken is not None:
        app.say(f"Seal {found.broken.seal} {_BREAKS[found.broken.what]}.", "red")
    if found.fault is not None:
        under = "" if found.fault.seal is None else f" (seal {found.fault.seal})"
        app.say(f"Record {found.fault.record}{under} was {found.fault.what}.", "red")
    if found.intact:
        app.say("The trail is what was sealed.", "green")
    else:
        app.say("docs/audit.md says what to do now.")
