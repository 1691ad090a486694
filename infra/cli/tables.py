"""Boards and other lists as tables that fit 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from rich import box
from rich.markup import escape
from rich.table import Table

from infra.cli.texts import biggest
from shared.board_reading import Slice
from shared.boards import Head, Movement, Row
from shared.models import AccountClass
from shared.ports import Json
from shared.scoring import RuleSet

_ROOMY = 90
"""Columns from which a row shows a kind more."""

_MOVES = {"up": "▲", "down": "▼", "same": "=", "new": "new", "returned": "back", "none": ""}
_MOVE_STYLES = {"up": "green", "down": "red", "new": "cyan", "returned": "cyan"}
_CLASS_STYLES = {AccountClass.BOT: "yellow", AccountClass.AGENT: "magenta"}
_PLURALS = {AccountClass.HUMAN: "humans", AccountClass.BOT: "bots", AccountClass.AGENT: "agents"}


def table(title: str, *columns: str, right: Sequence[str] = (), wide: Sequence[str] = ()) -> Table:
    """An empty table. ``right`` columns hold numbers; only ``wide`` ones give way to the others."""
    made = Table(
        title=escape(title),
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    for name in columns:
        made.add_column(
            name,
            justify="right" if name in right else "left",
            no_wrap=name not in wide,
            overflow="fold",
        )
    return made


def board_table(
    title: str, rows: Iterable[Row], rules: RuleSet, width: int, *, overall: bool = False
) -> Table:
    """Rows of a board for a screen of some width; ``overall`` ranks all classes together."""
    through = "most points from"
    made = table(
        title,
        "#",
        "move",
        "login",
        "class",
        "score",
        through,
        right=("#", "score"),
        wide=(through,),
    )
    kinds = 2 if width < _ROOMY else 3
    for row in rows:
        standing = row.overall if overall else row
        made.add_row(
            f"{standing.rank:,}",
            moved(standing.movement),
            escape(row.username),
            styled(row.account_class),
            f"{row.score:,.2f}",
            biggest(row.counts, rules, kinds),
        )
    return made


def moved(movement: Movement) -> str:
    """A movement as rich markup: an arrow and by how many places."""
    text = _MOVES[movement.change] + (f" {movement.by:,}" if movement.by else "")
    style = _MOVE_STYLES.get(movement.change, "dim")
    return f"[{style}]{text}[/]"


def styled(account_class: str) -> str:
    style = _CLASS_STYLES.get(AccountClass(account_class))
    return f"[{style}]{account_class}[/]" if style else account_class


def others(head: Head, account_class: str) -> str:
    """Who else is ranked on a board beside one class: ``3 bots and 2 agents``; empty if nobody."""
    counted = [
        (part.rows, class_) for class_, part in head.classes.items() if class_ != account_class
    ]
    return " and ".join(
        f"{rows:,} {class_.value if rows == 1 else _PLURALS[class_]}"
        for rows, class_ in counted
        if rows
    )


def rows_json(found: Slice) -> list[Json]:
    """Rows as the API writes them."""
    rows: list[Json] = msgspec.to_builtins(found.rows)
    return rows


def head_json(head: Head) -> dict[str, Json]:
    """What a board says of itself."""
    return head.model_dump(
        mode="json",
        include={
            "board",
            "name",
            "window",
            "generation",
            "as_of",
            "published_at",
            "rules",
            "receipt",
            "total",
            "coverage",
        },
    )
