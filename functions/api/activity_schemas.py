"""Somebody's activity in answers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from pydantic import Field

from functions.api.contributor_schemas import Identity, RepositoryStanding
from functions.api.schemas import (
    CursorLinks,
    Envelope,
    Links,
    Score,
    Shape,
    Time,
    hundredths,
    points,
)
from shared.activity import Activity, Direction, Grouping, InRepository, Period, Streak
from shared.board_summary import contributions
from shared.models import Kind


class StandingsMeta(Shape):
    """Of ``registered`` repositories the boards of ``looked_at`` were looked at for this answer.

    ``next`` in the links looks at the others.
    """

    window: str
    looked_at: int
    registered: int
    limit: int


class StandingsAnswer(Envelope[list[RepositoryStanding], StandingsMeta, CursorLinks]):
    """Somebody's places on the boards of repositories."""


class PeriodShown(Shape):
    """The days ``start`` to ``end``, both in it. ``points`` are before the caps.

    ``covered`` is false if something of it was not captured: zeros are then unknown.
    """

    period: str = Field(examples=["2025-03"])
    start: str
    end: str
    covered: bool
    contributions: int
    points: Score
    counts: dict[Kind, int]
    points_by_kind: dict[Kind, Score]


class StreakShown(Shape):
    """Days in a row with a contribution each."""

    days: int
    start: str
    end: str


class MostActive(Shape):
    """A time, and the contributions in it."""

    when: str
    contributions: int


class TrendShown(Shape):
    """Contributions of the last half of the days against the first, of ``days`` each.

    ``change_percent`` is null if the first half has none. Within 10 percent it is steady.
    """

    days: int
    first_half: int
    last_half: int
    change_percent: Decimal | None
    direction: Direction
    covered: bool


class SummaryShown(Shape):
    """All days together. ``points`` are before the caps, ``score`` after them.

    ``current_streak`` reaches the last known day or the one before. Of equals the earliest is the
    most active.
    """

    contributions: int
    points: Score
    score: Score
    repositories: int
    days: int
    active_days: int
    uncovered_days: int
    longest_streak: StreakShown | None
    current_streak: StreakShown | None
    most_active_day: MostActive | None
    most_active_weekday: MostActive | None
    most_active_month: MostActive | None
    trend: TrendShown


class KindShown(Shape):
    """A kind over all days."""

    kind: Kind
    count: int
    points: Score


class RepositoryShown(Shape):
    """A repository over all days. ``score`` is after its caps."""

    repository: str
    contributions: int
    score: Score
    counts: dict[Kind, int]


class ActivityShown(Shape):
    """Somebody's contributions over time."""

    identity: Identity
    summary: SummaryShown
    timeline: list[PeriodShown]
    by_kind: list[KindShown]
    by_repository: list[RepositoryShown]


class ActivityMeta(Shape):
    """What was asked for. Both days are in it. ``captured_until`` is the earliest of several

    repositories.
    """

    repository: str
    start_date: str
    end_date: str
    group_by: Grouping
    rule_version: int
    captured_until: Time


class ActivityAnswer(Envelope[ActivityShown, ActivityMeta, Links]):
    """Somebody's activity."""


def activity_shown(
    identity: Identity,
    found: Activity,
    names: Mapping[int, str],
    span: tuple[date, date],
    uncovered: int,
) -> ActivityShown:
    """An activity as it is shown. ``names`` of repositories by id."""
    first, last = span
    trend = found.trend
    return ActivityShown(
        identity=identity,
        summary=SummaryShown(
            contributions=contributions(found.counts),
            points=points(sum(found.points.values())),
            score=points(found.score),
            repositories=len(found.repositories),
            days=(last - first).days + 1,
            active_days=found.active_days,
            uncovered_days=uncovered,
            longest_streak=_streak(found.longest),
            current_streak=_streak(found.current),
            most_active_day=_most(found.most_active_day),
            most_active_weekday=_most(found.most_active_weekday),
            most_active_month=_most(found.most_active_month),
            trend=TrendShown(
                days=trend.days,
                first_half=trend.first,
                last_half=trend.last,
                change_percent=None if trend.change is None else hundredths(trend.change),
                direction=trend.direction,
                covered=trend.covered,
            ),
        ),
        timeline=[_period(period) for period in found.periods],
        by_kind=[
            KindShown(kind=kind, count=count, points=points(found.points.get(kind, 0)))
            for kind, count in found.counts.items()
        ],
        by_repository=[_repository(part, names) for part in found.repositories],
    )


def _period(period: Period) -> PeriodShown:
    return PeriodShown(
        period=period.name,
        start=period.first.isoformat(),
        end=period.last.isoformat(),
        covered=period.covered,
        contributions=contributions(period.counts),
        points=points(sum(period.points.values())),
        counts=dict(period.counts),
        points_by_kind={kind: points(earned) for kind, earned in period.points.items()},
    )


def _repository(part: InRepository, names: Mapping[int, str]) -> RepositoryShown:
    return RepositoryShown(
        repository=names[part.repo_id],
        contributions=contributions(part.counts),
        score=points(part.score),
        counts=dict(part.counts),
    )


def _streak(streak: Streak | None) -> StreakShown | None:
    if streak is None:
        return None
    return StreakShown(
        days=streak.days, start=streak.first.isoformat(), end=streak.last.isoformat()
    )


def _most(found: tuple[date | str, int] | None) -> MostActive | None:
    return None if found is None else MostActive(when=str(found[0]), contributions=found[1])
