"""``first-key``: the admin key of a new installation."""

from __future__ import annotations

import click

from infra.cli.app import App, command
from shared import auth
from shared.errors import Conflict


def add_to(group: click.Group) -> None:
    """Add the command of this file."""

    @command(group, "first-key", makes_data=True)
    def first_key(app: App) -> None:
        """Make the first API key, an admin's, and show it once.

        `run` does so by itself; an installation on Google Cloud gets it by this command.
        """
        key = auth.create_first_key(app.services)
        if key is None:
            raise Conflict("The first key was made before. It was shown once and is not kept.")
        if not app.emit({"key": key}):
            app.say(key)
            app.warn("Keep it: it is stored as a hash and cannot be shown again.")
