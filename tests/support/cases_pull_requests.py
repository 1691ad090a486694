"""Cases: pull requests opened and merged, and who wrote them."""

from __future__ import annotations

from tests.support.case import Case, counts, left_out
from tests.support.lines import (
    ANA,
    BEN,
    CLEO,
    DEPENDABOT,
    ENGINE,
    WHEELS,
    day,
    issue_comment,
    pr_merged,
    pr_opened,
    pr_stub,
    pull_request,
    review,
    review_comment,
    without,
)

OPENED = (
    Case(
        "An opened pull request counts for its author",
        (pr_opened(1, day(1), ANA, 5),),
        (counts(ANA, PR_OPENED=1, score=15_000),),
    ),
    Case(
        "A pull request opened on somebody's behalf counts for the author it names",
        (pull_request(1, day(1), BEN, "opened", 5, author=ANA),),
        (counts(ANA, PR_OPENED=1),),
    ),
    Case(
        "An opened stub counts for the account that opened it",
        (pr_stub(1, day(1), ANA, "opened", 5),),
        (counts(ANA, PR_OPENED=1),),
    ),
    Case(
        "A pull request seen opened twice counts once, the earlier",
        (pr_stub(1, day(2), ANA, "opened", 5), pr_opened(2, day(1), ANA, 5)),
        (counts(ANA, PR_OPENED=1),),
        (left_out(1, "PR_OPENED", "repeated"),),
    ),
    Case(
        "Opened pull requests without a number are told apart by their event ids",
        tuple(
            without(
                without(pr_stub(id_, day(1), ANA, "opened", 5), "payload.number"),
                "payload.pull_request.number",
            )
            for id_ in (1, 2)
        ),
        (counts(ANA, PR_OPENED=2),),
    ),
    Case(
        "The number may stand in the pull request alone",
        (
            pr_opened(1, day(1), ANA, 5),
            without(pr_opened(2, day(2), ANA, 5), "payload.number"),
        ),
        (counts(ANA, PR_OPENED=1),),
        (left_out(2, "PR_OPENED", "repeated"),),
    ),
    Case(
        "Reopening, closing unmerged and relabelling a pull request score nothing",
        (
            pull_request(1, day(1), ANA, "reopened", 5, author=ANA),
            pull_request(2, day(2), ANA, "closed", 5, author=ANA, additions=9),
            pull_request(3, day(3), ANA, "labeled", 5, author=ANA),
            pr_stub(4, day(4), ANA, "closed", 6),
        ),
    ),
)

