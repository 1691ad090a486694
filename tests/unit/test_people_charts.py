"""Months, calendars and radars as numbers for SVG."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from functions.dashboard.people_charts import (
    HEIGHT,
    calendar,
    columns,
    line,
    month_label,
    ring,
    spokes,
)
from shared.models import Kind

AMOUNTS = st.dictionaries(st.sampled_from(list(Kind)), st.integers(0, 10**9))


@given(st.lists(AMOUNTS, max_size=40))
def test_parts_of_a_month_lie_on_one_another_and_the_highest_fills_the_height(
    months: list[dict[Kind, int]],
) -> None:
    drawn = columns([("2025-03", amounts, True) for amounts in months])
    heights = [sum(part.height for part in column.parts) for column in drawn.columns]
    assert max(heights, default=0) == (HEIGHT if drawn.most else 0)
    for column in drawn.columns:
        low = HEIGHT
        for part in column.parts:
            assert part.y + part.height == low
            low = part.y
    assert drawn.width == 20 * len(months)


def test_a_month_that_is_not_known_whole_says_so() -> None:
    drawn = columns([("2025-03", {}, False), ("2025-04", {Kind.COMMIT: 2}, True)])
    assert [column.known for column in drawn.columns] == [False, True]
    assert drawn.unknown == 1
    assert [column.label for column in drawn.columns] == ["Mar 2025", "Apr 2025"]


def test_the_running_total_ends_at_the_top() -> None:
    drawn = columns([(f"2025-0{n}", {Kind.COMMIT: n}, True) for n in range(1, 5)])
    assert drawn.running == "0,100 20,90 40,70 60,40 80,0"


def test_a_calendar_has_every_day_once_in_weeks_from_monday() -> None:
    first, last = date(2025, 2, 5), date(2026, 2, 4)
    drawn = calendar({date(2025, 3, 1): 4}, frozenset({date(2025, 3, 2)}), (first, last))
    assert len(drawn.cells) == (last - first).days + 1
    assert len({(cell.x, cell.y) for cell in drawn.cells}) == len(drawn.cells)
    by_day = {cell.day: cell for cell in drawn.cells}
    assert by_day[date(2025, 2, 10)].y == 0
    assert by_day[date(2025, 3, 1)].level > 0
    assert not by_day[date(2025, 3, 2)].known
    assert len(drawn.months) == 12
    assert drawn.months[0] == (39, "Mar")


def test_one_busy_day_does_not_hide_the_others() -> None:
    first = date(2025, 1, 1)
    counts = {first + timedelta(days=n): n + 1 for n in range(20)} | {date(2025, 2, 1): 5000}
    drawn = calendar(counts, frozenset(), (first, date(2025, 2, 1)))
    levels = {cell.level for cell in drawn.cells}
    assert levels == {0, 1, 2, 3, 4}


def test_a_radar_points_upwards_first_and_its_edge_is_a_whole_share() -> None:
    axes = spokes(["a", "b", "c", "d"])
    assert [(spoke.x, spoke.y) for spoke in axes] == [(0, -100), (100, 0), (0, 100), (-100, 0)]
    assert [spoke.anchor for spoke in axes] == ["middle", "start", "middle", "end"]
    assert ring([10_000, 5_000, 0, 10_000]) == "0,-100 50,0 0,0 -100,0"


def test_a_line_breaks_where_a_month_is_not_known() -> None:
    assert line([1, 2, 3, 4], [True, True, False, True], 4) == ("10,75 30,50", "70,0")
    assert line([1, 2], [False, False], 2) == ()


def test_months_have_names() -> None:
    assert month_label("2024-12") == "Dec 2024"
