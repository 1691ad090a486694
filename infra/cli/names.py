"""What people name on the command line: repositories, boards, windows."""

from __future__ import annotations

import click

from infra.cli.app import COMMAND, App
from shared import repositories, repository_names
from shared.boards import ALL_CLASSES, CLASSES, GLOBAL, Head, repository_board
from shared.errors import Conflict, NotFound
from shared.models import WINDOW_DAYS, RepositoryName
from shared.repositories import Repository

window_option = click.option(
    "--window", type=click.Choice(list(WINDOW_DAYS)), default="all", show_default=True,
    help="The time that counts, back from the end of what was captured.",
)  # fmt: skip
class_option = click.option(
    "--class",
    "account_class",
    type=click.Choice([*(c.value for c in CLASSES), ALL_CLASSES]),
    default="human",
    show_default=True,
    help="Who is ranked.",
)
name_argument = click.argument("name", required=False, metavar="[OWNER/NAME]")


def registered(app: App, text: str) -> Repository:
    """The registered repository of that name, the present one or one that it had."""
    name = RepositoryName.parse(text)
    document = repository_names.find(app.services.documents, name)
    if document is not None:
        return repositories.read(document)
    raise NotFound(
        f"{name.full} is not registered. Register it with `{COMMAND} register {name.full}`."
    )


def board_of(app: App, text: str | None) -> tuple[str, str, list[Repository]]:
    """A board's id and name, and the repositories on it: all of them without a name."""
    if text is None:
        return GLOBAL, "all repositories", list(repositories.everyone(app.services))
    repository = registered(app, text)
    if repository.github_id is None:
        reason = repository.error_message or "Its first scrape has not ended yet."
        raise Conflict(f"{repository.name} has no board. {reason}")
    return repository_board(repository.github_id), repository.name, [repository]


def head_of(app: App, board: str, window: str) -> Head:
    """The board's head. Raises NotFound with the remedy."""
    try:
        return app.services.boards.head(board, window)
    except NotFound:
        what = "global board" if board == GLOBAL else "board of this repository"
        raise NotFound(
            f"There is no {what} yet. `{COMMAND} run` makes one, or `{COMMAND} register`."
        ) from None
