"""Words, numbers and times as people read them: the filters and labels of the templates."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from shared.export_files import Format
from shared.jobs import JobType, RepositoryStatus, State
from shared.limits import shown as usd
from shared.models import Kind, parse_time
from shared.pipeline_runs import PipelineState
from shared.scoring import shown

KINDS: Mapping[Kind, str] = {
    Kind.COMMIT: "Commits",
    Kind.PR_OPENED: "Pull requests opened",
    Kind.PR_MERGED: "Pull requests merged",
    Kind.PR_REVIEWED: "Reviews",
    Kind.PR_REVIEW_COMMENT: "Review comments",
    Kind.ISSUE_OPENED: "Issues opened",
    Kind.ISSUE_CLOSED: "Issues closed",
    Kind.COMMENT: "Comments",
    Kind.RELEASE: "Releases",
    Kind.LINES_ADDED: "Lines added",
    Kind.LINES_DELETED: "Lines deleted",
}

COLUMNS: tuple[tuple[str, tuple[tuple[Kind, str], ...]], ...] = (
    ("", ((Kind.COMMIT, "Commits"),)),
    ("Pull requests", ((Kind.PR_OPENED, "Opened"), (Kind.PR_MERGED, "Merged"))),
    ("Reviews", ((Kind.PR_REVIEWED, "Given"), (Kind.PR_REVIEW_COMMENT, "Comments"))),
    ("Issues", ((Kind.ISSUE_OPENED, "Opened"), (Kind.ISSUE_CLOSED, "Closed"))),
    ("", ((Kind.COMMENT, "Comments"),)),
    ("", ((Kind.RELEASE, "Releases"),)),
    ("Lines", ((Kind.LINES_ADDED, "Added"), (Kind.LINES_DELETED, "Deleted"))),
)
"""The count columns of a board under their common headings, in the order of ``Kind``.

A heading is empty where its only column needs none.
"""

WINDOWS: Mapping[str, str] = {
    "all": "All time",
    "365d": "365 days",
    "90d": "90 days",
    "30d": "30 days",
    "7d": "7 days",
}

CLASSES: Mapping[str, str] = {
    "human": "People",
    "bot": "Bots",
    "agent": "AI agents",
    "all": "Everybody",
}

ONE_OF_CLASS: Mapping[str, str] = {"human": "Person", "bot": "Bot", "agent": "AI agent"}

STATUSES: Mapping[RepositoryStatus, tuple[str, str]] = {
    RepositoryStatus.PENDING: ("Waiting for its first scrape", "wait"),
    RepositoryStatus.SCRAPING: ("Being scraped", "busy"),
    RepositoryStatus.COMPLETED: ("Up to date", "good"),
    RepositoryStatus.STALE: ("Older than a day", "warn"),
    RepositoryStatus.ERROR: ("Failed", "bad"),
    RepositoryStatus.DISABLED: ("Paused", "wait"),
}
"""What a repository's status means, and the tone it is shown in."""

STATES: Mapping[State, tuple[str, str]] = {
    State.QUEUED: ("Queued", "wait"),
    State.RUNNING: ("Running", "busy"),
    State.RETRYING: ("Trying again soon", "warn"),
    State.COMPLETED: ("Completed", "good"),
    State.FAILED: ("Failed", "bad"),
    State.CANCELLED: ("Cancelled", "wait"),
}

JOB_TYPES: Mapping[JobType, str] = {
    JobType.FULL_SCRAPE: "Full scrape",
    JobType.INCREMENTAL_SCRAPE: "Incremental scrape",
    JobType.RECALCULATE_REPOSITORY: "Recalculation",
    JobType.RECALCULATE_GLOBAL: "Global recalculation",
    JobType.EXPORT: "Export",
}

EXPORT_FORMATS: Mapping[Format, str] = {
    "csv": "CSV",
    "xlsx": "Excel",
    "json": "JSON",
    "ndjson": "NDJSON",
    "parquet": "Parquet",
}

RUN_STATES: Mapping[PipelineState, tuple[str, str]] = {
    PipelineState.CHECKING: ("Checking", "busy"),
    PipelineState.SCRAPING: ("Scraping", "busy"),
    PipelineState.RECALCULATING: ("Recalculating", "busy"),
    PipelineState.COMPLETED: ("Completed", "good"),
    PipelineState.FAILED: ("Failed", "bad"),
}
"""What the state of a pipeline run means, and the tone it is shown in."""

_BREAKS = re.compile(r"[\s._\-\[\]/]+")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MINUS = "\N{MINUS SIGN}"


def number(value: int) -> str:
    """Grouped by thousands: ``1,234,567``."""
    return f"{value:,}"


def score(value: float) -> str:
    """A score as a board's row has it, with two places: ``4,601.00``."""
    return f"{value:,.2f}"


