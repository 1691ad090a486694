"""Cases: ranks, ties, classes, names that change."""

from __future__ import annotations

from tests.support.case import Case, counts, left_out, row
from tests.support.lines import (
    ANA,
    BEN,
    CLEO,
    COPILOT,
    DEPENDABOT,
    ENGINE,
    WHEELS,
    Repo,
    User,
    day,
    issue_comment,
    pr_merged,
    pr_opened,
    pr_stub,
    push,
    release,
    review,
)

DAN = User(14, "dan")

RANKS = (
    Case(
        "Equal scores rank by id, and each is at or below the other",
        (
            push(1, day(1), BEN, push_id=1, distinct_size=2),
            push(2, day(2), ANA, push_id=2, distinct_size=2),
        ),
        (counts(ANA, COMMIT=2, score=20_000), counts(BEN, COMMIT=2, score=20_000)),
        boards={"all": (row(1, ANA, 20_000, 2), row(2, BEN, 20_000, 2))},
    ),
    Case(
        "Ids are compared as numbers, not as text",
        (
            push(1, day(1), User(100, "hundred"), push_id=1, distinct_size=1),
            push(2, day(1), User(99, "ninety-nine"), push_id=2, distinct_size=1),
        ),
        (
            counts(User(99, "ninety-nine"), COMMIT=1),
            counts(User(100, "hundred"), COMMIT=1),
        ),
        boards={
            "all": (
                row(1, User(99, "ninety-nine"), 10_000, 2),
                row(2, User(100, "hundred"), 10_000, 2),
            )
        },
    ),
    Case(
        "A tie in the middle of four shares its percentile and not its rank",
        (
            push(1, day(1), ANA, push_id=1, distinct_size=1),
            push(2, day(1), CLEO, push_id=2, distinct_size=2),
            push(3, day(1), BEN, push_id=3, distinct_size=2),
            push(4, day(1), DAN, push_id=4, distinct_size=3),
        ),
        (
            counts(ANA, COMMIT=1),
            counts(BEN, COMMIT=2),
            counts(CLEO, COMMIT=2),
            counts(DAN, COMMIT=3),
        ),
        boards={
            "all": (
                row(1, DAN, 30_000, 4),
                row(2, BEN, 20_000, 3),
                row(3, CLEO, 20_000, 3),
                row(4, ANA, 10_000, 1),
            )
        },
    ),
    Case(
        "Different work of equal worth is a tie",
        (
            release(1, day(1), BEN, release_id=1),
            push(2, day(1), ANA, push_id=1, distinct_size=3),
        ),
        (counts(ANA, COMMIT=3, score=30_000), counts(BEN, RELEASE=1, score=30_000)),
        boards={"all": (row(1, ANA, 30_000, 2), row(2, BEN, 30_000, 2))},
    ),
    Case(
        "Five thousandths of a point decide a rank",
        (
            pr_merged(1, day(1), CLEO, 5, author=ANA, additions=1),
            pr_merged(2, day(1), CLEO, 6, author=BEN, additions=1, deletions=1),
        ),
        (
            counts(ANA, PR_MERGED=1, LINES_ADDED=1, score=25_010),
            counts(BEN, PR_MERGED=1, LINES_ADDED=1, LINES_DELETED=1, score=25_015),
        ),
        boards={"all": (row(1, BEN, 25_015, 2), row(2, ANA, 25_010, 1))},
    ),
    Case(
        "Who has nothing counted is on no board",
        (
            push(1, day(1), ANA, push_id=1, distinct_size=0),
            push(2, day(1), BEN, push_id=2),
            pr_stub(3, day(1), CLEO, "merged", 5),
            review(4, day(1), DAN, 6, review_id=1, author=DAN),
        ),
        left_out=(
            left_out(1, "COMMIT", "no_distinct_commits"),
            left_out(2, "COMMIT", "commits_unknown"),
            left_out(3, "PR_MERGED", "author_unknown"),
            left_out(4, "PR_REVIEWED", "own_pull_request"),
        ),
        boards={"all": ()},
    ),
    Case(
        "The board over all repositories adds the capped scores of each",
        (
            pr_merged(1, day(1), CLEO, 5, author=ANA, additions=60_000, repo=ENGINE),
            pr_merged(2, day(1), CLEO, 5, author=ANA, additions=60_000, repo=WHEELS),
            push(3, day(1), BEN, push_id=1, distinct_size=105, repo=WHEELS),
        ),
        (
            counts(ANA, PR_MERGED=1, LINES_ADDED=60_000, score=525_000),
            counts(ANA, PR_MERGED=1, LINES_ADDED=60_000, score=525_000, repo=WHEELS),
            counts(BEN, COMMIT=105, score=1_050_000, repo=WHEELS),
        ),
        boards={"all": (row(1, ANA, 1_050_000, 2), row(2, BEN, 1_050_000, 2))},
    ),
)

