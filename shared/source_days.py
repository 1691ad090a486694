"""Which source counts for how much of a window, and how much of GitHub the archive saw in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from shared.authority import Authority
from shared.models import Kind

_DAY = timedelta(days=1)


class Days(BaseModel):
    """How many days of a window each source counts for."""

    model_config = ConfigDict(frozen=True)

    archive: int
    github: int


class Completeness(BaseModel):
    """How many numbers of pull requests and issues the archive saw, of those that GitHub has.

    ``percent`` is that share with two places, rounded down, as text.
    """

    model_config = ConfigDict(frozen=True)

    seen: int
    of: int
    percent: str


FAMILIES: Mapping[str, Kind] = {
    "commits": Kind.COMMIT,
    "pull_requests": Kind.PR_OPENED,
    "review_comments": Kind.PR_REVIEW_COMMENT,
    "issues": Kind.ISSUE_OPENED,
    "comments": Kind.COMMENT,
    "releases": Kind.RELEASE,
}
"""Kinds that are read from GitHub together, by one of them. Reviews and lines are with pulls."""


def days_of(begin: datetime, end: datetime, authority: Authority, kind: Kind) -> Days:
    """Days that the window touches, by the source that counts for them."""
    first = begin.replace(hour=0)
    whole = -((first - end) // _DAY)
    github = sum(
        max(-((max(span.start, first) - min(span.end, end)) // _DAY), 0)
        for span in authority.days_of(kind)
    )
    return Days(archive=whole - github, github=github)


def source_of(days: Iterable[Days]) -> str:
    """archive, github, or archive and github."""
    counted = [*days]
    if not any(each.github for each in counted):
        return "archive"
    return "archive and github" if any(each.archive for each in counted) else "github"


def completeness_of(begin: datetime, end: datetime, authority: Authority) -> Completeness | None:
    """The archive's completeness in the months that [begin, end) touches, None if unknown."""
    first = begin.replace(day=1, hour=0)
    months = [month for month in authority.months if first <= month.start < end]
    seen, of = sum(month.seen for month in months), sum(month.numbers for month in months)
    return Completeness(seen=seen, of=of, percent=percent_text(seen, of)) if of else None


def percent_text(part: int, whole: int) -> str:
    """A share in percent with two places, rounded down; 0.00 of nothing."""
    hundredths = part * 10_000 // whole if whole else 0
    return f"{hundredths // 100}.{hundredths % 100:02d}"