MERGED = (
    Case(
        "A merge counts for the author and never for the merger",
        (pr_merged(1, day(1), BEN, 5, author=ANA),),
        (counts(ANA, PR_MERGED=1, score=25_000),),
    ),
    Case(
        "Merging one's own pull request counts as any merge",
        (pr_merged(1, day(1), ANA, 5, author=ANA),),
        (counts(ANA, PR_MERGED=1),),
    ),
    Case(
        "A stub merge counts for the account that opened the pull request",
        (pr_stub(1, day(1), ANA, "opened", 5), pr_stub(2, day(2), BEN, "merged", 5)),
        (counts(ANA, PR_OPENED=1, PR_MERGED=1),),
    ),
    Case(
        "A stub merge counts for the author named by an earlier comment",
        (
            issue_comment(1, day(1), CLEO, 5, comment_id=1, author=ANA, on_pull_request=True),
            pr_stub(2, day(2), BEN, "merged", 5),
        ),
        (counts(ANA, PR_MERGED=1), counts(CLEO, COMMENT=1)),
    ),
    Case(
        "A stub merge counts for the author named by a later comment",
        (
            pr_stub(1, day(1), BEN, "merged", 5),
            issue_comment(2, day(2), CLEO, 5, comment_id=1, author=ANA, on_pull_request=True),
        ),
        (counts(ANA, PR_MERGED=1), counts(CLEO, COMMENT=1)),
    ),
    Case(
        "An edited comment scores nothing and still names the author",
        (
            pr_stub(1, day(1), BEN, "merged", 5),
            issue_comment(2, day(2), CLEO, 5, comment_id=1, author=ANA, action="edited"),
        ),
        (counts(ANA, PR_MERGED=1),),
    ),
    Case(
        "A stub merge counts for the author named by a review or a review comment",
        (
            pr_stub(1, day(1), BEN, "merged", 5),
            pr_stub(2, day(1), BEN, "merged", 6),
            review(3, day(2), CLEO, 5, review_id=1, author=ANA),
            review_comment(4, day(2), CLEO, 6, comment_id=2, author=ANA),
        ),
        (counts(ANA, PR_MERGED=2), counts(CLEO, PR_REVIEWED=1, PR_REVIEW_COMMENT=1)),
    ),
    Case(
        "A merge whose author nobody names is left out and not given to the merger",
        (pr_stub(1, day(1), BEN, "merged", 5),),
        left_out=(left_out(1, "PR_MERGED", "author_unknown"),),
    ),
    Case(
        "Every sighting of a merge without a known author lacks its author",
        (pr_stub(1, day(1), BEN, "merged", 5), pr_stub(2, day(2), BEN, "merged", 5)),
        left_out=(
            left_out(1, "PR_MERGED", "author_unknown"),
            left_out(2, "PR_MERGED", "author_unknown"),
        ),
    ),
    Case(
        "The same number in another repository names no author here",
        (
            pr_opened(1, day(1), ANA, 5, repo=WHEELS),
            pr_stub(2, day(2), BEN, "merged", 5, repo=ENGINE),
        ),
        (counts(ANA, PR_OPENED=1, repo=WHEELS),),
        (left_out(2, "PR_MERGED", "author_unknown"),),
    ),
    Case(
        "A full merge of a deleted account's pull request lacks its author, lines and all",
        (pr_merged(1, day(1), BEN, 5, author=None, additions=10, deletions=4),),
        left_out=(
            left_out(1, "PR_MERGED", "author_unknown"),
            left_out(1, "LINES_ADDED", "author_unknown"),
            left_out(1, "LINES_DELETED", "author_unknown"),
        ),
    ),
    Case(
        "A deleted account is still known from opening the pull request",
        (
            pr_stub(1, day(1), ANA, "opened", 5),
            pr_merged(2, day(2), BEN, 5, author=None, additions=10),
        ),
        (counts(ANA, PR_OPENED=1, PR_MERGED=1, LINES_ADDED=10, score=40_100),),
    ),
    Case(
        "Where events name different authors the earliest decides",
        (
            pr_merged(3, day(3), CLEO, 5, author=BEN),
            review(2, day(2), CLEO, 5, review_id=1, author=ANA),
        ),
        (counts(ANA, PR_MERGED=1), counts(CLEO, PR_REVIEWED=1)),
    ),
    Case(
        "Where events of one moment name different authors the smaller event id decides",
        (
            review(9, day(1), CLEO, 5, review_id=1, author=BEN),
            review(10, day(1), CLEO, 5, review_id=2, author=ANA),
            pr_stub(11, day(2), CLEO, "merged", 5),
        ),
        (counts(ANA, PR_MERGED=1), counts(CLEO, PR_REVIEWED=2)),
    ),
    Case(
        "A named author goes before the account that opened the pull request",
        (
            pr_stub(1, day(1), DEPENDABOT, "opened", 5),
            pr_merged(2, day(2), BEN, 5, author=ANA),
        ),
        (counts(DEPENDABOT, PR_OPENED=1), counts(ANA, PR_MERGED=1)),
    ),
    Case(
        "A merge seen as closed and as merged counts once",
        (
            pr_merged(1, day(1, "10:00:00"), BEN, 5, author=ANA),
            pr_stub(2, day(1, "10:00:01"), BEN, "merged", 5),
        ),
        (counts(ANA, PR_MERGED=1),),
        (left_out(2, "PR_MERGED", "repeated"),),
    ),
    Case(
        "A merge seen as merged twice counts once",
        (
            pr_stub(1, day(1), ANA, "opened", 5),
            pr_stub(2, day(2), BEN, "merged", 5),
            pr_stub(3, day(3), BEN, "merged", 5),
        ),
        (counts(ANA, PR_OPENED=1, PR_MERGED=1),),
        (left_out(3, "PR_MERGED", "repeated"),),
    ),
    Case(
        "A merge without any number is nobody's",
        (
            without(
                without(pr_stub(1, day(1), BEN, "merged", 5), "payload.number"),
                "payload.pull_request.number",
            ),
        ),
        left_out=(left_out(1, "PR_MERGED", "author_unknown"),),
    ),
)

CASES = OPENED + MERGED
