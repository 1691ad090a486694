"""Repositories side by side in answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from functions.api.board_schemas import BoardRow
from functions.api.schemas import Envelope, Links, Score, Shape, Time, hundredths, points
from shared.board_summary import contributions
from shared.compare import (
    Comparison,
    Person,
    Side,
    first_of_most,
    month_is_covered,
    months_between,
    radar,
)
from shared.coverage import Coverage
from shared.models import AccountClass, Kind

Share = Annotated[
    Decimal, Field(description="0 to 100 with two places, cut", ge=0, le=100, examples=[83.33])
]


class MonthShown(Shape):
    """A month of a repository. ``covered`` is false where something of it was not captured: zeros

    are then unknown. ``contributions`` counts every kind but lines.
    """

    month: str = Field(examples=["2025-03"])
    contributions: int
    counts: dict[Kind, int]
    covered: bool


class ComparedRepository(Shape):
    """A repository's totals, of the class that was asked for.

    ``months`` go from its first with a contribution to its last, without a gap.
    """

    repository: str
    generation: str
    as_of: Time
    rule_version: int
    contributors: int
    contributions: int
    contributions_per_month: Decimal = Field(description="Mean over its months, cut")
    score: Score
    average_score: Score
    best_score: Score
    counts: dict[Kind, int]
    months: list[MonthShown]
    top: list[BoardRow]
    coverage: Coverage


class Leaders(Shape):
    """Which repository has the most, the first of equals; null if all have none."""

    most_active: str | None
    most_contributors: str | None
    highest_average_score: str | None


class PlaceShown(Shape):
    """Somebody in a repository. ``normalised`` is the share of the best score there."""

    repository: str
    rank: int
    score: Score
    normalised: Share


class PersonShown(Shape):
    """Somebody across the repositories. ``rank`` is by ``cross_score``, ties by id."""

    rank: int
    github_id: int
    username: str
    avatar_url: str
    account_class: AccountClass = Field(alias="class")
    cross_score: Share
    repositories: list[PlaceShown]


class Common(Shape):
    """Those in two repositories or more, and how many of them are in all."""

    contributors: int
    in_all: int
    top: list[PersonShown]


class Unique(Shape):
    """Those in this repository alone."""

    repository: str
    contributors: int
    top: list[PersonShown]


class RadarValue(Shape):
    """A repository on an axis: the amount, and its share of the largest."""

    repository: str
    amount: int
    normalised: Share


class RadarAxis(Shape):
    """An axis: the sum of some kinds."""

    axis: str
    values: list[RadarValue]


class BarValue(Shape):
    """A repository's value of a metric."""

    repository: str
    value: Decimal


class Bar(Shape):
    """A metric side by side."""

    metric: str
    values: list[BarValue]


class VennSet(Shape):
    """Some repositories: how many people are in all of them, and how many in no other besides."""

    repositories: list[str]
    together: int
    exactly: int


class TimelineSeries(Shape):
    """A repository's contributions, one for each month of the timeline, and which are known."""

    repository: str
    contributions: list[int]
    covered: list[bool]


class Timeline(Shape):
    """Months without a gap, from the first of any repository to the last."""

    months: list[str]
    series: list[TimelineSeries]


class Charts(Shape):
    """What charts are drawn from."""

    radar: list[RadarAxis]
    bar: list[Bar]
    venn: list[VennSet]
    timeline: Timeline


class Compared(Shape):
    """Repositories side by side, in the order that was asked for."""

    repositories: list[ComparedRepository]
    comparison: Leaders
    cross_ranking: list[PersonShown]
    common: Common
    unique: list[Unique]
    charts: Charts


class Weight(Shape):
    """What a repository's shares count for in a cross score."""

    repository: str
    weight: int


class CompareMeta(Shape):
    """``contributors`` counts everybody once. Lists show ``top`` at most."""

    window: str
    account_class: str = Field(alias="class")
    top: int
    contributors: int
    weights: list[Weight]
    normalisation: str
    cross_score: str


class CompareAnswer(Envelope[Compared, CompareMeta, Links]):
    """A comparison."""


