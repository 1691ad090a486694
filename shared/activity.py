"""Somebody's contributions over time: periods, trend, streaks, the most active times.

Plain arithmetic over counts a day. Days are those of UTC, weeks begin on Monday. A contribution is
one of any kind but lines, which tell how large it was.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Literal, TypeVar

from shared.board_summary import contributions
from shared.models import Kind
from shared.scoring import RuleSet, Tally, score

DAY = timedelta(days=1)

STEADY_PERCENT = 10
"""A trend within so many percent is none."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

T = TypeVar("T", int, str, date)

Direction = Literal["rising", "falling", "steady"]


class Grouping(StrEnum):
    """The length of a period."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Done:
    """What somebody did in a repository on a day that the rules treat alike."""

    repo_id: int
    day: date
    tally: Tally


@dataclass(frozen=True, slots=True)
class Period:
    """The days ``first`` to ``last``, both in it. ``points`` by kind in thousandths, before caps.

    ``covered`` is False if of any of its days something is missing: zeros are then unknown.
    """

    name: str
    first: date
    last: date
    counts: Mapping[Kind, int]
    points: Mapping[Kind, int]
    covered: bool


@dataclass(frozen=True, slots=True)
class Streak:
    """Days in a row with a contribution each."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class Trend:
    """Contributions of the last half of the days beside those of the first, ``days`` in each.

    Of an odd number of days the one in the middle is in neither. ``change`` is in hundredths of a
    percent of the first, towards zero; None if that had none. ``covered`` as of a period.
    """

    days: int
    first: int
    last: int
    change: int | None
    direction: Direction
    covered: bool


@dataclass(frozen=True, slots=True)
class InRepository:
    """A repository's part. ``score`` in thousandths, with the caps, over the whole range."""

    repo_id: int
    counts: Mapping[Kind, int]
    score: int


@dataclass(frozen=True, slots=True)
class Activity:
    """A range of days. ``most_active_*`` are the earliest of equals; None without contributions.

    ``current`` is the streak that reaches the last known day or the one before it.
    """

    periods: tuple[Period, ...]
    repositories: tuple[InRepository, ...]
    trend: Trend
    longest: Streak | None
    current: Streak | None
    active_days: int
    most_active_day: tuple[date, int] | None
    most_active_weekday: tuple[str, int] | None
    most_active_month: tuple[str, int] | None

    @property
    def counts(self) -> dict[Kind, int]:
        return _added(period.counts for period in self.periods)

    @property
    def points(self) -> dict[Kind, int]:
        """Thousandths by kind, before the caps."""
        return _added(period.points for period in self.periods)

    @property
    def score(self) -> int:
        """Thousandths, with the caps of each repository over the whole range."""
        return sum(part.score for part in self.repositories)


def summarise(
    done: Sequence[Done],
    rules: RuleSet,
    span: tuple[date, date],
    grouping: Grouping,
    *,
    uncovered: Collection[date] = (),
    known_until: date | None = None,
) -> Activity:
    """What somebody did in the days of ``span``, both ends in it.

    ``done`` lies within it. ``uncovered`` are days of which something is missing, ``known_until``
    is the last day that anything is known of, by default the last of the span.
    """
    first, last = span
    by_day: Counter[date] = Counter()
    for one in done:
        by_day[one.day] += contributions({one.tally.kind: one.tally.quantity})
    active = sorted(day for day, number in by_day.items() if number)
    runs = streaks(active)
    weekdays: Counter[int] = Counter()
    months: Counter[str] = Counter()
    for day in active:
        weekdays[day.weekday()] += by_day[day]
        months[f"{day:%Y-%m}"] += by_day[day]
    weekday = _most(weekdays)
    return Activity(
        periods=tuple(_periods(done, rules, span, grouping, frozenset(uncovered))),
        repositories=_by_repository(done, rules),
        trend=trend(by_day, first, last, uncovered),
        longest=max(runs, key=lambda run: run.days, default=None),
        current=_current(runs, min(last, known_until or last)),
        active_days=len(active),
        most_active_day=_most(Counter({day: by_day[day] for day in active})),
        most_active_weekday=None if weekday is None else (WEEKDAYS[weekday[0]], weekday[1]),
        most_active_month=_most(months),
    )


