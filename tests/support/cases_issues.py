"""Cases: issues opened, closed and closed again, releases, and the borders of windows."""

from __future__ import annotations

from tests.support.case import Case, counts, left_out
from tests.support.lines import (
    ANA,
    BEN,
    CLEO,
    day,
    issue,
    pr_stub,
    push,
    release,
    watch,
    without,
)

ISSUES = (
    Case(
        "An issue counts for who opened it and for who closed it",
        (
            issue(1, day(1), ANA, "opened", 5, author=ANA),
            issue(2, day(2), BEN, "closed", 5, author=ANA),
        ),
        (counts(ANA, ISSUE_OPENED=1, score=8_000), counts(BEN, ISSUE_CLOSED=1, score=5_000)),
    ),
    Case(
        "An issue opened on somebody's behalf counts for the author it names",
        (issue(1, day(1), BEN, "opened", 5, author=ANA),),
        (counts(ANA, ISSUE_OPENED=1),),
    ),
    Case(
        "An issue that names no author counts for the account that opened it",
        (issue(1, day(1), BEN, "opened", 5, author=None),),
        (counts(BEN, ISSUE_OPENED=1),),
    ),
    Case(
        "An issue seen opened twice counts once",
        (
            issue(1, day(1), ANA, "opened", 5, author=ANA),
            issue(2, day(1, "13:00:00"), ANA, "opened", 5, author=ANA),
        ),
        (counts(ANA, ISSUE_OPENED=1),),
        (left_out(2, "ISSUE_OPENED", "repeated"),),
    ),
    Case(
        "Reopening, editing and labelling an issue score nothing",
        tuple(
            issue(id_, day(1), BEN, action, 5, author=ANA)
            for id_, action in enumerate(("reopened", "edited", "labeled", "transferred"), start=1)
        ),
    ),
    Case(
        "Issues without a number are told apart by their event ids",
        tuple(
            without(issue(id_, day(1), BEN, "closed", 5, author=ANA), "payload.issue.number")
            for id_ in (1, 2)
        ),
        (counts(BEN, ISSUE_CLOSED=2),),
    ),
)

_CLOSED_TWICE = (
    issue(1, day(2), BEN, "closed", 5, author=ANA),
    issue(2, day(5), ANA, "reopened", 5, author=ANA),
    issue(3, day(8), CLEO, "closed", 5, author=ANA),
    watch(4, day(20), BEN),
)

CLOSED_AGAIN = (
    Case(
        "Of an issue closed twice the last close counts",
        _CLOSED_TWICE,
        (counts(CLEO, ISSUE_CLOSED=1),),
    ),
    Case(
        "Before the second close the first one counts",
        _CLOSED_TWICE,
        (counts(BEN, ISSUE_CLOSED=1),),
        window=(None, day(8)),
    ),
    Case(
        "A window of both closes counts the last",
        _CLOSED_TWICE,
        (counts(CLEO, ISSUE_CLOSED=1),),
        window=(day(1), day(10)),
    ),
    Case(
        "A window of the first close alone counts it",
        _CLOSED_TWICE,
        (counts(BEN, ISSUE_CLOSED=1),),
        window=(day(1), day(4)),
    ),
    Case(
        "A window of the second close alone counts it",
        _CLOSED_TWICE,
        (counts(CLEO, ISSUE_CLOSED=1),),
        window=(day(6), day(10)),
    ),
    Case(
        "A window after both closes counts none",
        _CLOSED_TWICE,
        window=(day(9), day(20)),
    ),
    Case(
        "A window between the closes counts none",
        _CLOSED_TWICE,
        window=(day(3), day(7)),
    ),
    Case(
        "An issue closed twice by one account counts once",
        (
            issue(1, day(2), BEN, "closed", 5, author=ANA),
            issue(2, day(3), BEN, "closed", 5, author=ANA),
        ),
        (counts(BEN, ISSUE_CLOSED=1),),
    ),
    Case(
        "Of two closes at one moment the greater event id is the last",
        (
            issue(6, day(2), BEN, "closed", 5, author=ANA),
            issue(5, day(2), CLEO, "closed", 5, author=ANA),
        ),
        (counts(BEN, ISSUE_CLOSED=1),),
    ),
)

RELEASES = (
    Case(
        "A published release counts for the publisher",
        (release(1, day(1), ANA, release_id=4),),
        (counts(ANA, RELEASE=1, score=30_000),),
    ),
    Case(
        "A release created, prereleased, edited or deleted is not counted",
        tuple(
            release(id_, day(1), ANA, release_id=4, action=action)
            for id_, action in enumerate(
                ("created", "prereleased", "released", "edited", "deleted"), start=1
            )
        ),
    ),
    Case(
        "A release published again counts once",
        (
            release(1, day(1), ANA, release_id=4),
            release(2, day(2), BEN, release_id=4),
            release(3, day(2), BEN, release_id=5),
        ),
        (counts(ANA, RELEASE=1), counts(BEN, RELEASE=1)),
        (left_out(2, "RELEASE", "repeated"),),
    ),
)

WINDOWS = (
    Case(
        "A window begins with its first moment and ends before its last",
        (
            push(1, day(2, "23:59:59"), ANA, push_id=1, distinct_size=1),
            push(2, day(3, "00:00:00"), ANA, push_id=2, distinct_size=10),
            push(3, day(3, "23:59:59"), ANA, push_id=3, distinct_size=100),
            push(4, day(4, "00:00:00"), ANA, push_id=4, distinct_size=1000),
        ),
        (counts(ANA, COMMIT=110),),
        window=(day(3, "00:00:00"), day(4, "00:00:00")),
    ),
    Case(
        "The as-of time ends the hour of the last event, so that event counts",
        (push(1, day(3, "23:00:00"), ANA, push_id=1, distinct_size=1),),
        (counts(ANA, COMMIT=1),),
    ),
    Case(
        "What counted before a window is not counted again by a repetition within it",
        (
            push(1, day(1), ANA, push_id=7, distinct_size=2),
            push(2, day(5), ANA, push_id=7, distinct_size=2),
        ),
        left_out=(left_out(2, "COMMIT", "repeated"),),
        window=(day(4), day(6)),
    ),
    Case(
        "An author named outside the window is known within it",
        (
            pr_stub(1, day(1), ANA, "opened", 5),
            pr_stub(2, day(5), BEN, "merged", 5),
        ),
        (counts(ANA, PR_MERGED=1),),
        window=(day(4), day(6)),
    ),
    Case(
        "Times with an offset are the same moments",
        (
            push(1, "2025-03-03T01:30:00+02:00", ANA, push_id=1, distinct_size=1),
            push(2, "2025-03-02T22:00:00-02:00", ANA, push_id=2, distinct_size=10),
        ),
        (counts(ANA, COMMIT=10),),
        window=(day(3, "00:00:00"), day(4, "00:00:00")),
    ),
    Case(
        "Stars, forks and branches score nothing",
        (watch(1, day(1), ANA),),
    ),
)

CASES = ISSUES + CLOSED_AGAIN + RELEASES + WINDOWS
