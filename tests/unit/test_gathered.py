"""Whose events of which days are stored: what a unit notes, and who lacks what."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from shared.gathered import covered_days, missing, note_of, runs
from shared.planning import days_between
from shared.ports import Unit
from shared.repositories import Repository
from shared.tables import Dataset

FIRST = date(2026, 3, 1)
WEEK = days_between(FIRST, date(2026, 3, 7))


def repository(number: int) -> Repository:
    return Repository(
        key=f"o~r{number}",
        name=f"o/r{number}",
        number=number,
        registered_at="2026-03-08T00:00:00Z",
        registered_by="test",
    )


def unit(days: tuple[date, ...], after: int, until: int) -> Unit:
    name = f"{days[0]}-{after}-{until}"
    return Unit(Dataset.EVENTS, name, 1, "digest", note_of(days, after, until))


def test_whoever_is_registered_later_finds_nothing_covered() -> None:
    units = [unit(WEEK, 0, 3)]
    assert covered_days(units, 3) == frozenset(WEEK)
    assert covered_days(units, 4) == frozenset()


def test_those_who_lack_the_same_days_are_gathered_together() -> None:
    units = [unit(WEEK[:5], 0, 2)]
    found = missing([repository(n) for n in (1, 2, 3, 4)], units, WEEK)
    assert [([r.number for r in g.repositories], g.days, g.after, g.until) for g in found] == [
        ([1, 2], WEEK[5:], 0, 2),
        ([3, 4], WEEK, 2, 4),
    ]


def test_nobody_lacks_what_all_have() -> None:
    assert missing([repository(1), repository(2)], [unit(WEEK, 0, 2)], WEEK) == ()
    assert missing([], [], WEEK) == ()


def test_days_are_noted_as_stretches() -> None:
    assert runs([WEEK[0], WEEK[1], WEEK[3]]) == ((WEEK[0], WEEK[1]), (WEEK[3], WEEK[3]))
    assert runs([]) == ()


@given(
    numbers=st.sets(st.integers(1, 12), min_size=1),
    held=st.lists(
        st.tuples(st.integers(0, 6), st.integers(1, 7), st.integers(0, 11), st.integers(1, 12)),
        max_size=6,
    ),
)
def test_gathering_what_is_missing_leaves_nothing_missing(
    numbers: set[int], held: list[tuple[int, int, int, int]]
) -> None:
    units = [unit(WEEK[a : a + n], after, until) for a, n, after, until in held]
    whose = [repository(n) for n in numbers]
    groups = missing(whose, units, WEEK)
    for group in groups:
        for member in group.repositories:
            assert set(group.days) == set(WEEK) - covered_days(units, member.number)
    filled = [*units, *(unit(group.days, group.after, group.until) for group in groups)]
    assert missing(whose, filled, WEEK) == ()
    for number in set(range(1, 14)) - numbers:
        if number > max(numbers):
            assert covered_days(filled[len(units) :], number) == frozenset()