def period_of(day: date, grouping: Grouping) -> tuple[str, date, date]:
    """Name, first and last day of the period that a day is in."""
    match grouping:
        case Grouping.DAY:
            return day.isoformat(), day, day
        case Grouping.WEEK:
            monday = day - day.weekday() * DAY
            year, week, _ = day.isocalendar()
            return f"{year:04d}-W{week:02d}", monday, monday + 6 * DAY
        case Grouping.MONTH:
            begin = day.replace(day=1)
            following = (begin + 31 * DAY).replace(day=1)
            return f"{day:%Y-%m}", begin, following - DAY


def spans(first: date, last: date, grouping: Grouping) -> list[tuple[str, date, date]]:
    """The periods of some days, without a gap; the outer ones cut to those days."""
    found: list[tuple[str, date, date]] = []
    day = first
    while day <= last:
        name, begin, end = period_of(day, grouping)
        found.append((name, max(begin, first), min(end, last)))
        day = end + DAY
    return found


def streaks(active: Sequence[date]) -> list[Streak]:
    """Days in a row, of some in order."""
    found: list[Streak] = []
    for day in active:
        if found and day - found[-1].last == DAY:
            found[-1] = Streak(found[-1].first, day)
        else:
            found.append(Streak(day, day))
    return found


def trend(
    by_day: Mapping[date, int], first: date, last: date, uncovered: Collection[date] = ()
) -> Trend:
    """The last half of some days against the first."""
    half = ((last - first).days + 1) // 2
    before = sum(n for day, n in by_day.items() if day < first + half * DAY)
    after = sum(n for day, n in by_day.items() if day > last - half * DAY)
    moved = abs(after - before) * 100 > before * STEADY_PERCENT
    sign = 1 if after > before else -1
    direction: Direction = "steady" if not moved else "rising" if sign > 0 else "falling"
    change = None if not before else abs(after - before) * 10_000 // before * sign
    return Trend(half, before, after, change, direction, not uncovered)


def _periods(
    done: Sequence[Done],
    rules: RuleSet,
    span: tuple[date, date],
    grouping: Grouping,
    uncovered: frozenset[date],
) -> Iterable[Period]:
    grouped: dict[str, list[Done]] = defaultdict(list)
    for one in done:
        grouped[period_of(one.day, grouping)[0]].append(one)
    missing = {period_of(day, grouping)[0] for day in uncovered}
    for name, first, last in spans(*span, grouping):
        own = grouped.get(name, [])
        points: Counter[Kind] = Counter()
        for tallies in _tallies(own).values():
            for kind_score in score(tallies, rules).kinds:
                points[kind_score.kind] += kind_score.points
        yield Period(
            name,
            first,
            last,
            _added({one.tally.kind: one.tally.quantity} for one in own),
            {kind: points[kind] for kind in Kind if points[kind]},
            name not in missing,
        )


def _by_repository(done: Sequence[Done], rules: RuleSet) -> tuple[InRepository, ...]:
    """The best score first, ties by id."""
    found = [
        InRepository(
            repo_id,
            _added({tally.kind: tally.quantity} for tally in tallies),
            score(tallies, rules).total,
        )
        for repo_id, tallies in _tallies(done).items()
    ]
    return tuple(sorted(found, key=lambda part: (-part.score, part.repo_id)))


def _tallies(done: Iterable[Done]) -> dict[int, list[Tally]]:
    found: dict[int, list[Tally]] = defaultdict(list)
    for one in done:
        found[one.repo_id].append(one.tally)
    return found


def _current(runs: Sequence[Streak], until: date) -> Streak | None:
    # The last day may not be over, so a streak that reached the day before it still goes on.
    if runs and runs[-1].last >= until - DAY:
        return runs[-1]
    return None


def _most(counts: Counter[T]) -> tuple[T, int] | None:
    """The most frequent, the least of equals."""
    if not counts:
        return None
    most = max(counts.values())
    return min(key for key, n in counts.items() if n == most), most


def _added(counts: Iterable[Mapping[Kind, int]]) -> dict[Kind, int]:
    """Sums by kind, those that are not 0, in the order of kinds."""
    total: Counter[Kind] = Counter()
    for some in counts:
        total.update(some)
    return {kind: total[kind] for kind in Kind if total[kind]}
