"""Commands about boards: board, explain, what-if."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.markup import escape
from rich.table import Table

from infra.cli.app import App, command
from infra.cli.explaining import show_explanation
from infra.cli.names import class_option, name_argument, window_option
from infra.cli.rules import changed_rules
from infra.cli.tables import board_table, head_json, others, rows_json, table
from infra.cli.texts import LABELS, change, coverage_lines, plural, points
from infra.cli.views import span_options, view_of
from shared import rule_sets, what_if
from shared.board_reading import Selection
from shared.boards import ALL_CLASSES, SORTS
from shared.explain import explain
from shared.what_if import Mover


def add_to(group: click.Group) -> None:
    """Add the commands of this file."""
    _add_board(group)
    _add_explain(group)
    _add_what_if(group)


def _add_board(group: click.Group) -> None:
    @command(group, "board")
    @name_argument
    @span_options
    @class_option
    @click.option("--sort", type=click.Choice(SORTS), default="rank", show_default=True)
    @click.option("--order", type=click.Choice(["asc", "desc"]), help="[default: best first]")
    @click.option("--search", default="", help="Only logins that contain this.")
    @click.option("--page", type=click.IntRange(1, 1_000_000), default=1, show_default=True)
    @click.option("--page-size", type=click.IntRange(1, 1000), default=20, show_default=True)
    def board(
        app: App,
        name: str | None,
        window: str,
        start: str | None,
        end: str | None,
        account_class: str,
        sort: str,
        order: str | None,
        search: str,
        page: int,
        page_size: int,
    ) -> None:
        """Show the board of a repository, or the one over all of them."""
        view = view_of(app, name, window, start, end)
        descending = None if order is None else order == "desc"
        found = view.read(
            Selection(account_class, sort, descending, search, (page - 1) * page_size, page_size)
        )
        pages = -(-found.total // page_size)
        page_of = {"total": found.total, "page": page, "page_size": page_size, "total_pages": pages}
        asked = {"class": account_class, "sort": sort, "search": search}
        if app.emit(rows_json(found), **{**head_json(found.head), **asked, **page_of}):
            return
        rules = rule_sets.version(app.services, found.head.rules).rules
        if not found.rows:
            app.say(_nothing_here(found.total, page, pages, search, account_class))
        else:
            every = account_class == ALL_CLASSES
            app.show(board_table(view.title, found.rows, rules, app.out.width, overall=every))
        if pages > 1:
            app.say(f"Page {page} of {pages} ({found.total:,} in all); --page shows others.", "dim")
        beside = others(found.head, account_class)
        if beside and account_class != ALL_CLASSES:
            app.say(f"Ranked apart: {beside} (--class).", "dim")
        for line in coverage_lines(found.head.coverage):
            app.say(line, "dim")


def _add_explain(group: click.Group) -> None:
    @command(group, "explain")
    @click.argument("login")
    @click.option("--repository", help="Only there, as owner/name. [default: everywhere]")
    @span_options
    @click.option(
        "--events", type=click.IntRange(0, 1000), default=3, show_default=True,
        help="The newest events shown of each kind.",
    )  # fmt: skip
    def explain_(
        app: App,
        login: str,
        repository: str | None,
        window: str,
        start: str | None,
        end: str | None,
        events: int,
    ) -> None:
        """Explain a score down to its events, and what was left out by which rule."""
        view = view_of(app, repository, window, start, end)
        found = view.person(login.removeprefix("@"))
        (row,) = found.rows
        rules = rule_sets.version(app.services, view.head.rules).rules
        explained = explain(
            app.services,
            row.github_id,
            view.repositories,
            view.window,
            rules,
            events_per_kind=events,
        )
        (standing,) = rows_json(found)
        if not app.emit({"standing": standing, **asdict(explained)}, **head_json(found.head)):
            show_explanation(app, view.title, row, explained)


def _add_what_if(group: click.Group) -> None:
    @command(group, "what-if")
    @name_argument
    @click.option(
        "--set", "changes", multiple=True, metavar="KIND=POINTS",
        help="Other points for a kind, such as COMMIT=5. May be repeated.",
    )  # fmt: skip
    @click.option(
        "--rules", "file", type=click.Path(path_type=Path),
        help="A JSON file with a whole rule set; --set changes it further.",
    )  # fmt: skip
    @window_option
    @class_option
    @click.option(
        "--limit", type=click.IntRange(1, 100_000), default=20, show_default=True,
        help="How many movers to show.",
    )  # fmt: skip
    def what_if_(
        app: App,
        name: str | None,
        changes: tuple[str, ...],
        file: Path | None,
        window: str,
        account_class: str,
        limit: int,
    ) -> None:
        """Show who would move under other rules. Nothing is published."""
        if not changes and file is None:
            raise click.UsageError("Say what to change, such as --set COMMIT=5 or --rules FILE.")
        now = rule_sets.current(app.services).rules
        then = changed_rules(now, file, changes)
        view = view_of(app, name, window, None, None)
        ids = [r.github_id for r in view.repositories if r.github_id is not None]
        compared = what_if.compare(
            app.services, view.head.board, window, account_class, ids, (now, then)
        )
        movers = compared.movers()
        counted = {"movers": len(movers), "ranked": len(compared.everyone)}
        if app.emit(
            [_mover_json(mover) for mover in movers[:limit]],
            **{**head_json(compared.head), **counted},
        ):
            return
        app.say(
            f"{len(movers):,} of {plural(len(compared.everyone), 'contributor')} would have "
            "another rank or score. Nothing is published."
        )
        if movers:
            app.show(_movers(view.title, movers[:limit]))


def _movers(title: str, movers: list[Mover]) -> Table:
    made = table(
        title,
        "#",
        "was",
        "login",
        "score",
        "change",
        "through",
        right=("#", "was", "score", "change"),
    )
    for mover in movers:
        kinds = sorted(mover.by_kind.items(), key=lambda item: -abs(item[1]))
        through = ", ".join(f"{LABELS[kind]} {change(value)}" for kind, value in kinds[:2])
        made.add_row(
            f"{mover.rank_after:,}",
            f"{mover.rank_before:,}",
            escape(mover.username),
            points(mover.score_after),
            change(mover.score_after - mover.score_before),
            through,
        )
    return made


def _mover_json(mover: Mover) -> dict[str, object]:
    return {**asdict(mover), "places": mover.places}


def _nothing_here(total: int, page: int, pages: int, search: str, account_class: str) -> str:
    if total:
        return f"There is no page {page}; the last one is {pages}."
    if search:
        return f"No login contains {search!r} here. --class all searches among everybody."
    return f"Nobody of class {account_class} is on this board."
