"""Cases: reviews, review comments and comments."""

from __future__ import annotations

from tests.support.case import Case, counts, left_out
from tests.support.lines import (
    ANA,
    BEN,
    CLEO,
    WHEELS,
    commit_comment,
    day,
    issue,
    issue_comment,
    pr_merged,
    pr_opened,
    pr_stub,
    review,
    review_comment,
    without,
)

REVIEWS = (
    Case(
        "A review counts for the reviewer",
        (review(1, day(1), BEN, 5, review_id=3, author=ANA),),
        (counts(BEN, PR_REVIEWED=1, score=20_000),),
    ),
    Case(
        "A review of one's own pull request is left out",
        (review(1, day(1), ANA, 5, review_id=3, author=ANA),),
        left_out=(left_out(1, "PR_REVIEWED", "own_pull_request"),),
    ),
    Case(
        "An author known from an earlier event alone does not review the own pull request",
        (
            pr_stub(1, day(1), ANA, "opened", 5),
            review(2, day(2), ANA, 5, review_id=3),
            review(3, day(2), BEN, 5, review_id=4),
        ),
        (counts(ANA, PR_OPENED=1), counts(BEN, PR_REVIEWED=1)),
        (left_out(2, "PR_REVIEWED", "own_pull_request"),),
    ),
    Case(
        "An author known from a later event alone does not review the own pull request",
        (
            review(1, day(1), ANA, 5, review_id=3),
            pr_merged(2, day(2), BEN, 5, author=ANA),
        ),
        (counts(ANA, PR_MERGED=1),),
        (left_out(1, "PR_REVIEWED", "own_pull_request"),),
    ),
    Case(
        "An author known from a comment alone does not review the own pull request",
        (
            review(1, day(1), ANA, 5, review_id=3),
            issue_comment(2, day(2), BEN, 5, comment_id=1, author=ANA, on_pull_request=True),
        ),
        (counts(BEN, COMMENT=1),),
        (left_out(1, "PR_REVIEWED", "own_pull_request"),),
    ),
    Case(
        "A pull request of an unknown author can be reviewed by anybody",
        (
            review(1, day(1), ANA, 5, review_id=3),
            pr_opened(2, day(1), ANA, 5, repo=WHEELS),
        ),
        (counts(ANA, PR_REVIEWED=1), counts(ANA, PR_OPENED=1, repo=WHEELS)),
    ),
    Case(
        "A review without a number counts",
        (without(review(1, day(1), ANA, 5, review_id=3), "payload.pull_request.number"),),
        (counts(ANA, PR_REVIEWED=1),),
    ),
    Case(
        "A review sent as created and as submitted counts once",
        (
            review(1, day(1), BEN, 5, review_id=3, author=ANA),
            review(2, day(2), BEN, 5, review_id=3, author=ANA, action="submitted"),
        ),
        (counts(BEN, PR_REVIEWED=1),),
        (left_out(2, "PR_REVIEWED", "repeated"),),
    ),
    Case(
        "A dismissed review stays counted from its creation and the dismissal is nothing",
        (
            review(1, day(1), BEN, 5, review_id=3, author=ANA),
            review(2, day(2), CLEO, 5, review_id=3, author=ANA, action="dismissed"),
        ),
        (counts(BEN, PR_REVIEWED=1),),
    ),
    Case(
        "A dismissal or an edit alone is no review",
        (
            review(1, day(1), CLEO, 5, review_id=3, author=ANA, action="dismissed"),
            review(2, day(1), CLEO, 6, review_id=4, author=ANA, action="edited"),
            review(3, day(1), CLEO, 6, review_id=5, author=ANA, action="updated"),
        ),
    ),
    Case(
        "A review without an action counts",
        (
            review(1, day(1), BEN, 5, review_id=3, author=ANA, action=None),
            without(review(2, day(1), BEN, 5, review_id=4, author=ANA), "payload.action"),
        ),
        (counts(BEN, PR_REVIEWED=2),),
    ),
    Case(
        "Every review of a pull request counts",
        (
            review(1, day(1), BEN, 5, review_id=3, author=ANA),
            review(2, day(2), BEN, 5, review_id=4, author=ANA),
        ),
        (counts(BEN, PR_REVIEWED=2),),
    ),
    Case(
        "Reviews without a review id are told apart by their event ids",
        (
            without(review(1, day(1), BEN, 5, review_id=3, author=ANA), "payload.review.id"),
            without(review(2, day(1), BEN, 5, review_id=3, author=ANA), "payload.review.id"),
        ),
        (counts(BEN, PR_REVIEWED=2),),
    ),
)

