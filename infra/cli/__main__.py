"""The commands, put together. Run as ``python -m infra.cli``."""

from __future__ import annotations

import click

from infra.cli import (
    auditing,
    boards,
    checks,
    costs,
    exporting,
    key_admin,
    keys,
    people,
    pipeline,
    price,
    profiles,
    repositories,
    run,
    serving,
    settling,
    work,
)
from infra.cli.app import COMMAND


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """A contributor leaderboard that explains every score.

    Settings come from options, the environment and .env; see .env.example.
    """


for part in (
    run,
    serving,
    keys,
    key_admin,
    work,
    repositories,
    settling,
    pipeline,
    profiles,
    boards,
    people,
    checks,
    costs,
    price,
    exporting,
    auditing,
):
    part.add_to(cli)

if __name__ == "__main__":
    cli(prog_name=COMMAND)
