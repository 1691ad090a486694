"""Cases: pushes and their commits."""

from __future__ import annotations

from tests.support.case import Case, counts, left_out
from tests.support.lines import ANA, BEN, ENGINE, WHEELS, changed, day, push, without

CASES = (
    Case(
        "A push counts the commits that are new, not all it carries",
        (changed(push(1, day(1), ANA, push_id=7, distinct_size=3), "payload.size", 5),),
        (counts(ANA, COMMIT=3, score=30_000),),
    ),
    Case(
        "The distinct size decides where the list stops at twenty",
        (push(1, day(1), ANA, push_id=7, distinct_size=25),),
        (counts(ANA, COMMIT=25),),
    ),
    Case(
        "A distinct size of zero decides over listed commits",
        (push(1, day(1), ANA, push_id=7, distinct_size=0, listed=(True, True)),),
        left_out=(left_out(1, "COMMIT", "no_distinct_commits"),),
    ),
    Case(
        "Without a distinct size the listed distinct commits count",
        (push(1, day(1), ANA, push_id=7, listed=(True, False, True)),),
        (counts(ANA, COMMIT=2),),
    ),
    Case(
        "A distinct size of null is no distinct size",
        (
            changed(
                push(1, day(1), ANA, push_id=7, distinct_size=9, listed=(True, False)),
                "payload.distinct_size",
                None,
            ),
        ),
        (counts(ANA, COMMIT=1),),
    ),
    Case(
        "A list without a distinct commit is nothing new",
        (push(1, day(1), ANA, push_id=7, listed=(False, False)),),
        left_out=(left_out(1, "COMMIT", "no_distinct_commits"),),
    ),
    Case(
        "An empty list of commits is nothing new and not unknown",
        (push(1, day(1), ANA, push_id=7, listed=()),),
        left_out=(left_out(1, "COMMIT", "no_distinct_commits"),),
    ),
    Case(
        "A trimmed push is unknown, not zero",
        (push(1, day(1), ANA, push_id=7),),
        left_out=(left_out(1, "COMMIT", "commits_unknown"),),
    ),
    Case(
        "A push without a payload is an event that knows no commits",
        (without(push(1, day(1), ANA, push_id=7, distinct_size=3), "payload"),),
        left_out=(left_out(1, "COMMIT", "commits_unknown"),),
    ),
    Case(
        "One push under two event ids counts once, the earlier",
        (
            push(2, day(1, "10:00:00"), ANA, push_id=7, distinct_size=3),
            push(1, day(1, "10:00:01"), ANA, push_id=7, distinct_size=4),
        ),
        (counts(ANA, COMMIT=3),),
        (left_out(1, "COMMIT", "repeated"),),
    ),
    Case(
        "Of two events for a push at one moment the smaller id as text counts",
        (
            push(9, day(1), ANA, push_id=7, distinct_size=3),
            push(10, day(1), ANA, push_id=7, distinct_size=4),
        ),
        (counts(ANA, COMMIT=4),),
        (left_out(9, "COMMIT", "repeated"),),
    ),
    Case(
        "A trimmed push does not use up its push id",
        (
            push(1, day(1), ANA, push_id=7),
            push(2, day(2), ANA, push_id=7, distinct_size=2),
        ),
        (counts(ANA, COMMIT=2),),
        (left_out(1, "COMMIT", "commits_unknown"),),
    ),
    Case(
        "A trimmed push after one that counted stays unknown",
        (
            push(1, day(1), ANA, push_id=7, distinct_size=2),
            push(2, day(2), ANA, push_id=7),
        ),
        (counts(ANA, COMMIT=2),),
        (left_out(2, "COMMIT", "commits_unknown"),),
    ),
    Case(
        "A push of nothing new does not use up its push id",
        (
            push(1, day(1), ANA, push_id=7, distinct_size=0),
            push(2, day(2), ANA, push_id=7, distinct_size=2),
        ),
        (counts(ANA, COMMIT=2),),
        (left_out(1, "COMMIT", "no_distinct_commits"),),
    ),
    Case(
        "Pushes without a push id are told apart by their event ids",
        (
            without(push(1, day(1), ANA, push_id=7, distinct_size=2), "payload.push_id"),
            without(push(2, day(1), ANA, push_id=7, distinct_size=3), "payload.push_id"),
        ),
        (counts(ANA, COMMIT=5),),
    ),
    Case(
        "The same push id in another repository is another push",
        (
            push(1, day(1), ANA, push_id=7, distinct_size=2, repo=ENGINE),
            push(2, day(1), ANA, push_id=7, distinct_size=3, repo=WHEELS),
        ),
        (counts(ANA, COMMIT=2), counts(ANA, COMMIT=3, repo=WHEELS)),
    ),
    Case(
        "A negative number of commits is implausible",
        (
            push(1, day(1), ANA, push_id=7, distinct_size=-2),
            push(2, day(1), BEN, push_id=8, distinct_size=1),
        ),
        (counts(BEN, COMMIT=1),),
        (left_out(1, "COMMIT", "implausible"),),
    ),
    Case(
        "A hundred million commits are plausible and one more is not",
        (
            push(1, day(1), ANA, push_id=7, distinct_size=100_000_000),
            push(2, day(1), BEN, push_id=8, distinct_size=100_000_001),
        ),
        (counts(ANA, COMMIT=100_000_000, score=1_000_000_000_000),),
        (left_out(2, "COMMIT", "implausible"),),
    ),
    Case(
        "An implausible push does not use up its push id",
        (
            push(1, day(1), ANA, push_id=7, distinct_size=-1),
            push(2, day(2), ANA, push_id=7, distinct_size=1),
            push(3, day(3), ANA, push_id=7, distinct_size=1),
        ),
        (counts(ANA, COMMIT=1),),
        (left_out(1, "COMMIT", "implausible"), left_out(3, "COMMIT", "repeated")),
    ),
    Case(
        "The pusher is credited, whoever else is named in the commits",
        (
            push(1, day(1), ANA, push_id=7, distinct_size=1),
            push(2, day(1), BEN, push_id=8, distinct_size=1),
        ),
        (counts(ANA, COMMIT=1), counts(BEN, COMMIT=1)),
    ),
)
