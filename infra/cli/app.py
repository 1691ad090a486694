"""What every command shares: its options, the services, where it writes, how it fails."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import click
import structlog
from rich.console import Console, RenderableType

from infra import logs
from infra.environment import settings_from, with_file
from infra.local.documents import SqliteDocuments
from infra.local.warehouse import LocalWarehouse
from infra.services import build, make_data_folder
from shared.context import Caller, Services
from shared.errors import LeaderboardError, Rejected
from shared.metering import unmetered
from shared.settings import Settings

Command = Callable[..., None]
"""Takes an App, then the command's own options by name."""

CALLER = Caller(actor="command line", actor_type="admin", agent="infra.cli")
"""Whoever can run commands on this machine owns the data: the audit trail calls them so."""


def _command() -> str:
    """How these commands are called here: with the interpreter beside the project, if it is one."""
    python = Path(sys.executable)
    here = Path.cwd()
    return f"{python.relative_to(here) if python.is_relative_to(here) else 'python'} -m infra.cli"


COMMAND = _command()

_MISSING = "There is no data in {}. Begin with `make run`, or set DATA_DIR to where the data is."

_ONLY_HERE = (
    "{} is for this machine. On Google Cloud the deployed functions serve, and read the public "
    "archive: see docs/deployment.md. Set BACKEND=local to work here."
)

_DEPLOYMENT = Path(__file__).parents[1] / "deployment.json"

log = structlog.get_logger()


@dataclass
class App:
    """A command's surroundings. ``out`` is for people; ``emit`` for programs, under ``--json``."""

    settings: Settings
    as_json: bool
    out: Console = field(default_factory=lambda: Console(highlight=False))
    err: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))

    @cached_property
    def services(self) -> Services:
        return build(_as_deployed(self.settings))

    def say(self, text: str = "", style: str | None = None) -> None:
        """A line for people, as it is: never cut, never wrapped. Silent under ``--json``."""
        if not self.as_json:
            self.out.print(text, style=style, markup=False, soft_wrap=True)

    def show(self, what: RenderableType) -> None:
        """A table or box for people. Silent under ``--json``."""
        if not self.as_json:
            self.out.print(what)

    def warn(self, text: str) -> None:
        """A line on standard error."""
        self.err.print(text, style="yellow", markup=False, soft_wrap=True)

    def emit(self, data: object, **meta: object) -> bool:
        """Under ``--json`` write the answer and say True; else do nothing."""
        if self.as_json:
            body = {"data": data, **({"meta": meta} if meta else {})}
            click.echo(json.dumps(body, ensure_ascii=False, indent=2))
        return self.as_json

    def close(self) -> None:
        if "services" not in self.__dict__:
            return
        for port in (self.services.documents, unmetered(self.services.warehouse)):
            if isinstance(port, SqliteDocuments | LocalWarehouse):
                port.close()


def command(
    group: click.Group,
    name: str,
    *,
    makes_data: bool = False,
    needs_data: bool = True,
    only_here: bool = False,
) -> Callable[[Command], click.Command]:
    """Register a command that gets an App first. Its docstring is its help.

    ``makes_data`` says that it may be the first on a data directory, ``needs_data`` False that it
    works without one, ``only_here`` that it is for the embedded backend.
    """

    def register(function: Command) -> click.Command:
        @click.option("--json", "as_json", is_flag=True, help="Answer in JSON for programs.")
        @click.option("--data-dir", help="Where the data is. [default: DATA_DIR or .data]")
        @click.option("--host", help="Address of the server. [default: HOST or 127.0.0.1]")
        @click.option(
            "--port", type=click.IntRange(0, 65535), help="Its port. [default: PORT or 8080]"
        )
        @functools.wraps(function)
        def run(
            *, as_json: bool, data_dir: str | None, host: str | None, port: int | None, **rest: Any
        ) -> None:
            overrides = {"DATA_DIR": data_dir, "HOST": host, "PORT": port}
            with _failing_clearly():
                settings = _settings(overrides)
                if only_here and settings.backend != "local":
                    raise Rejected(_ONLY_HERE.format(name))
            with (
                _failing_clearly(),
                _opened(settings, as_json, makes_data=makes_data, needs_data=needs_data) as app,
            ):
                function(app, **rest)

        return group.command(name)(run)

    return register


def _as_deployed(settings: Settings) -> Settings:
    """With the accounts that a deployment makes, where the settings name no others."""
    project = settings.google_cloud_project
    if settings.backend != "gcp" or project is None:
        return settings
    callers: dict[str, dict[str, str]] = json.loads(_DEPLOYMENT.read_text("utf-8"))["callers"]
    mails = {
        caller: f"{each['account']}@{project}.iam.gserviceaccount.com"
        for caller, each in callers.items()
    }
    return settings.model_copy(
        update={
            "tasks_service_account": settings.tasks_service_account or mails["task"],
            "invoker_service_accounts": settings.invoker_service_accounts or (*mails.values(),),
        }
    )


@contextmanager
def _opened(
    settings: Settings, as_json: bool, *, makes_data: bool, needs_data: bool
) -> Iterator[App]:
    if makes_data and settings.backend == "local":
        make_data_folder(settings.data_dir)
    elif needs_data and settings.backend == "local" and not settings.data_dir.is_dir():
        raise Rejected(_MISSING.format(settings.data_dir))
    logs.configure(settings)
    app = App(settings, as_json)
    try:
        yield app
    except (LeaderboardError, click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except BrokenPipeError:
        # The reader (such as head) has seen enough; nothing may be written at the end either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(0) from None
    except Exception as error:
        raise _unexpected(settings, error) from error
    finally:
        app.close()


def _settings(overrides: dict[str, Any]) -> Settings:
    """From options, the environment and ``.env``, in that order.

    Logs go to a file beside the data, to keep the screen readable, unless they are asked for.
    """
    given = {name: str(value) for name, value in overrides.items() if value is not None}
    settings = settings_from(with_file({**os.environ, **given}, Path(".env")))
    if {"log_format", "log_file"} & settings.model_fields_set:
        return settings
    return settings.model_copy(update={"log_file": settings.data_dir / "log.jsonl"})


@contextmanager
def _failing_clearly() -> Iterator[None]:
    """Expected errors become one sentence and exit code 1; wrong usage (2) is click's own."""
    try:
        yield
    except LeaderboardError as error:
        raise click.ClickException(error.message) from error


def _unexpected(settings: Settings, error: Exception) -> click.ClickException:
    """A sentence for the screen. The trace goes to the log file; to the screen if asked for."""
    if settings.log_file is not None:
        log.error("command_failed", exc_info=error)
        trace = f"The trace is in {settings.log_file}."
    else:
        log.debug("command_failed", exc_info=error)
        trace = "LOG_LEVEL=DEBUG shows the trace."
    first_line = (str(error).splitlines() or [""])[0][:200]
    return click.ClickException(f"This is a defect: {type(error).__name__}: {first_line}. {trace}")
