"""Cases: copies, colliding ids, and rows that are no events."""

from __future__ import annotations

from tests.support.case import Case, counts, left_out
from tests.support.lines import (
    ANA,
    BEN,
    changed,
    commit_comment,
    day,
    issue_comment,
    pr_merged,
    pr_stub,
    push,
    without,
)

_TRIMMED = push(1, day(1), ANA, push_id=7)
_LISTED = push(1, day(1), ANA, push_id=7, listed=(True, True))
_WHOLE = push(1, day(1), ANA, push_id=7, distinct_size=3, listed=(True, True))
_MERGE_STUB = pr_stub(1, day(1), BEN, "merged", 5)
_MERGE = changed(
    pr_merged(1, day(1), BEN, 5, author=ANA, additions=10, deletions=4),
    "payload.action",
    "merged",
)

COPIES = (
    Case(
        "Exact copies of a row are one event",
        (_WHOLE, _WHOLE, _WHOLE),
        (counts(ANA, COMMIT=3),),
        copies={"1": 3},
    ),
    *(
        Case(
            f"Of copies that differ the one that knows more counts, standing {order}",
            lines,
            (counts(ANA, COMMIT=3),),
            copies={"1": 3},
        )
        for order, lines in (
            ("last", (_TRIMMED, _LISTED, _WHOLE)),
            ("between", (_TRIMMED, _WHOLE, _LISTED)),
            ("first", (_WHOLE, _LISTED, _TRIMMED)),
        )
    ),
    *(
        Case(
            f"Of a full and a stub copy of a merge the full one counts, standing {order}",
            lines,
            (counts(ANA, PR_MERGED=1, LINES_ADDED=10, LINES_DELETED=4),),
            copies={"1": 2},
        )
        for order, lines in (
            ("first", (_MERGE, _MERGE_STUB)),
            ("last", (_MERGE_STUB, _MERGE)),
        )
    ),
    Case(
        "A copy apart from other events is still a copy",
        (
            _WHOLE,
            push(2, day(1), BEN, push_id=8, distinct_size=1),
            _WHOLE,
        ),
        (counts(ANA, COMMIT=3), counts(BEN, COMMIT=1)),
        copies={"1": 2},
    ),
    Case(
        "The same event id at another time is another event",
        (
            push(1, day(1), ANA, push_id=7, distinct_size=1),
            push(1, day(2), ANA, push_id=8, distinct_size=10),
        ),
        (counts(ANA, COMMIT=11),),
    ),
    Case(
        "The same event id at another time about the same push repeats it",
        (
            push(1, day(1), ANA, push_id=7, distinct_size=1),
            push(1, day(2), ANA, push_id=7, distinct_size=10),
        ),
        (counts(ANA, COMMIT=1),),
        (left_out(1, "COMMIT", "repeated"),),
    ),
    Case(
        "The same event id of another type is another event",
        (
            issue_comment(1, day(1), BEN, 5, comment_id=8, author=ANA),
            commit_comment(1, day(1), BEN, comment_id=8),
        ),
        (counts(BEN, COMMENT=2),),
    ),
    Case(
        "An event id written as a number is the same id",
        (_WHOLE, changed(_WHOLE, "id", 1)),
        (counts(ANA, COMMIT=3),),
        copies={"1": 2},
    ),
)

BAD_ROWS = (
    *(
        Case(
            f"A row without {path} is broken and the others stand",
            (without(push(1, day(1), BEN, push_id=7, distinct_size=1), path), _WHOLE),
            (counts(ANA, COMMIT=3),),
            broken=1,
        )
        for path in ("id", "type", "created_at", "repo.id", "actor", "actor.id")
    ),
    Case(
        "A row whose time is no time is broken",
        (push(1, "yesterday", BEN, push_id=7, distinct_size=1), _WHOLE),
        (counts(ANA, COMMIT=3),),
        broken=1,
    ),
    Case(
        "A row of the old schema is refused, not broken",
        (
            without(push(1, day(1), BEN, push_id=7, distinct_size=1), "repo"),
            changed(push(2, day(1), BEN, push_id=8, distinct_size=1), "repo", "octo/engine"),
            changed(push(3, day(1), BEN, push_id=9, distinct_size=1), "actor", "ben"),
            _WHOLE,
        ),
        (counts(ANA, COMMIT=3),),
        refused=3,
    ),
    Case(
        "The archive begins with 2015",
        (
            push(1, "2014-12-31T23:59:59Z", BEN, push_id=7, distinct_size=1),
            push(2, "2015-01-01T00:00:00Z", BEN, push_id=8, distinct_size=10),
        ),
        (counts(BEN, COMMIT=10),),
        refused=1,
    ),
)

CASES = COPIES + BAD_ROWS