CLASSES = (
    Case(
        "Humans, bots and agents are ranked apart, and together where all are asked for",
        (
            push(1, day(1), DEPENDABOT, push_id=1, distinct_size=3),
            push(2, day(1), COPILOT, push_id=2, distinct_size=2),
            push(3, day(1), ANA, push_id=3, distinct_size=2),
            push(4, day(1), BEN, push_id=4, distinct_size=1),
        ),
        (
            counts(ANA, COMMIT=2),
            counts(BEN, COMMIT=1),
            counts(DEPENDABOT, COMMIT=3),
            counts(COPILOT, COMMIT=2),
        ),
        boards={
            "human": (row(1, ANA, 20_000, 2), row(2, BEN, 10_000, 1)),
            "bot": (row(1, DEPENDABOT, 30_000, 1),),
            "agent": (row(1, COPILOT, 20_000, 1),),
            "all": (
                row(1, DEPENDABOT, 30_000, 4),
                row(2, ANA, 20_000, 3),
                row(3, COPILOT, 20_000, 3),
                row(4, BEN, 10_000, 1),
            ),
        },
        classes={DEPENDABOT.id: "bot", COPILOT.id: "agent"},
    ),
    Case(
        "A human who merges a bot's pull request earns nothing by it",
        (pr_merged(1, day(1), ANA, 5, author=DEPENDABOT, additions=2),),
        (counts(DEPENDABOT, PR_MERGED=1, LINES_ADDED=2, score=25_020),),
        boards={"human": (), "bot": (row(1, DEPENDABOT, 25_020, 1),)},
        classes={DEPENDABOT.id: "bot"},
    ),
)

_ANA_RENAMED = User(ANA.id, "ana-lopez")
_ENGINE_RENAMED = Repo(ENGINE.id, "octo/motor")
_ENGINE_REUSED = Repo(103, ENGINE.name)
_ANA_REUSED = User(15, ANA.login)

NAMES = (
    Case(
        "A renamed account keeps its contributions",
        (
            push(1, day(1), ANA, push_id=1, distinct_size=1),
            push(2, day(2), _ANA_RENAMED, push_id=2, distinct_size=2),
        ),
        (counts(ANA, COMMIT=3),),
        boards={"all": (row(1, ANA, 30_000, 1),)},
    ),
    Case(
        "A login taken over by another account is another contributor",
        (
            push(1, day(1), ANA, push_id=1, distinct_size=1),
            push(2, day(2), _ANA_REUSED, push_id=2, distinct_size=2),
        ),
        (counts(ANA, COMMIT=1), counts(_ANA_REUSED, COMMIT=2)),
    ),
    Case(
        "A renamed account does not review its own pull request",
        (
            pr_opened(1, day(1), ANA, 5),
            review(2, day(2), _ANA_RENAMED, 5, review_id=1, author=ANA),
        ),
        (counts(ANA, PR_OPENED=1),),
        (left_out(2, "PR_REVIEWED", "own_pull_request"),),
    ),
    Case(
        "A renamed repository keeps its contributions and subjects",
        (
            pr_opened(1, day(1), ANA, 5, repo=ENGINE),
            pr_stub(2, day(2), BEN, "merged", 5, repo=_ENGINE_RENAMED),
            push(3, day(2), ANA, push_id=1, distinct_size=1, repo=ENGINE),
            push(4, day(3), ANA, push_id=1, distinct_size=1, repo=_ENGINE_RENAMED),
        ),
        (counts(ANA, PR_OPENED=1, PR_MERGED=1, COMMIT=1),),
        (left_out(4, "COMMIT", "repeated"),),
    ),
    Case(
        "A repository name taken over by another id is another repository",
        (
            pr_opened(1, day(1), ANA, 5, repo=ENGINE),
            pr_stub(2, day(2), BEN, "merged", 5, repo=_ENGINE_REUSED),
            issue_comment(3, day(3), BEN, 9, comment_id=1, author=ANA, repo=ENGINE),
            issue_comment(4, day(3), BEN, 9, comment_id=1, author=ANA, repo=_ENGINE_REUSED),
        ),
        (
            counts(ANA, PR_OPENED=1),
            counts(BEN, COMMENT=1),
            counts(BEN, COMMENT=1, repo=_ENGINE_REUSED),
        ),
        (left_out(2, "PR_MERGED", "author_unknown"),),
    ),
)

CASES = RANKS + CLASSES + NAMES
