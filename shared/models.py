"""The things of the field that travel between the parts: kinds, classes, windows, events.

Times are aware UTC. GitHub's numeric ids are identities; logins and repository names are labels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from shared.errors import Rejected

ARCHIVE_BEGINS = datetime(2015, 1, 1, tzinfo=UTC)
"""GH Archive rows before this follow the Timeline API's schema and are refused."""

_FULL_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}")


class Kind(StrEnum):
    """What is counted. The order is the order of columns everywhere. See docs/counting.md."""

    COMMIT = "COMMIT"
    PR_OPENED = "PR_OPENED"
    PR_MERGED = "PR_MERGED"
    PR_REVIEWED = "PR_REVIEWED"
    PR_REVIEW_COMMENT = "PR_REVIEW_COMMENT"
    ISSUE_OPENED = "ISSUE_OPENED"
    ISSUE_CLOSED = "ISSUE_CLOSED"
    COMMENT = "COMMENT"
    RELEASE = "RELEASE"
    LINES_ADDED = "LINES_ADDED"
    LINES_DELETED = "LINES_DELETED"


class Exclusion(StrEnum):
    """Why a contribution is on record and not counted. docs/counting.md explains the words."""

    OWN_PULL_REQUEST = "own_pull_request"
    COMMITS_UNKNOWN = "commits_unknown"
    NO_DISTINCT_COMMITS = "no_distinct_commits"
    MERGE_COMMIT = "merge_commit"
    AUTHOR_UNKNOWN = "author_unknown"
    AUTHOR_UNLINKED = "author_unlinked"
    ACCOUNT_DELETED = "account_deleted"
    REPEATED = "repeated"
    IMPLAUSIBLE = "implausible"
    # Decided per window or rule set, so never stored with the contribution:
    CLOSED_AGAIN = "closed_again"
    OUTSIDE_WINDOW = "outside_window"
    BELOW_MINIMUM_SIZE = "below_minimum_size"
    OVER_DAILY_CAP = "over_daily_cap"
    CREDITED_TO_AUTHOR = "credited_to_author"


class AccountClass(StrEnum):
    """Who stands behind an account. ``shared/accounts.py`` says by which rule."""

    HUMAN = "human"
    BOT = "bot"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class RepositoryName:
    """``owner/name`` as somebody typed it. Names are compared without regard to case."""

    owner: str
    name: str

    @classmethod
    def parse(cls, text: str) -> RepositoryName:
        """Read ``owner/name`` or a github.com address. Raises Rejected with the remedy."""
        trimmed = text.strip().removeprefix("https://github.com/").strip("/").removesuffix(".git")
        if not _FULL_NAME.fullmatch(trimmed) or trimmed.split("/")[1] in {".", ".."}:
            raise Rejected(
                f"{text[:200]!r} is not a repository name. Write it as owner/name, "
                "for example pallets/flask.",
                details={"field": "repository", "value": text[:200]},
            )
        owner, name = trimmed.split("/")
        return cls(owner, name)

    @property
    def full(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def key(self) -> str:
        """The document id: lower case, with ``~`` in place of the slash."""
        return f"{self.owner}~{self.name}".lower()


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time [start, end) under a name. ``start`` None means everything kept."""

    name: str
    start: datetime | None
    end: datetime


WINDOW_DAYS: dict[str, int | None] = {"all": None, "365d": 365, "90d": 90, "30d": 30, "7d": 7}
"""The published windows and their lengths in days."""


def published_windows(as_of: datetime) -> tuple[Window, ...]:
    """The five windows that every board is published for, counted back from ``as_of``."""
    return tuple(
        Window(name, None if days is None else as_of - timedelta(days=days), as_of)
        for name, days in WINDOW_DAYS.items()
    )


def iso(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds: text that sorts as time does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """Read what ``iso`` wrote, or any ISO 8601 time with an offset. Raises Rejected."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Rejected(
            f"{text[:60]!r} is not a time. Write it as 2025-03-20T00:00:00Z.",
            details={"value": text[:60]},
        ) from error
    if moment.tzinfo is None:
        raise Rejected(f"{text[:60]!r} has no offset. Add Z for UTC.", details={"value": text[:60]})
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise Rejected(
            f"{text[:60]!r} lies outside the years 1 to 9999.", details={"value": text[:60]}
        ) from error
