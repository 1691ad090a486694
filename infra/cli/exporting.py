"""The command that writes a whole board, activity, costs or the audit trail into a file."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import get_args

import click

from infra.cli.app import CALLER, App, command
from infra.cli.names import class_option
from shared import exports
from shared.activity import Grouping
from shared.export_files import Format
from shared.export_wanted import ALLOWED, Filters, Type, Wanted
from shared.models import WINDOW_DAYS

_day = click.DateTime(["%Y-%m-%d"])


def add_to(group: click.Group) -> None:
    """Add the command of this file."""

    @command(group, "export")
    @click.argument("type_", metavar="TYPE", type=click.Choice(get_args(Type)))
    @click.option(
        "--format", "format_", type=click.Choice(get_args(Format)), default="csv", show_default=True
    )
    @click.option(
        "--output", help="The file to write; - is standard output. [default: by its type]"
    )
    @click.option("--header", is_flag=True, help="Begin a CSV file with lines about it.")
    @click.option("--window", type=click.Choice(list(WINDOW_DAYS)), help="Of a board.")
    @class_option
    @click.option("--generation", help="Of a board: a kept state of it.")
    @click.option("--repository", metavar="OWNER/NAME", help="Whose board, or where.")
    @click.option("--login", help="Whose activity.")
    @click.option("--start", type=_day, help="Of activity, costs, audit: the first day (UTC).")
    @click.option("--end", type=_day, help="The first day that is not in it.")
    @click.option("--group-by", type=click.Choice([g.value for g in Grouping]), help="Of activity.")
    def export(
        app: App,
        type_: Type,
        format_: Format,
        output: str | None,
        header: bool,
        account_class: str,
        start: datetime | None,
        end: datetime | None,
        **filters: str | None,
    ) -> None:
        """Write a whole board (global, repository), activity, costs or audit to a file."""
        chosen = Filters(
            account_class=account_class if "class" in ALLOWED[type_] else None,
            start=None if start is None else start.date(),
            end=None if end is None else end.date(),
            **filters,
        )
        wanted = Wanted(type=type_, format=format_, filters=chosen, header=header)
        made, pieces = exports.straight(app.services, CALLER, wanted)
        if output == "-":
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            return
        path = Path(output or made.filename)
        size = _put(path, pieces)
        if not app.emit({"file": str(path), "bytes": size}):
            app.say(f"{path}: {size:,} bytes")


def _put(path: Path, pieces: Iterator[bytes]) -> int:
    """Write beside the file and rename: it is there whole, or as it was."""
    size = 0
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            for piece in pieces:
                size += file.write(piece)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)
    return size