REVIEW_COMMENTS = (
    Case(
        "The comments of a review are no further reviews",
        (
            review(1, day(1), BEN, 5, review_id=3, author=ANA),
            review_comment(2, day(1), BEN, 5, comment_id=1, author=ANA),
            review_comment(3, day(1), BEN, 5, comment_id=2, author=ANA),
        ),
        (counts(BEN, PR_REVIEWED=1, PR_REVIEW_COMMENT=2, score=30_000),),
    ),
    Case(
        "Answering a review comment on one's own pull request counts as a comment only",
        (
            review(1, day(1), ANA, 5, review_id=3, author=ANA),
            review_comment(2, day(1), ANA, 5, comment_id=1, author=ANA),
        ),
        (counts(ANA, PR_REVIEW_COMMENT=1),),
        (left_out(1, "PR_REVIEWED", "own_pull_request"),),
    ),
    Case(
        "A review comment counts once, whatever happens to it later",
        (
            review_comment(1, day(1), BEN, 5, comment_id=1, author=ANA, action=None),
            review_comment(2, day(2), BEN, 5, comment_id=1, author=ANA),
            review_comment(3, day(3), BEN, 5, comment_id=1, author=ANA, action="edited"),
            review_comment(4, day(4), BEN, 5, comment_id=1, author=ANA, action="deleted"),
        ),
        (counts(BEN, PR_REVIEW_COMMENT=1, score=5_000),),
        (left_out(2, "PR_REVIEW_COMMENT", "repeated"),),
    ),
    Case(
        "A review comment may bear the id of an issue comment",
        (
            review_comment(1, day(1), BEN, 5, comment_id=1, author=ANA),
            issue_comment(2, day(1), BEN, 5, comment_id=1, author=ANA, on_pull_request=True),
        ),
        (counts(BEN, PR_REVIEW_COMMENT=1, COMMENT=1),),
    ),
)

COMMENTS = (
    Case(
        "Comments on issues, in pull requests and on commits count alike",
        (
            issue_comment(1, day(1), BEN, 5, comment_id=1, author=ANA),
            issue_comment(2, day(1), BEN, 6, comment_id=2, author=ANA, on_pull_request=True),
            commit_comment(3, day(1), BEN, comment_id=3),
        ),
        (counts(BEN, COMMENT=3, score=9_000),),
    ),
    Case(
        "An issue comment and a commit comment of one id are two comments",
        (
            issue_comment(1, day(1), BEN, 5, comment_id=8, author=ANA),
            commit_comment(2, day(1), BEN, comment_id=8),
            commit_comment(3, day(2), BEN, comment_id=8),
        ),
        (counts(BEN, COMMENT=2),),
        (left_out(3, "COMMENT", "repeated"),),
    ),
    Case(
        "Edited and deleted comments are not counted",
        (
            issue_comment(1, day(1), BEN, 5, comment_id=1, author=ANA, action="edited"),
            issue_comment(2, day(1), BEN, 5, comment_id=2, author=ANA, action="deleted"),
        ),
    ),
    Case(
        "A comment stays counted when it is edited and deleted",
        (
            issue_comment(1, day(1), BEN, 5, comment_id=1, author=ANA),
            issue_comment(2, day(2), BEN, 5, comment_id=1, author=ANA, action="edited"),
            issue_comment(3, day(3), BEN, 5, comment_id=1, author=ANA, action="deleted"),
        ),
        (counts(BEN, COMMENT=1),),
    ),
    Case(
        "One comment under two event ids counts once",
        (
            issue_comment(1, day(1), BEN, 5, comment_id=1, author=ANA),
            issue_comment(2, day(1), BEN, 5, comment_id=1, author=ANA),
        ),
        (counts(BEN, COMMENT=1),),
        (left_out(2, "COMMENT", "repeated"),),
    ),
    Case(
        "Commenting on one's own issue counts",
        (
            issue(1, day(1), ANA, "opened", 5, author=ANA),
            issue_comment(2, day(1), ANA, 5, comment_id=1, author=ANA),
        ),
        (counts(ANA, ISSUE_OPENED=1, COMMENT=1),),
    ),
    Case(
        "The same comment id in another repository is another comment",
        (
            commit_comment(1, day(1), BEN, comment_id=8),
            commit_comment(2, day(1), BEN, comment_id=8, repo=WHEELS),
        ),
        (counts(BEN, COMMENT=1), counts(BEN, COMMENT=1, repo=WHEELS)),
    ),
)

CASES = REVIEWS + REVIEW_COMMENTS + COMMENTS