def compared(found: Comparison, tops: list[list[BoardRow]]) -> Compared:
    """A comparison as it is shown. ``tops`` are the first rows of each board."""
    names = [side.name for side in found.sides]
    return Compared(
        repositories=[_repository(s, top) for s, top in zip(found.sides, tops, strict=True)],
        comparison=Leaders(
            most_active=_leader(names, [side.contributions for side in found.sides]),
            most_contributors=_leader(names, [side.people for side in found.sides]),
            highest_average_score=_leader(names, [side.average for side in found.sides]),
        ),
        cross_ranking=[_person(person, names) for person in found.ranked],
        common=Common(
            contributors=found.in_common,
            in_all=found.together((1 << len(names)) - 1),
            top=[_person(person, names) for person in found.common],
        ),
        unique=[
            Unique(
                repository=name,
                contributors=found.regions.get(1 << number, 0),
                top=[_person(person, names) for person in found.unique[number]],
            )
            for number, name in enumerate(names)
        ],
        charts=_charts(found, names),
    )


def _repository(side: Side, top: list[BoardRow]) -> ComparedRepository:
    coverage = Coverage.model_validate(side.head.coverage)
    months = [
        MonthShown(
            month=month,
            contributions=contributions(side.months.get(month, {})),
            counts=side.months.get(month, {}),
            covered=month_is_covered(coverage, month),
        )
        for month in months_between(side.months)
    ]
    return ComparedRepository(
        repository=side.name,
        generation=side.head.generation,
        as_of=side.head.as_of,
        rule_version=side.head.rules,
        contributors=side.people,
        contributions=side.contributions,
        contributions_per_month=hundredths(
            side.contributions * 100 // len(months) if months else 0
        ),
        score=points(side.score),
        average_score=points(side.average),
        best_score=hundredths(side.best),
        counts=dict(side.counts),
        months=months,
        top=top,
        coverage=coverage,
    )


def _person(person: Person, names: list[str]) -> PersonShown:
    return PersonShown(
        rank=person.rank,
        github_id=person.row.github_id,
        username=person.row.username,
        avatar_url=person.row.avatar_url,
        account_class=AccountClass(person.row.account_class),
        cross_score=hundredths(person.cross),
        repositories=[
            PlaceShown(
                repository=name,
                rank=place.rank,
                score=hundredths(place.score),
                normalised=hundredths(place.share),
            )
            for name, place in zip(names, person.places, strict=True)
            if place is not None
        ],
    )


def _leader(names: list[str], values: list[int]) -> str | None:
    which = first_of_most(values)
    return None if which is None else names[which]


def _charts(found: Comparison, names: list[str]) -> Charts:
    metrics = {
        "contributors": [Decimal(side.people) for side in found.sides],
        "contributions": [Decimal(side.contributions) for side in found.sides],
        "score": [points(side.score) for side in found.sides],
        "average_score": [points(side.average) for side in found.sides],
        "best_score": [hundredths(side.best) for side in found.sides],
    }
    sets = sorted(range(1, 1 << len(names)), key=lambda some: (some.bit_count(), some))
    return Charts(
        radar=[
            RadarAxis(
                axis=axis,
                values=[
                    RadarValue(repository=name, amount=amount, normalised=hundredths(share))
                    for name, (amount, share) in zip(names, values, strict=True)
                ],
            )
            for axis, values in radar(found.sides).items()
        ],
        bar=[
            Bar(
                metric=metric,
                values=[
                    BarValue(repository=name, value=value)
                    for name, value in zip(names, values, strict=True)
                ],
            )
            for metric, values in metrics.items()
        ],
        venn=[
            VennSet(
                repositories=[name for n, name in enumerate(names) if some >> n & 1],
                together=found.together(some),
                exactly=found.regions.get(some, 0),
            )
            for some in sets
        ],
        timeline=_timeline(found),
    )


def _timeline(found: Comparison) -> Timeline:
    months = months_between({month for side in found.sides for month in side.months})
    series = []
    for side in found.sides:
        coverage = Coverage.model_validate(side.head.coverage)
        series.append(
            TimelineSeries(
                repository=side.name,
                contributions=[contributions(side.months.get(month, {})) for month in months],
                covered=[month_is_covered(coverage, month) for month in months],
            )
        )
    return Timeline(months=months, series=series)
