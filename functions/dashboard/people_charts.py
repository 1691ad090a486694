"""Charts of people and boards as numbers for SVG: months, a calendar, a radar.

Plain geometry. What is not known is drawn as such, never as nothing: each part says whether all of
its time was captured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from shared.activity import DAY
from shared.models import Kind

HEIGHT = 100
"""The height of stretched charts in their own units; months are ``STEP`` wide."""

STEP = 20
_GAP = 2

CELL = 13
"""Width and height of a day in a calendar, with its gap."""

LEVELS = 4

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBERS = {kind: number for number, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a column. ``number`` is the kind's place in ``Kind``."""

    number: int
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class Column:
    """A month: how much of each kind, as text (``shown``) and drawn from ``x`` on."""

    label: str
    value: int
    known: bool
    x: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Columns:
    """Months side by side, the highest of which fills the height."""

    columns: tuple[Column, ...]
    most: int

    @property
    def width(self) -> int:
        return len(self.columns) * STEP

    @property
    def bar_width(self) -> int:
        return STEP - 2 * _GAP

    @property
    def unknown(self) -> int:
        """How many months are not known whole."""
        return sum(1 for column in self.columns if not column.known)

    @property
    def running(self) -> str:
        """The running total as the points of a line, its end at the top."""
        total = sum(column.value for column in self.columns) or 1
        so_far, places = 0, [f"0,{HEIGHT}"]
        for column in self.columns:
            so_far += column.value
            places.append(f"{column.x + STEP - _GAP},{HEIGHT - so_far * HEIGHT // total}")
        return " ".join(places)


def columns(months: Sequence[tuple[str, Mapping[Kind, int], bool]]) -> Columns:
    """Months as (YYYY-MM, amount by kind, known whole)."""
    most = max((sum(amounts.values()) for _, amounts, _ in months), default=0)
    drawn = []
    for number, (name, amounts, known) in enumerate(months):
        parts, below = [], 0
        for kind in Kind:
            amount = amounts.get(kind, 0)
            low = below * HEIGHT // (most or 1)
            below += amount
            height = below * HEIGHT // (most or 1) - low
            if height:
                parts.append(Part(_NUMBERS[kind], HEIGHT - low - height, height))
        drawn.append(Column(month_label(name), below, known, number * STEP + _GAP, tuple(parts)))
    return Columns(tuple(drawn), most)


def month_label(name: str) -> str:
    """``2025-03`` as ``Mar 2025``."""
    return f"{_MONTHS[int(name[5:]) - 1]} {name[:4]}"


@dataclass(frozen=True, slots=True)
class Cell:
    """A day. ``level`` is 0 for nothing, up to ``LEVELS`` for the most."""

    x: int
    y: int
    level: int
    known: bool
    day: date
    number: int

    @property
    def label(self) -> str:
        return f"{self.day.day} {_MONTHS[self.day.month - 1]} {self.day.year}"


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days in columns of weeks, which begin on Monday. ``months`` are (x, name)."""

    cells: tuple[Cell, ...]
    months: tuple[tuple[int, str], ...]
    width: int
    height: int = 7 * CELL


def calendar(
    counts: Mapping[date, int], unknown: frozenset[date], span: tuple[date, date]
) -> Calendar:
    """The days of ``span``, both in it, with so many contributions each.

    Levels are quarters of the days with any, so that one day with many does not hide the others.
    """
    first, last = span
    monday = first - first.weekday() * DAY
    busy = sorted(n for n in counts.values() if n)
    borders = [busy[len(busy) * quarter // LEVELS] for quarter in range(1, LEVELS)] if busy else []
    cells, months = [], []
    day = first
    while day <= last:
        week = (day - monday).days // 7
        number = counts.get(day, 0)
        level = 1 + sum(1 for border in borders if number > border) if number else 0
        known = day not in unknown
        cells.append(Cell(week * CELL, day.weekday() * CELL, level, known, day, number))
        if day.day == 1:
            months.append((week * CELL, _MONTHS[day.month - 1]))
        day += DAY
    return Calendar(tuple(cells), tuple(months), ((last - monday).days // 7 + 1) * CELL)


RADIUS = 100


@dataclass(frozen=True, slots=True)
class Spoke:
    """An axis of a radar: where it ends, and where its name stands."""

    name: str
    x: int
    y: int
    label_x: int
    label_y: int
    anchor: str


def spokes(names: Sequence[str]) -> tuple[Spoke, ...]:
    """The axes around (0, 0), the first upwards, clockwise."""
    found = []
    for number, name in enumerate(names):
        x, y = _at(number, len(names), RADIUS)
        label_x, label_y = _at(number, len(names), RADIUS + 14)
        anchor = "middle" if abs(x) < 10 else "start" if x > 0 else "end"
        found.append(Spoke(name, x, y, label_x, label_y + 4, anchor))
    return tuple(found)


def ring(shares: Sequence[int]) -> str:
    """Shares (0 to 10,000) on the axes as the points of a polygon."""
    places = (
        _at(number, len(shares), RADIUS * share / 10_000) for number, share in enumerate(shares)
    )
    return " ".join(f"{x},{y}" for x, y in places)


def _at(number: int, of: int, distance: float) -> tuple[int, int]:
    angle = 2 * math.pi * number / of
    return round(math.sin(angle) * distance), round(-math.cos(angle) * distance)


def line(values: Sequence[int], known: Sequence[bool], most: int) -> tuple[str, ...]:
    """Months as the points of lines, one for each run of known months: an unknown one is a gap."""
    runs: list[list[str]] = [[]]
    for number, (value, whole) in enumerate(zip(values, known, strict=True)):
        if whole:
            y = HEIGHT - value * HEIGHT // (most or 1)
            runs[-1].append(f"{number * STEP + STEP // 2},{y}")
        elif runs[-1]:
            runs.append([])
    return tuple(" ".join(run) for run in runs if run)
