"""The two worked examples of the scoring rules, built from archive rows."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support.case import Case, counts, row
from tests.support.lines import (
    ANA,
    BEN,
    CLEO,
    Line,
    day,
    issue,
    issue_comment,
    pr_merged,
    pr_opened,
    push,
    release,
    review,
)


def _lines(
    *,
    commits: int,
    opened: int,
    merged: int,
    reviews: int,
    issues: int,
    comments: int,
    added: int,
    closed: int = 0,
    releases: int = 0,
    deleted: int = 0,
) -> Iterator[Line]:
    """Rows in which Ana does this much; Ben merges, and wrote what she reviews and closes."""
    for n in range(commits // 25):
        yield push(1000 + n, day(1), ANA, push_id=n, distinct_size=25)
    for n in range(opened):
        yield pr_opened(2000 + n, day(2), ANA, n)
    for n in range(merged):
        size = (added, deleted) if n == 0 else (0, 0)
        yield pr_merged(
            *(3000 + n, day(3), BEN, n), author=ANA, additions=size[0], deletions=size[1]
        )
    for n in range(reviews):
        yield review(4000 + n, day(4), ANA, 100 + n, review_id=n, author=BEN)
    for n in range(issues):
        yield issue(5000 + n, day(5), ANA, "opened", 200 + n, author=ANA)
    for n in range(closed):
        yield issue(6000 + n, day(6), ANA, "closed", 300 + n, author=BEN)
    for n in range(comments):
        yield issue_comment(7000 + n, day(7), ANA, 400, comment_id=n, author=CLEO)
    for n in range(releases):
        yield release(8000 + n, day(8), ANA, release_id=n)


SMALLER = Case(
    "The smaller worked example comes to 1,380.00",
    tuple(_lines(commits=50, opened=10, merged=8, reviews=15, issues=5, comments=30, added=10_000)),
    (
        counts(
            ANA,
            COMMIT=50,
            PR_OPENED=10,
            PR_MERGED=8,
            PR_REVIEWED=15,
            ISSUE_OPENED=5,
            COMMENT=30,
            LINES_ADDED=10_000,
            score=1_380_000,
        ),
    ),
    boards={"all": (row(1, ANA, 1_380_000, 1),)},
)

LARGER = Case(
    "The larger worked example comes to 4,601.00, its lines capped",
    tuple(
        _lines(
            commits=150,
            opened=25,
            merged=20,
            reviews=45,
            issues=12,
            closed=8,
            comments=200,
            releases=3,
            added=50_000,
            deleted=15_000,
        )
    ),
    (
        counts(
            ANA,
            COMMIT=150,
            PR_OPENED=25,
            PR_MERGED=20,
            PR_REVIEWED=45,
            ISSUE_OPENED=12,
            ISSUE_CLOSED=8,
            COMMENT=200,
            RELEASE=3,
            LINES_ADDED=50_000,
            LINES_DELETED=15_000,
            score=4_601_000,
        ),
    ),
    boards={"all": (row(1, ANA, 4_601_000, 1),)},
)

EXAMPLES = (SMALLER, LARGER)
