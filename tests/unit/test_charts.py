"""The geometry of charts: nothing outside the drawing, nothing lost, nothing too small to see."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from functions.dashboard import charts
from functions.dashboard.charts import HEIGHT, SLOT, Point

VALUES = st.lists(st.integers(0, 10**12), max_size=40)


def points(values: list[int]) -> list[Point]:
    return [Point(f"day {number}", value, str(value)) for number, value in enumerate(values)]


@given(VALUES, st.none() | st.integers(0, 10**12))
def test_bars_stand_on_the_ground_and_stay_inside(values: list[int], limit: int | None) -> None:
    chart = charts.bars(points(values), limit)
    assert [bar.point.value for bar in chart.bars] == values
    assert chart.empty == (not any(values))
    for bar in chart.bars:
        assert bar.y + bar.height == HEIGHT
        assert bar.y >= 0
        assert bar.x >= 0
        assert bar.x + chart.bar_width <= chart.width
        assert (bar.height > 0) == (bar.point.value > 0)
        assert bar.over == (limit is not None and bar.point.value > limit)
    assert chart.limit_y is None or 0 <= chart.limit_y <= HEIGHT


@given(VALUES)
def test_a_line_goes_from_edge_to_edge(values: list[int]) -> None:
    chart = charts.line(points(values))
    places = [tuple(map(int, place.split(","))) for place in chart.points.split()]
    assert all(0 <= x <= chart.width and 0 <= y <= HEIGHT for x, y in places)
    if values:
        assert places[0][0] == 0
        assert places[-1][0] == chart.width


@given(VALUES)
def test_a_stacked_bar_is_whole(values: list[int]) -> None:
    parts = charts.stacked(points(values))
    assert [part.point.value for part in parts] == [value for value in values if value]
    ends = [0, *(part.start + part.length for part in parts)]
    assert [part.start for part in parts] == ends[:-1]
    assert ends[-1] == (1000 if parts else 0)


@given(*[st.integers(0, 10**9)] * 3, st.integers(1, 100), st.none() | st.integers(0, 10**9))
def test_a_gauge_never_shows_more_than_all(
    spent: int, reserved: int, limit: int, warn: int, expected: int | None
) -> None:
    gauge = charts.gauge(spent, reserved, limit, warn, expected)
    assert 0 <= gauge.spent <= gauge.committed <= 100
    assert gauge.expected is None or 0 <= gauge.expected <= 100
    assert (gauge.tone == "bad") == (gauge.spent == 100)


def test_a_gauge_by_hand() -> None:
    gauge = charts.gauge(2_350_000, 790_000, 6_500_000, 80, 5_000_000)
    assert (gauge.spent, gauge.committed, gauge.expected) == (36, 48, 76)
    assert gauge.tone == "good"
    assert charts.gauge(80, 0, 100, 80).tone == "warn"
    assert charts.gauge(100, 0, 100, 80).tone == "bad"
    assert charts.gauge(0, 0, 0, 80).spent == 0


def test_bars_by_hand() -> None:
    chart = charts.bars(points([50, 0, 200, 1]), limit=100)
    assert [bar.height for bar in chart.bars] == [25, 0, 100, 1]
    assert chart.width == 4 * SLOT
    assert chart.limit_y == 50
    assert chart.most == "200"
    assert charts.added_up([1, 2, 3]) == [1, 3, 6]
    assert charts.largest({"b": 2, "a": 2, "c": 5}, 2) == [("c", 5), ("a", 2)]