def points(thousandths: int) -> str:
    """Thousandths of a point with two places, or three where the third is not zero."""
    sign, value = (_MINUS if thousandths < 0 else ""), abs(thousandths)
    if value % 10:
        return f"{sign}{value // 1000:,}.{value % 1000:03d}"
    whole, _, rest = shown(value).partition(".")
    return f"{sign}{int(whole):,}.{rest}"


def each(value: Decimal) -> str:
    """What one contribution is worth, without idle zeros: ``10``, ``0.005``."""
    return f"{value.normalize():f}"


def each_or_nothing(value: Decimal | int | None) -> str:
    """As ``each``, and nothing for what is not set."""
    return "" if value is None else each(Decimal(value))


def moment(text: str) -> str:
    """A stored time in UTC, to the minute: ``20 Mar 2025, 00:00 UTC``."""
    at = parse_time(text)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M} UTC"


def day_label(day: str) -> str:
    """A day as charts name it: ``20 Mar``."""
    _, month, number_ = day.split("-")
    return f"{int(number_)} {_MONTHS[int(month) - 1]}"


def amount(size: int) -> str:
    """Bytes in the largest unit of which there is one: ``1.5 GiB``."""
    value, units = float(size), ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
    for unit in units:
        if value < 1024 or unit == units[-1]:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("a unit fits")


def span(milliseconds: int) -> str:
    """A duration: ``350 ms``, ``4.2 s``, ``3 min``."""
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds // 60_000:,} min"


def until(text: str, now: datetime) -> str:
    """How long until then in one unit: ``in 3 hours``."""
    minutes = -(-int((parse_time(text) - now).total_seconds()) // 60)
    for unit, size in (("day", 1440), ("hour", 60), ("minute", 1)):
        if minutes >= size:
            return f"in {plural(minutes // size, unit)}"
    return "now"


def stamp(text: str) -> str:
    """A stored time for ``<time datetime>``, without fractions of seconds."""
    return f"{parse_time(text):%Y-%m-%dT%H:%M:%SZ}"


def ago(text: str, now: datetime) -> str:
    """How long ago in one unit: ``3 hours ago``."""
    minutes = int((now - parse_time(text)).total_seconds() // 60)
    for unit, size in (("day", 1440), ("hour", 60), ("minute", 1)):
        if minutes >= size:
            many = minutes // size
            return f"{many:,} {unit}{'' if many == 1 else 's'} ago"
    return "just now"


def plural(count: int, one: str, many: str | None = None) -> str:
    """The number with its noun: ``1 hole``, ``2 holes``."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def initials(login: str) -> str:
    """One or two letters that stand for somebody."""
    words = [word for word in _BREAKS.split(login) if word and word[0].isalnum()]
    if not words:
        return "?"
    return (words[0][0] + words[1][0] if len(words) > 1 else words[0][:2]).upper()


def hue(github_id: int) -> int:
    """Which of the twelve colours of ``av0`` to ``av11`` an account has, always the same."""
    return github_id * 7 % 12


def profile(login: str) -> str | None:
    """The page of an account on GitHub, None for one whose name is not known."""
    if re.fullmatch(r"user-\d+", login):
        return None
    if login.endswith("[bot]"):
        return f"https://github.com/apps/{quote(login.removesuffix('[bot]'), safe='')}"
    return f"https://github.com/{quote(login, safe='')}"


PROVIDERS: Mapping[str, str] = {
    "bluesky": "Bluesky",
    "facebook": "Facebook",
    "hometown": "Hometown",
    "instagram": "Instagram",
    "linkedin": "LinkedIn",
    "mastodon": "Mastodon",
    "npm": "npm",
    "reddit": "Reddit",
    "twitch": "Twitch",
    "twitter": "X (Twitter)",
    "youtube": "YouTube",
}
"""Social accounts by GitHub's words; the others are shown by their address."""

FILTERS: Mapping[str, Callable[..., Any]] = {
    "number": number,
    "score": score,
    "points": points,
    "each": each,
    "each_or_nothing": each_or_nothing,
    "usd": usd,
    "moment": moment,
    "stamp": stamp,
    "ago": ago,
    "amount": amount,
    "span": span,
    "until": until,
    "plural": plural,
    "initials": initials,
    "hue": hue,
    "profile": profile,
}

LABELS: Mapping[str, Mapping[Any, Any]] = {
    "KINDS": KINDS,
    "WINDOWS": WINDOWS,
    "CLASSES": CLASSES,
    "ONE_OF_CLASS": ONE_OF_CLASS,
    "STATUSES": STATUSES,
    "STATES": STATES,
    "JOB_TYPES": JOB_TYPES,
    "RUN_STATES": RUN_STATES,
    "EXPORT_FORMATS": EXPORT_FORMATS,
    "PROVIDERS": PROVIDERS,
}
"""What every template can look up."""
