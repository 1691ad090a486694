"""A score broken up by kind, as the segments of a bar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.models import Kind
from shared.scoring import RuleSet, Tally, score

SPAN = 1000
"""The length of a whole bar in the drawing's own units."""


_NUMBERS = {kind: number for number, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Segment:
    """The part of one kind, in units of ``SPAN``; points in thousandths, the share in percent.

    ``number`` is the kind's place in ``Kind``, which decides its colour.
    """

    kind: Kind
    number: int
    start: int
    length: int
    points: int
    share: int


def bar(counts: Mapping[str, int], rules: RuleSet, *, capped: bool) -> tuple[Segment, ...]:
    """The segments of what some counts earn, in the order of ``Kind``; together they fill the bar.

    With ``capped`` what a cap takes away is taken from its kinds in proportion. That is right for
    one repository only, where caps hold; elsewhere the segments are shares before caps.
    """
    tallies = [Tally(kind, counts.get(kind.value, 0)) for kind in Kind]
    scored = score([tally for tally in tallies if tally.quantity], rules)
    points = {part.kind: part.points for part in scored.kinds if part.points}
    for cap in scored.caps if capped else ():
        for kind in cap.kinds:
            points[kind] = points.get(kind, 0) * cap.limit // cap.earned
    return _laid_out({kind: value for kind, value in points.items() if value})


def of_points(points: Mapping[Kind, int]) -> tuple[Segment, ...]:
    """The segments of points that are known already."""
    return _laid_out({kind: points[kind] for kind in Kind if points.get(kind)})


def _laid_out(points: Mapping[Kind, int]) -> tuple[Segment, ...]:
    total = sum(points.values())
    segments: list[Segment] = []
    before = 0
    for kind, value in points.items():
        start = before * SPAN // total
        before += value
        length = before * SPAN // total - start
        segments.append(Segment(kind, _NUMBERS[kind], start, length, value, value * 100 // total))
    return tuple(segments)
