"""``serve``: the functions on one port, until somebody ends it."""

from __future__ import annotations

import os

import click

from infra.cli.app import App, command
from infra.cli.server import ended_by_signals, started_server, wait_for_the_end


def add_to(group: click.Group) -> None:
    """Add the commands of this file."""

    @command(group, "serve", makes_data=True, only_here=True)
    def serve(app: App) -> None:
        """Serve the API and the dashboard, and do what is asked for, until Ctrl-C."""
        with ended_by_signals(), started_server(app) as server:
            if not app.emit({"url": server.url, "pid": os.getpid()}):
                app.say(f"Serving {app.settings.data_dir} at {server.url} until Ctrl-C.")
            wait_for_the_end()
            app.say("Stopped.")
