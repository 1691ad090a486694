"""A board's coverage in a sentence, and drawn: where there is data and where there are holes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from functions.dashboard.words import plural
from shared.coverage import Coverage, Hole
from shared.models import parse_time

SPAN = 1000
"""The length of the drawing in its own units."""


@dataclass(frozen=True, slots=True)
class DrawnHole:
    """A hole in the drawing, in units of ``SPAN``."""

    start: int
    length: int
    hole: Hole


@dataclass(frozen=True, slots=True)
class CoverageNote:
    """What a page says of completeness: a tone (good, warn, bad), a sentence, what is not known.

    ``drawing`` is empty where nothing is missing, and where more is missing than is listed.
    """

    tone: str
    headline: str
    gaps: tuple[str, ...]
    notes: tuple[str, ...]
    begin: str
    coverage: Coverage
    drawing: tuple[DrawnHole, ...]


def describe(body: Mapping[str, Any]) -> CoverageNote:
    """The note for a board's ``coverage``."""
    coverage = Coverage.model_validate(body)
    missing = coverage.hours_expected - coverage.hours_captured
    gaps = tuple(
        f"{gap.unknown:,} of {plural(gap.of, noun, many)} {what}"
        for gap, noun, many, what in (
            (coverage.pushes_without_commits, "push", "pushes", "do not say their commits"),
            (coverage.merges_unattributed, "merge", "merges", "name no author"),
            (coverage.merges_without_lines, "merge", "merges", "do not say their lines"),
            (coverage.commits_unlinked, "commit", "commits", "bear an address of no account"),
            (
                coverage.accounts_deleted,
                "contribution",
                "contributions",
                "that GitHub tells of are of deleted accounts",
            ),
        )
        if gap.unknown
    )
    tone = "good" if coverage.complete else ("bad" if float(coverage.percent) < 50 else "warn")
    begin = coverage.start or coverage.captured_from or coverage.end
    drawing = () if coverage.more_holes else _drawing(coverage, begin)
    # Notes that begin with a count say of each repository what ``gaps`` says of all.
    notes = tuple(note for note in coverage.notes if not note[:1].isdigit())
    headline = _headline(coverage, missing)
    return CoverageNote(tone, headline, gaps, notes, begin, coverage, drawing)


def _headline(coverage: Coverage, missing: int) -> str:
    if not coverage.hours_expected:
        return "Nothing was captured for this window."
    if not missing:
        return (
            "Complete: every hour of this window was captured."
            if coverage.complete
            else "Every hour was captured, but some events leave things out."
        )
    hours = plural(missing, "hour is", "hours are")
    holes = plural(len(coverage.holes) + coverage.more_holes, "hole")
    return f"{coverage.percent} % of this window was captured: {hours} missing, in {holes}."


def _drawing(coverage: Coverage, begin: str) -> tuple[DrawnHole, ...]:
    first, last = parse_time(begin), parse_time(coverage.end)
    whole = (last - first).total_seconds()
    drawn: list[DrawnHole] = []
    for hole in coverage.holes if whole > 0 else ():
        start = (parse_time(hole.start) - first).total_seconds() / whole
        length = (parse_time(hole.end) - parse_time(hole.start)).total_seconds() / whole
        # A short hole in a long window is still to be seen.
        drawn.append(DrawnHole(max(int(start * SPAN), 0), max(round(length * SPAN), 3), hole))
    return tuple(drawn)
