"""What the page that compares repositories shows, and the form by which they are chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import request, url_for
from werkzeug.datastructures import MultiDict

from functions.api.comparison import CompareQuery, comparison_of
from functions.api.parsing import query_of
from functions.api.resource import Call
from functions.dashboard.coverage_notes import CoverageNote, describe
from functions.dashboard.people_charts import STEP, Spoke, line, month_label, ring, spokes
from shared import repositories
from shared.board_summary import contributions
from shared.compare import MOST, Comparison, Side, month_is_covered, months_between, radar
from shared.context import Services
from shared.coverage import Coverage

OFFERED = 500
"""Repositories that the form knows by name; others are typed."""

SPAN = 1000
AXES: Mapping[str, str] = {
    "commits": "Commits",
    "code_volume": "Lines",
    "pull_requests": "Pull requests",
    "reviews": "Reviews",
    "issues": "Issues",
    "discussion": "Comments",
    "releases": "Releases",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A value and its length beside the largest of its kind, in units of ``SPAN``."""

    value: int
    length: int


@dataclass(frozen=True, slots=True)
class ComparedSide:
    """A repository: its bars, its ring in the radar, its lines in the timeline
    (where months are known, and the whole).

    Scores in thousandths, as their bars' values. ``amounts`` are those of the radar's axes.
    """

    side: Side
    people: Bar
    contributions: Bar
    average: Bar
    ring: str
    amounts: tuple[int, ...]
    lines: tuple[str, ...]
    whole: str
    months: tuple[tuple[int, bool], ...]
    coverage: CoverageNote


@dataclass(frozen=True, slots=True)
class Region:
    """How many are on these sides and on no other, beside the largest region."""

    sides: tuple[int, ...]
    bar: Bar


@dataclass(frozen=True, slots=True)
class ComparePage:
    """A comparison, drawn. ``regions`` leave out the empty ones, the largest first."""

    query: CompareQuery
    found: Comparison
    sides: tuple[ComparedSide, ...]
    spokes: tuple[Spoke, ...]
    regions: tuple[Region, ...]
    months: tuple[str, ...]
    most: int

    @property
    def width(self) -> int:
        return len(self.months) * STEP

    def only(self, *sides: int) -> int:
        """How many are on exactly these sides."""
        return self.found.regions.get(sum(1 << side for side in sides), 0)

    @property
    def permanent(self) -> str:
        """The address of this comparison for as long as its boards are kept."""
        generations = ",".join(side.side.head.generation for side in self.sides)
        return url_for("readers.compare", **_parameters(self.query), generations=generations)

    @property
    def json(self) -> str:
        """The same from the API."""
        return f"{request.script_root}/api/v1/leaderboard/compare?{urlencode(_asked(self.query))}"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the form shows: names and weights, at most ``MOST``, and the names it offers."""

    names: tuple[str, ...]
    weights: tuple[str, ...]
    window: str
    account_class: str
    offered: tuple[str, ...]
    more: bool


def canonical(arguments: MultiDict[str, str]) -> dict[str, str] | None:
    """The parameters that a sent form stands for; None for an address that needs no change."""
    if "repo" not in arguments:
        return None
    weights = arguments.getlist("weight")
    pairs = [
        (name.strip(), (weights[n : n + 1] or ["1"])[0].strip() or "1")
        for n, name in enumerate(arguments.getlist("repo"))
        if name.strip()
    ]
    made = {name: arguments.get(name, "") for name in ("window", "class")}
    made["repos"] = ",".join(name for name, _ in pairs)
    if any(weight != "1" for _, weight in pairs):
        made["weights"] = ",".join(weight for _, weight in pairs)
    defaults = {"window": "all", "class": "human"}
    return {name: value for name, value in made.items() if value and value != defaults.get(name)}


def chosen(services: Services, arguments: Mapping[str, str]) -> Chosen:
    """What stands in the form, whatever is wrong with it."""
    names = [name for name in arguments.get("repos", "").split(",") if name][:MOST]
    weights = [weight for weight in arguments.get("weights", "").split(",") if weight][:MOST]
    known = [r.name for r in repositories.everyone(services) if r.github_id is not None]
    return Chosen(
        (*names, *[""] * (MOST - len(names))),
        (*weights, *["1"] * (MOST - len(weights))),
        arguments.get("window", "all"),
        arguments.get("class", "human"),
        tuple(known[:OFFERED]),
        len(known) > OFFERED,
    )


def read(call: Call, arguments: MultiDict[str, str]) -> ComparePage:
    """The comparison at an address. Raises as the API's."""
    query = query_of(CompareQuery, arguments)
    assert query is not None  # noqa: S101 - there is a model
    found = comparison_of(call, query)
    axes = radar(found.sides)
    months = months_between({month for side in found.sides for month in side.months})
    totals = [
        [contributions(side.months.get(month, {})) for month in months] for side in found.sides
    ]
    most = max((n for of_side in totals for n in of_side), default=0)
    sides = [
        _side(found, number, [values[number] for values in axes.values()], months, totals, most)
        for number in range(len(found.sides))
    ]
    regions = sorted(found.regions.items(), key=lambda each: (-each[1], each[0]))
    largest = max(found.regions.values(), default=1)
    return ComparePage(
        query=query,
        found=found,
        sides=tuple(sides),
        spokes=spokes([AXES[name] for name in axes]),
        regions=tuple(
            Region(
                tuple(n for n in range(len(sides)) if some >> n & 1),
                Bar(number, number * SPAN // largest),
            )
            for some, number in regions
            if number
        ),
        months=tuple(map(month_label, months)),
        most=most,
    )


def _side(
    found: Comparison,
    number: int,
    axes: list[tuple[int, int]],
    months: list[str],
    totals: list[list[int]],
    most: int,
) -> ComparedSide:
    side = found.sides[number]
    coverage = Coverage.model_validate(side.head.coverage)
    known = [month_is_covered(coverage, month) for month in months]

    def bar(values: list[int]) -> Bar:
        return Bar(values[number], values[number] * SPAN // (max(values) or 1))

    return ComparedSide(
        side=side,
        people=bar([each.people for each in found.sides]),
        contributions=bar([each.contributions for each in found.sides]),
        average=bar([each.average for each in found.sides]),
        ring=ring([share for _, share in axes]),
        amounts=tuple(amount for amount, _ in axes),
        lines=line(totals[number], known, most),
        whole=" ".join(line(totals[number], [True] * len(months), most)),
        months=tuple(zip(totals[number], known, strict=True)),
        coverage=describe(side.head.coverage),
    )


def _asked(query: CompareQuery) -> dict[str, Any]:
    return query.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)


def _parameters(query: CompareQuery) -> dict[str, Any]:
    return {name: value for name, value in _asked(query).items() if name != "generations"}
