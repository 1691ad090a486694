"""Charts as geometry: the templates draw them as SVG (``_charts.html``), with a table beside.

The drawings are stretched to the width of the page, so they hold shapes only and every word stands
around them. Lengths are in the drawing's own units, whole numbers from the top left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

HEIGHT = 100
SLOT = 20
"""The width of one bar and its gap."""

_GAP = 5


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a chart: its label, the value (not negative), and how the value is written."""

    label: str
    value: int
    shown: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar. ``y`` is its top, ``over`` is True for one above the limit."""

    x: int
    y: int
    height: int
    point: Point
    over: bool


@dataclass(frozen=True, slots=True)
class BarChart:
    """Bars side by side. ``limit_y`` is where the line of the limit lies, None outside the chart.

    ``most`` is the value at the top, in the words of its point.
    """

    width: int
    bar_width: int
    bars: tuple[Bar, ...]
    limit_y: int | None
    most: str

    @property
    def empty(self) -> bool:
        """True if there is nothing to draw."""
        return not any(bar.point.value for bar in self.bars)


@dataclass(frozen=True, slots=True)
class LineChart:
    """A line with the area below it. ``points`` and ``area`` are lists of SVG coordinates."""

    width: int
    points: str
    area: str
    rows: tuple[Point, ...]
    limit_y: int | None
    most: str

    @property
    def empty(self) -> bool:
        """True if there is nothing to draw."""
        return not any(point.value for point in self.rows)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a stacked bar, in units of 1,000. ``number`` chooses its colour."""

    start: int
    length: int
    number: int
    point: Point
    percent: str


@dataclass(frozen=True, slots=True)
class Gauge:
    """A half circle, in hundredths of its length: what is spent, and with what is reserved.

    ``tone`` is good, warn or bad; ``warn_at`` and ``expected`` are places of marks, the latter None
    where nothing is known. Nothing reaches beyond 100.
    """

    spent: int
    committed: int
    warn_at: int
    expected: int | None
    tone: str


def bars(points: Sequence[Point], limit: int | None = None) -> BarChart:
    """Bars for values, in their order; those above ``limit`` are marked."""
    top = max((point.value for point in points), default=0)
    drawn = tuple(
        Bar(
            x=place * SLOT + _GAP // 2,
            y=HEIGHT - _height(point.value, top),
            height=_height(point.value, top),
            point=point,
            over=limit is not None and point.value > limit,
        )
        for place, point in enumerate(points)
    )
    return BarChart(
        max(len(points), 1) * SLOT, SLOT - _GAP, drawn, _limit_y(limit, top), _most(points)
    )


def line(points: Sequence[Point], limit: int | None = None) -> LineChart:
    """A line through values, in their order."""
    top = max((point.value for point in points), default=0)
    width = max(len(points) - 1, 1) * SLOT
    places = [
        f"{place * SLOT},{HEIGHT - _height(point.value, top)}" for place, point in enumerate(points)
    ]
    if len(places) == 1:
        places.append(f"{width},{places[0].split(',')[1]}")
    area = " ".join([f"0,{HEIGHT}", *places, f"{width},{HEIGHT}"])
    return LineChart(
        width, " ".join(places), area, tuple(points), _limit_y(limit, top), _most(points)
    )


def added_up(values: Sequence[int]) -> list[int]:
    """Each value with all before it."""
    return list(accumulate(values))


def stacked(points: Sequence[Point]) -> tuple[Part, ...]:
    """One bar of parts, the largest first as they come. Parts of nothing are left out."""
    total = sum(point.value for point in points)
    found: list[Part] = []
    start = done = 0
    for point in points:
        if not point.value:
            continue
        done += point.value
        end = done * 1000 // total
        share = point.value * 100 // total
        found.append(
            Part(start, end - start, len(found) % 11, point, str(share) if share else "< 1")
        )
        start = end
    return tuple(found)


def gauge(
    spent: int, reserved: int, limit: int, warn_percent: int, expected: int | None = None
) -> Gauge:
    """How much of a limit is used. A limit of nothing is used up once anything is spent."""

    def share(value: int) -> int:
        if limit <= 0:
            return 100 if value else 0
        return min(value * 100 // limit, 100)

    used = share(spent)
    tone = "bad" if used >= 100 else "warn" if used >= warn_percent else "good"
    return Gauge(
        used,
        share(spent + reserved),
        warn_percent,
        None if expected is None else share(expected),
        tone,
    )


def largest(amounts: Mapping[str, int], most: int) -> list[tuple[str, int]]:
    """The largest amounts first, at most ``most``, equal ones by name."""
    return sorted(amounts.items(), key=lambda each: (-each[1], each[0]))[:most]


def _height(value: int, top: int) -> int:
    """The height of a value; anything at all can be seen."""
    if not value or not top:
        return 0
    return max(value * HEIGHT // top, 1)


def _limit_y(limit: int | None, top: int) -> int | None:
    if limit is None or not top or limit > top:
        return None
    return HEIGHT - limit * HEIGHT // top


def _most(points: Sequence[Point]) -> str:
    return max(points, key=lambda point: point.value).shown if points else ""
