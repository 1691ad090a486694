"""What was counted anew because another source counts for it: said beside the movement."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from pydantic import BaseModel, ConfigDict

from shared.authority import Span
from shared.models import Kind, iso

Sources = Mapping[str, tuple[str, ...]]
"""GitHub's spans of each repository of a board, by its id, in the form of ``texts_of``."""

_ALL = "*"


class Recounted(BaseModel):
    """A stretch of time [start, end) for which another source counts than on the board before."""

    model_config = ConfigDict(frozen=True)

    start: str
    end: str


def texts_of(spans: Iterable[Span]) -> tuple[str, ...]:
    """Spans in few words: ``from/until kinds``, those of all kinds with ``*``."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for span in spans:
        kinds.setdefault((iso(span.start), iso(span.end)), []).append(span.kind.value)
    return tuple(
        f"{start}/{end} {_ALL if len(found) == len(Kind) else ' '.join(found)}"
        for (start, end), found in sorted(kinds.items())
    )


def recounted(
    before: Sources, after: Sources, start: str | None, end: str
) -> tuple[Recounted, ...]:
    """What of [start, end) another source counts for, in any repository that both boards have.

    ``end`` is the as-of time of the board before: what came later was not counted yet.
    """
    spans = [
        stretch
        for repository in before.keys() & after.keys()
        for stretch in _changed(before[repository], after[repository])
    ]
    joined: list[tuple[str, str]] = []
    for begin, stop in sorted(spans):
        first, last = max(begin, start or begin), min(stop, end)
        if first >= last:
            continue
        if joined and first <= joined[-1][1]:
            first, last = joined[-1][0], max(last, joined.pop()[1])
        joined.append((first, last))
    return tuple(Recounted(start=first, end=last) for first, last in joined)


def _changed(before: Sequence[str], after: Sequence[str]) -> list[tuple[str, str]]:
    sides = ([*map(_read, before)], [*map(_read, after)])
    borders = sorted({border for side in sides for span in side for border in span[:2]})
    return [
        (start, end)
        for start, end in pairwise(borders)
        if _kinds_at(start, sides[0]) != _kinds_at(start, sides[1])
    ]


def _read(text: str) -> tuple[str, str, frozenset[str]]:
    span, _, kinds = text.partition(" ")
    start, _, end = span.partition("/")
    return start, end, frozenset(Kind if kinds == _ALL else kinds.split())


def _kinds_at(moment: str, spans: Iterable[tuple[str, str, frozenset[str]]]) -> frozenset[str]:
    return frozenset[str]().union(*(kinds for start, end, kinds in spans if start <= moment < end))
