"""Cases: lines added and deleted by merged pull requests."""

from __future__ import annotations

from tests.support.case import Case, counts, left_out
from tests.support.lines import (
    ANA,
    BEN,
    ENGINE,
    WHEELS,
    changed,
    day,
    pr_merged,
    pr_stub,
    pull_request,
)

COUNTED = (
    Case(
        "The lines of a merge count for the author",
        (pr_merged(1, day(1), BEN, 5, author=ANA, additions=120, deletions=30),),
        (counts(ANA, PR_MERGED=1, LINES_ADDED=120, LINES_DELETED=30, score=26_350),),
    ),
    Case(
        "Only the merge's own lines count, not those shown when opened, reviewed or closed",
        (
            pull_request(1, day(1), ANA, "opened", 5, author=ANA, additions=100),
            pull_request(2, day(2), ANA, "closed", 5, author=ANA, additions=100),
            pull_request(3, day(3), ANA, "reopened", 5, author=ANA, additions=100),
            pr_merged(4, day(4), BEN, 5, author=ANA, additions=110),
        ),
        (counts(ANA, PR_OPENED=1, PR_MERGED=1, LINES_ADDED=110),),
    ),
    Case(
        "A merge of no lines leaves no record of lines",
        (pr_merged(1, day(1), BEN, 5, author=ANA),),
        (counts(ANA, PR_MERGED=1, score=25_000),),
    ),
    Case(
        "A merge that only deletes has no lines added",
        (pr_merged(1, day(1), BEN, 5, author=ANA, deletions=40),),
        (counts(ANA, PR_MERGED=1, LINES_DELETED=40, score=25_200),),
    ),
    Case(
        "Lines known to the second sighting of a merge alone count from there",
        (
            pr_stub(1, day(1), BEN, "merged", 5),
            pr_merged(2, day(2), BEN, 5, author=ANA, additions=10, deletions=4),
        ),
        (counts(ANA, PR_MERGED=1, LINES_ADDED=10, LINES_DELETED=4),),
        (left_out(2, "PR_MERGED", "repeated"),),
    ),
    Case(
        "A sighting of no lines does not use up those of a later one",
        (
            pr_merged(1, day(1), BEN, 5, author=ANA, additions=0, deletions=4),
            pr_merged(2, day(2), BEN, 5, author=ANA, additions=10, deletions=5),
        ),
        (counts(ANA, PR_MERGED=1, LINES_ADDED=10, LINES_DELETED=4),),
        (left_out(2, "PR_MERGED", "repeated"), left_out(2, "LINES_DELETED", "repeated")),
    ),
    Case(
        "Two full sightings of a merge count their lines once",
        (
            pr_merged(1, day(1), BEN, 5, author=ANA, additions=10, deletions=4),
            pull_request(
                *(2, day(2), BEN, "merged", 5),
                author=ANA,
                merged=True,
                additions=11,
                deletions=5,
            ),
        ),
        (counts(ANA, PR_MERGED=1, LINES_ADDED=10, LINES_DELETED=4),),
        (
            left_out(2, "PR_MERGED", "repeated"),
            left_out(2, "LINES_ADDED", "repeated"),
            left_out(2, "LINES_DELETED", "repeated"),
        ),
    ),
    Case(
        "Negative lines are implausible and leave the rest of the merge counting",
        (pr_merged(1, day(1), BEN, 5, author=ANA, additions=-1, deletions=4),),
        (counts(ANA, PR_MERGED=1, LINES_DELETED=4),),
        (left_out(1, "LINES_ADDED", "implausible"),),
    ),
    Case(
        "A hundred million lines are plausible and one more is not",
        (
            pr_merged(1, day(1), BEN, 5, author=ANA, additions=100_000_000),
            pr_merged(2, day(1), BEN, 6, author=ANA, additions=100_000_001),
        ),
        (counts(ANA, PR_MERGED=2, LINES_ADDED=100_000_000, score=550_000),),
        (left_out(2, "LINES_ADDED", "implausible"),),
    ),
    Case(
        "Implausible lines do not use up the pull request's lines",
        (
            pr_merged(1, day(1), BEN, 5, author=ANA, additions=-7),
            pr_merged(2, day(2), BEN, 5, author=ANA, additions=7),
        ),
        (counts(ANA, PR_MERGED=1, LINES_ADDED=7),),
        (left_out(1, "LINES_ADDED", "implausible"), left_out(2, "PR_MERGED", "repeated")),
    ),
    Case(
        "Implausible lines of an unknown author are implausible first",
        (pr_merged(1, day(1), BEN, 5, author=None, additions=-7),),
        left_out=(
            left_out(1, "PR_MERGED", "author_unknown"),
            left_out(1, "LINES_ADDED", "implausible"),
        ),
    ),
    Case(
        "Lines of null are unknown and leave no record",
        (
            changed(
                pr_merged(1, day(1), BEN, 5, author=ANA, deletions=4),
                "payload.pull_request.additions",
                None,
            ),
        ),
        (counts(ANA, PR_MERGED=1, LINES_DELETED=4),),
    ),
)

CAPPED = (
    Case(
        "Lines worth exactly the cap are not cut",
        (pr_merged(1, day(1), BEN, 5, author=ANA, additions=50_000),),
        (counts(ANA, PR_MERGED=1, LINES_ADDED=50_000, score=525_000),),
    ),
    Case(
        "Lines beyond the cap are counted and earn nothing more",
        (pr_merged(1, day(1), BEN, 5, author=ANA, additions=50_001),),
        (counts(ANA, PR_MERGED=1, LINES_ADDED=50_001, score=525_000),),
    ),
    Case(
        "Lines just below the cap earn what they are worth",
        (pr_merged(1, day(1), BEN, 5, author=ANA, additions=49_999, deletions=1),),
        (counts(ANA, PR_MERGED=1, LINES_ADDED=49_999, LINES_DELETED=1, score=524_995),),
    ),
    Case(
        "Lines added and deleted share one cap",
        (pr_merged(1, day(1), BEN, 5, author=ANA, additions=40_000, deletions=30_000),),
        (counts(ANA, PR_MERGED=1, LINES_ADDED=40_000, LINES_DELETED=30_000, score=525_000),),
    ),
    Case(
        "All merges of a repository share one cap",
        (
            pr_merged(1, day(1), BEN, 5, author=ANA, additions=30_000),
            pr_merged(2, day(2), BEN, 6, author=ANA, additions=30_000),
        ),
        (counts(ANA, PR_MERGED=2, LINES_ADDED=60_000, score=550_000),),
    ),
    Case(
        "Each repository has a cap of its own",
        (
            pr_merged(1, day(1), BEN, 5, author=ANA, additions=60_000, repo=ENGINE),
            pr_merged(2, day(1), BEN, 5, author=ANA, additions=60_000, repo=WHEELS),
        ),
        (
            counts(ANA, PR_MERGED=1, LINES_ADDED=60_000, score=525_000),
            counts(ANA, PR_MERGED=1, LINES_ADDED=60_000, score=525_000, repo=WHEELS),
        ),
    ),
    Case(
        "Each window has a cap of its own",
        (
            pr_merged(1, day(1), BEN, 5, author=ANA, additions=60_000),
            pr_merged(2, day(9), BEN, 6, author=ANA, additions=20_000),
        ),
        (counts(ANA, PR_MERGED=1, LINES_ADDED=20_000, score=225_000),),
        window=(day(5), day(10)),
    ),
)

CASES = COUNTED + CAPPED
