"""Which source counts: for a repository, kind and day exactly one. docs/decisions/second-source.md.

GitHub's are days that were read of it whole (``shared/sync_state.py``), in months of which the
archive saw less than 99 % of the numbers of pull requests and issues in which something happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal

from pydantic import TypeAdapter

from shared.canonical import canonical_json
from shared.models import Kind
from shared.ports import Json
from shared.statements import micros
from shared.sync_state import SyncState

ENOUGH_PERCENT = 99
"""Months of which the archive saw at least this share are the archive's."""

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A span [start, end) of one kind."""

    kind: Kind
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Month:
    """Of the ``numbers`` in which something happened in a month on GitHub, those the archive saw.

    ``start`` is the month's first moment. ``unknown_pushes`` are those of the archive that do not
    say how many commits they brought.
    """

    start: datetime
    numbers: int = 0
    seen: int = 0
    unknown_pushes: int = 0


@dataclass(frozen=True, slots=True)
class Authority:
    """What was decided for a repository, and on what grounds.

    ``spans`` are GitHub's: whole days, disjoint for a kind. All else is the archive's. ``known``
    is what was read of GitHub, a span a kind. ``until`` is the end of the hour to which all of
    its lists were read, None before they were or where GitHub counts for nothing.
    """

    spans: tuple[Span, ...] = ()
    known: tuple[Span, ...] = ()
    months: tuple[Month, ...] = ()
    until: datetime | None = None

    def days_of(self, kind: Kind) -> tuple[Span, ...]:
        """GitHub's spans of a kind, in order of time."""
        return tuple(span for span in self.spans if span.kind is kind)

    @property
    def of_all_kinds(self) -> tuple[tuple[datetime, datetime], ...]:
        """The spans [from, until) in which every kind is GitHub's, in order of time."""
        borders = sorted({border for span in self.spans for border in (span.start, span.end)})
        return tuple(
            (start, end)
            for start, end in pairwise(borders)
            if all(any(s.start <= start < s.end for s in self.days_of(kind)) for kind in Kind)
        )


ARCHIVE_ALONE = Authority()

_adapter = TypeAdapter(Authority)


def as_json(authority: Authority) -> Json:
    """As it is noted with the contributions that were made by it."""
    body: Json = _adapter.dump_python(authority, mode="json")
    return body


def from_json(noted: Json) -> Authority:
    """What ``as_json`` wrote; None, of times before there was a second source, is the archive."""
    return ARCHIVE_ALONE if noted is None else _adapter.validate_python(noted, strict=False)


def decide(
    state: SyncState,
    months: Sequence[Month],
    captured: frozenset[datetime],
    source: Literal["measured", "archive", "github"],
) -> Authority:
    """Whose each day is. ``captured`` are the hours that the archive's files cover.

    ``source`` other than measured is the owner's word: always the archive, or GitHub wherever it
    was read.
    """
    found = {kind: state.known(kind) for kind in Kind}
    known = tuple(Span(kind, *span) for kind, span in found.items() if span is not None)
    if source == "archive":
        return Authority(known=known, months=tuple(months))
    measured = {month.start: month for month in months}
    spans: list[Span] = []
    for whole in (_whole_days(span) for span in known):
        if whole is None:
            continue
        if source == "github":
            spans.append(whole)
            continue
        for part in _months(whole):
            month = measured.get(_first(part.start), Month(_first(part.start)))
            if _is_githubs(part, month, captured):
                if spans and (spans[-1].kind, spans[-1].end) == (part.kind, part.start):
                    part = Span(part.kind, spans.pop().start, part.end)
                spans.append(part)
    read_until = min((span.end for span in known), default=None)
    until = None
    if spans and read_until is not None and len(known) == len(Kind):
        reach = min(read_until, max(span.end for span in spans))
        until = reach + (-(reach - _EPOCH) % _HOUR)
    return Authority(tuple(spans), known, tuple(months), until)


def sources_parameter(authorities: Mapping[int, Authority]) -> str:
    """GitHub's spans of some repositories as crediting takes them."""
    return canonical_json(
        [
            {
                "repo_id": repo_id,
                "kind": span.kind.value,
                "from": micros(span.start),
                "until": micros(span.end),
            }
            for repo_id, authority in sorted(authorities.items())
            for span in authority.spans
        ]
    ).decode()


def _is_githubs(part: Span, month: Month, captured: frozenset[datetime]) -> bool:
    if part.kind is Kind.COMMIT and month.unknown_pushes:
        return True
    if month.numbers:
        return month.seen * 100 < month.numbers * ENOUGH_PERCENT
    hours = int((part.end - part.start) / _HOUR)
    return not all(part.start + n * _HOUR in captured for n in range(hours))


def _whole_days(span: Span) -> Span | None:
    """The days that were read whole, and the last one as far as it goes: it is GitHub's too."""
    start, end = (moment + (-(moment - _EPOCH) % _DAY) for moment in (span.start, span.end))
    return Span(span.kind, start, end) if start < end else None


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _months(span: Span) -> Iterable[Span]:
    """The span cut at the ends of months."""
    start = span.start
    while start < span.end:
        end = min(_first(_first(start) + timedelta(days=32)), span.end)
        yield Span(span.kind, start, end)
        start = end


def _first(moment: datetime) -> datetime:
    return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
