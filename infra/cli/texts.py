"""Numbers and names as the command line writes them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from shared.coverage import Coverage
from shared.models import Kind
from shared.scoring import RuleSet, shown, thousandths

_DAYS_SUFFICE = 72
"""Hours from which a span is told in days."""

LABELS: Mapping[Kind, str] = {
    Kind.COMMIT: "commits",
    Kind.PR_OPENED: "PRs",
    Kind.PR_MERGED: "merged",
    Kind.PR_REVIEWED: "reviews",
    Kind.PR_REVIEW_COMMENT: "review comments",
    Kind.ISSUE_OPENED: "issues",
    Kind.ISSUE_CLOSED: "closed",
    Kind.COMMENT: "comments",
    Kind.RELEASE: "releases",
    Kind.LINES_ADDED: "lines added",
    Kind.LINES_DELETED: "lines deleted",
}


def biggest(counts: Mapping[str, int], rules: RuleSet, kinds: int = 3) -> str:
    """The kinds that earned most, before caps: ``commits 412, reviews 51, merged 38``."""
    worth = {
        kind: counts.get(kind, 0) * thousandths(rules.points.get(kind, Decimal(0))) for kind in Kind
    }
    first = sorted((k for k in Kind if worth[k]), key=lambda kind: -worth[kind])[:kinds]
    return ", ".join(f"{LABELS[kind]} {counts[kind]:,}" for kind in first)


def points(value: int) -> str:
    """Thousandths of a point with two places and thousands apart: ``4,601.00``."""
    whole, places = shown(abs(value)).split(".")
    return f"{'-' if value < 0 else ''}{int(whole):,}.{places}"


def change(value: int) -> str:
    """A difference in thousandths of a point, with its sign."""
    return f"+{points(value)}" if value > 0 else points(value)


def minute(text: str) -> str:
    """A stored time to the minute, in UTC: ``2025-03-20 14:00``."""
    return text[:16].replace("T", " ")


def plural(count: int, one: str, many: str | None = None) -> str:
    """``1 hour``, ``2 hours``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def coverage_lines(body: Mapping[str, Any]) -> list[str]:
    """How complete a board is, in a line or two."""
    coverage = Coverage.model_validate(body)
    missing = coverage.hours_expected - coverage.hours_captured
    line = f"Coverage: {coverage.percent} % of the hours {_span(coverage)}"
    if missing:
        holes = plural(len(coverage.holes) + coverage.more_holes, "hole")
        line += f"; {missing:,} missing in {holes}"
    gaps = [
        f"{what} of {gap.unknown:,} of {plural(gap.of, one, many)}"
        for what, gap, one, many in (
            ("commits", coverage.pushes_without_commits, "push", "pushes"),
            ("authors", coverage.merges_unattributed, "merge", "merges"),
            ("lines", coverage.merges_without_lines, "merge", "merges"),
            ("accounts", coverage.commits_unlinked, "commit", "commits"),
            ("accounts", coverage.accounts_deleted, "contribution", "contributions"),
        )
        if gap.unknown
    ]
    if coverage.source != "archive":
        line += f"; from {coverage.source}"
    if coverage.archive_completeness:
        line += f"; the archive saw {coverage.archive_completeness.percent} % of GitHub's numbers"
    return [f"{line}.", *([f"Unknown: {', '.join(gaps)}."] if gaps else [])]


def _span(coverage: Coverage) -> str:
    begin, end = coverage.start or coverage.captured_from or coverage.end, coverage.end
    if coverage.hours_expected > _DAYS_SUFFICE:
        return f"{begin[:10]} to {end[:10]}"
    return f"{minute(begin)} to {minute(end)} UTC"
