"""Contributions over time: periods, trend, streaks, the most active times."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.activity import (
    DAY,
    Done,
    Grouping,
    Streak,
    period_of,
    spans,
    streaks,
    summarise,
    trend,
)
from shared.models import Kind
from shared.scoring import DEFAULT_RULES, Tally, score

FIRST, LAST = date(2025, 2, 24), date(2025, 3, 12)
"""A Monday, and a Wednesday sixteen days later."""


def did(day: date, kind: Kind, quantity: int = 1, *, repo: int = 1, until: date = LAST) -> Done:
    return Done(repo, day, Tally(kind, quantity, (until + DAY - day).days))


def march(number: int) -> date:
    return date(2025, 3, number)


SOME = [
    did(date(2025, 2, 24), Kind.COMMIT, 2),
    did(date(2025, 2, 28), Kind.COMMENT),
    did(march(1), Kind.PR_OPENED),
    did(march(2), Kind.COMMIT, 3, repo=2),
    did(march(10), Kind.PR_MERGED),
    did(march(10), Kind.LINES_ADDED, 60_000),
    did(march(11), Kind.COMMIT, 2),
]


def test_weeks_are_filled_without_a_gap_and_begin_on_monday() -> None:
    found = summarise(SOME, DEFAULT_RULES, (FIRST, LAST), Grouping.WEEK, uncovered=[march(5)])
    assert [(p.name, p.first, p.last, p.covered) for p in found.periods] == [
        ("2025-W09", date(2025, 2, 24), march(2), True),
        ("2025-W10", march(3), march(9), False),
        ("2025-W11", march(10), march(12), True),
    ]
    assert [dict(p.counts) for p in found.periods] == [
        {Kind.COMMIT: 5, Kind.PR_OPENED: 1, Kind.COMMENT: 1},
        {},
        {Kind.COMMIT: 2, Kind.PR_MERGED: 1, Kind.LINES_ADDED: 60_000},
    ]
    assert found.periods[0].points == {
        Kind.COMMIT: 50_000,
        Kind.PR_OPENED: 15_000,
        Kind.COMMENT: 3_000,
    }


def test_points_are_before_the_caps_and_the_score_after_them() -> None:
    found = summarise(SOME, DEFAULT_RULES, (FIRST, LAST), Grouping.MONTH)
    assert sum(found.points.values()) == 70_000 + 15_000 + 3_000 + 25_000 + 600_000
    assert found.score == sum(found.points.values()) - 100_000
    assert [(part.repo_id, part.score) for part in found.repositories] == [
        (1, 583_000),
        (2, 30_000),
    ]


def test_streaks_and_the_most_active_times() -> None:
    found = summarise(SOME, DEFAULT_RULES, (FIRST, LAST), Grouping.DAY)
    assert found.active_days == 6
    assert found.longest == Streak(date(2025, 2, 28), march(2))
    assert found.longest.days == 3
    assert found.current == Streak(march(10), march(11))
    # Lines say how large the merge was: March 10 has one contribution.
    assert found.most_active_day == (march(2), 3)
    # Mondays and Sundays have three each, and Monday comes first in the week.
    assert found.most_active_weekday == ("monday", 3)
    assert found.most_active_month == ("2025-03", 7)


@pytest.mark.parametrize(
    ("until", "goes_on"),
    [(march(11), True), (march(12), True), (march(13), False), (None, False)],
)
def test_a_streak_goes_on_until_a_whole_day_passed_without_a_contribution(
    until: date | None, goes_on: bool
) -> None:
    span = FIRST, march(20)
    found = summarise(SOME, DEFAULT_RULES, span, Grouping.DAY, known_until=until)
    assert (found.current is not None) is goes_on


def test_the_trend_sets_the_last_half_against_the_first_without_the_middle() -> None:
    by_day = {march(1): 4, march(3): 100, march(5): 5}
    assert trend(by_day, march(1), march(5)).change == 2500
    found = trend(by_day, march(1), march(5))
    assert (found.days, found.first, found.last, found.direction) == (2, 4, 5, "rising")
    assert trend({march(1): 30, march(4): 20}, march(1), march(4)).change == -3333
    assert trend({march(1): 10, march(2): 11}, march(1), march(2)).direction == "steady"
    assert trend({march(1): 10, march(2): 9}, march(1), march(2)).direction == "steady"
    assert trend({march(1): 10, march(2): 8}, march(1), march(2)).direction == "falling"
    nothing_first = trend({march(2): 1}, march(1), march(2))
    assert (nothing_first.change, nothing_first.direction) == (None, "rising")
    assert trend({}, march(1), march(1)).direction == "steady"
    assert not trend({}, march(1), march(2), {march(2)}).covered


def test_without_contributions_there_are_zeros_and_no_most_active_times() -> None:
    found = summarise([], DEFAULT_RULES, (march(1), march(3)), Grouping.DAY)
    assert [dict(p.counts) for p in found.periods] == [{}, {}, {}]
    assert (found.longest, found.current, found.score, found.active_days) == (None, None, 0, 0)
    times = found.most_active_day, found.most_active_weekday, found.most_active_month
    assert times == (None, None, None)


def test_a_week_belongs_to_the_year_of_its_thursday() -> None:
    assert period_of(date(2024, 12, 30), Grouping.WEEK)[0] == "2025-W01"
    assert period_of(date(2021, 1, 3), Grouping.WEEK)[0] == "2020-W53"
    assert period_of(date(2024, 2, 29), Grouping.MONTH)[1:] == (date(2024, 2, 1), date(2024, 2, 29))


# --- for any days -----------------------------------------------------------------------------

_spans = st.tuples(st.dates(date(2015, 1, 1), date(2035, 1, 1)), st.integers(0, 800)).map(
    lambda drawn: (drawn[0], drawn[0] + timedelta(days=drawn[1]))
)


@given(span=_spans, grouping=st.sampled_from(Grouping))
def test_periods_hold_every_day_once(span: tuple[date, date], grouping: Grouping) -> None:
    first, last = span
    found = spans(first, last, grouping)
    days = [begin + n * DAY for _, begin, end in found for n in range((end - begin).days + 1)]
    assert days == [first + n * DAY for n in range((last - first).days + 1)]
    assert len({name for name, _, _ in found}) == len(found)


@st.composite
def _done(draw: st.DrawFn) -> tuple[tuple[date, date], list[Done]]:
    first, last = draw(_spans)
    one = st.builds(
        lambda ago, kind, quantity, repo: did(
            last - ago * DAY, kind, quantity, repo=repo, until=last
        ),
        st.integers(0, (last - first).days),
        st.sampled_from(Kind),
        st.integers(1, 50_000),
        st.integers(1, 3),
    )
    return (first, last), draw(st.lists(one, max_size=25))


@settings(max_examples=60, deadline=None)
@given(drawn=_done(), grouping=st.sampled_from(Grouping))
def test_the_sums_of_the_periods_are_the_totals(
    drawn: tuple[tuple[date, date], list[Done]], grouping: Grouping
) -> None:
    span, done = drawn
    found = summarise(done, DEFAULT_RULES, span, grouping)
    counts: Counter[Kind] = Counter()
    for one in done:
        counts[one.tally.kind] += one.tally.quantity
    assert found.counts == dict(counts)
    assert _sum(part.counts for part in found.repositories) == counts
    whole = [
        score([one.tally for one in done if one.repo_id == repo], DEFAULT_RULES)
        for repo in {one.repo_id for one in done}
    ]
    earned = _sum({kind.kind: kind.points} for part in whole for kind in part.kinds)
    assert found.points == earned
    assert found.score == sum(part.total for part in whole)


@given(st.sets(st.dates(date(2025, 1, 1), date(2025, 3, 1))))
def test_streaks_hold_every_active_day_once_and_are_apart(active: set[date]) -> None:
    found = streaks(sorted(active))
    assert {run.first + n * DAY for run in found for n in range(run.days)} == active
    assert all(later.first - run.last > DAY for run, later in itertools.pairwise(found))


def _sum(counts: Iterable[object]) -> Counter[Kind]:
    total: Counter[Kind] = Counter()
    for some in counts:
        total.update(some)  # type: ignore[call-overload]
    return total
