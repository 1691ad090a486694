"""A board to look at: published, or of any range of time."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import click

from infra.cli.app import COMMAND, App
from infra.cli.names import board_of, head_of, window_option
from shared.board_reading import Selection, Slice
from shared.boards import Head
from shared.custom_range import RangeBoards, custom_window
from shared.errors import NotFound, Rejected
from shared.models import Window, parse_time
from shared.repositories import Repository

F = TypeVar("F", bound=Callable[..., Any])

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class View:
    """A board with what it is over. ``read`` and ``find`` (by login) give its rows."""

    name: str
    repositories: tuple[Repository, ...]
    head: Head
    read: Callable[[Selection], Slice]
    find: Callable[[str], Slice]

    @property
    def window(self) -> Window:
        inputs = self.head.receipt.inputs
        start = None if inputs.start is None else parse_time(inputs.start)
        return Window(self.head.window, start, parse_time(inputs.end))

    @property
    def title(self) -> str:
        """What the board is over, and which time: for people."""
        inputs = self.head.receipt.inputs
        if self.head.window == "all":
            return f"{self.name}, all time"
        if inputs.start is not None and self.head.window == "custom":
            return f"{self.name}, {inputs.start[:16]}Z to {inputs.end[:16]}Z"
        return f"{self.name}, last {self.head.window.removesuffix('d')} days"

    def person(self, login: str) -> Slice:
        """The row of somebody. Raises NotFound naming the board that was looked at."""
        found = self.find(login)
        if not found.rows:
            raise NotFound(
                f"Nobody called {login[:60]!r} is on this board ({self.title}). "
                f"`{COMMAND} board --search` finds logins; --window takes other times."
            )
        return found


def span_options(function: F) -> F:
    """The options that say which time: ``window``, or ``start`` and ``end``."""
    for option in (
        click.option("--end", help="The end of that time, itself not in it."),
        click.option(
            "--start", help="The start of any other time: 2025-03-20 or 2025-03-20T12:00:00Z."
        ),
        window_option,
    ):
        function = option(function)
    return function


def view_of(app: App, name: str | None, window: str, start: str | None, end: str | None) -> View:
    """The board of a repository or of all, in a window or between two moments. Raises NotFound."""
    board, title, where = board_of(app, name)
    span = _range(start, end)
    if span is None:
        head = head_of(app, board, window)
        boards = app.services.boards
        return View(
            title,
            tuple(where),
            head,
            lambda selection: boards.read(board, window, selection),
            lambda login: boards.person(board, window, login=login),
        )
    counted = RangeBoards().board(app.services, board, title, where, span)
    return View(
        title,
        tuple(where),
        counted.head,
        counted.read,
        lambda login: counted.person(login=login),
    )


def _range(start: str | None, end: str | None) -> Window | None:
    if start is None and end is None:
        return None
    if start is None or end is None:
        raise click.UsageError("--start and --end belong together. Give both.")
    return custom_window(_moment("--start", start), _moment("--end", end))


def _moment(option: str, text: str) -> datetime:
    """A date, which is its midnight in UTC, or a time with an offset."""
    try:
        return parse_time(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text)
    except Rejected as error:
        raise click.BadParameter(
            f"{text[:60]!r} is no time. Write 2025-03-20, or 2025-03-20T12:00:00Z.",
            param_hint=f"'{option}'",
        ) from error
