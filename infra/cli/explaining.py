"""An explanation on the screen: kinds, caps, repositories, what was left out, events."""

from __future__ import annotations

from rich.markup import escape

from infra.cli.app import App
from infra.cli.tables import table
from infra.cli.texts import LABELS, minute, plural, points
from shared.boards import Row
from shared.explain import EventLine, Explanation


def show_explanation(app: App, title: str, row: Row, explained: Explanation) -> None:
    """Show a person's standing and what it is made of."""
    app.say(
        f"{row.username} ({row.account_class}) is number {row.rank:,} with "
        f"{points(explained.total)} points: {title}."
    )
    _show_kinds(app, explained)
    _show_caps(app, explained)
    _show_repositories(app, explained)
    _show_excluded(app, explained)
    _show_events(app, explained)


def _show_kinds(app: App, explained: Explanation) -> None:
    made = table("What counted", "kind", "count", "points", right=("count", "points"))
    for part in explained.kinds:
        made.add_row(LABELS[part.kind], f"{part.count:,}", points(part.points))
    app.say()
    app.show(made)


def _show_caps(app: App, explained: Explanation) -> None:
    for part in explained.repositories:
        for cap in part.score.caps:
            kinds = " and ".join(LABELS[kind] for kind in cap.kinds)
            app.say(
                f"Capped in {part.repository}: {kinds} earned {points(cap.earned)}, "
                f"of which {points(cap.limit)} count."
            )


def _show_repositories(app: App, explained: Explanation) -> None:
    if len(explained.repositories) < 2:
        return
    made = table("Where", "repository", "points", right=("points",))
    for part in explained.repositories:
        made.add_row(escape(part.repository), points(part.score.total))
    app.say()
    app.show(made)


def _show_excluded(app: App, explained: Explanation) -> None:
    if explained.excluded:
        made = table(
            "What was left out", "kind", "count", "because", right=("count",), wide=("because",)
        )
        for part in explained.excluded:
            made.add_row(LABELS[part.kind], f"{part.count:,}", part.explanation)
        app.say()
        app.show(made)
    if explained.extra_copies:
        app.say(
            f"{plural(explained.extra_copies, 'repeated row')} of the same events count once.",
            "dim",
        )


def _show_events(app: App, explained: Explanation) -> None:
    if not any(part.events for part in explained.kinds):
        return
    app.say("\nNewest events", "bold")
    for part in explained.kinds:
        for line in part.events:
            app.say(f"  {_event(LABELS[part.kind], line)}")
    for left_out in explained.excluded:
        for line in left_out.events:
            app.say(f"  {_event(LABELS[left_out.kind], line)} (left out: {left_out.reason})", "dim")


def _event(label: str, line: EventLine) -> str:
    amount = "" if line.quantity in (None, 1) else f" {line.quantity:,}"
    place = line.link or f"{line.repository}, event {line.event_id}"
    return f"{minute(line.at)} {label}{amount} {place}"
