"""An independent count of contributions, to hold the product against.

Written from docs/counting.md in plain Python: lines become events, events contributions,
contributions standings, standings a board. It shares no code, column table or SQL with the
product and favours being obvious over being fast.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from tests.support.oracle_credit import Contribution, credit
from tests.support.oracle_reading import Event, Reading, as_of, read_events, read_file

__all__ = [
    "DEFAULT_RULES",
    "Contribution",
    "Event",
    "Place",
    "Reading",
    "Rules",
    "Standing",
    "Window",
    "as_of",
    "board",
    "counted_in",
    "credit",
    "read_events",
    "read_file",
    "standings",
]

Window = tuple[datetime | None, datetime]
"""[start, end); a start of None is the beginning of time."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Points in thousandths; lines together never earn more than the cap in a repository."""

    points: Mapping[str, int] = field(
        default_factory=lambda: {
            "COMMIT": 10_000,
            "PR_OPENED": 15_000,
            "PR_MERGED": 25_000,
            "PR_REVIEWED": 20_000,
            "PR_REVIEW_COMMENT": 5_000,
            "ISSUE_OPENED": 8_000,
            "ISSUE_CLOSED": 5_000,
            "COMMENT": 3_000,
            "RELEASE": 30_000,
            "LINES_ADDED": 10,
            "LINES_DELETED": 5,
        }
    )
    lines_cap: int = 500_000


DEFAULT_RULES = Rules()


@dataclass(frozen=True, slots=True)
class Standing:
    """What one contributor did in one repository. Kinds without a count are absent."""

    contributor_id: int
    repo_id: int
    counts: Mapping[str, int]
    score: int


@dataclass(frozen=True, slots=True)
class Place:
    """A row of a board; ``at_or_below`` of ``total`` ranked contributors score no more."""

    rank: int
    contributor_id: int
    score: int
    at_or_below: int
    total: int


def counted_in(contributions: Iterable[Contribution], window: Window) -> list[Contribution]:
    """What counts in a window, in order of time."""
    start, end = window
    before_end = sorted(
        (c for c in contributions if c.exclusion is None and c.occurred_at < end),
        key=lambda c: (c.occurred_at, c.event_id),
    )
    last_close = {(c.repo_id, c.subject): c for c in before_end if c.kind == "ISSUE_CLOSED"}
    return [
        c
        for c in before_end
        if (start is None or c.occurred_at >= start)
        and (c.kind != "ISSUE_CLOSED" or last_close[c.repo_id, c.subject] is c)
    ]


def standings(
    contributions: Iterable[Contribution], window: Window, rules: Rules = DEFAULT_RULES
) -> list[Standing]:
    """Count and score each contributor in each repository, ordered by repository and id."""
    totals: dict[tuple[int, int], Counter[str]] = defaultdict(Counter)
    for item in counted_in(contributions, window):
        if item.contributor_id is not None and item.quantity is not None:
            totals[item.repo_id, item.contributor_id][item.kind] += item.quantity
    return [
        Standing(contributor_id, repo_id, dict(counts), _score(counts, rules))
        for (repo_id, contributor_id), counts in sorted(totals.items())
    ]


def _score(counts: Mapping[str, int], rules: Rules) -> int:
    points = {kind: count * rules.points[kind] for kind, count in counts.items()}
    lines = points.pop("LINES_ADDED", 0) + points.pop("LINES_DELETED", 0)
    return sum(points.values()) + min(lines, rules.lines_cap)


def board(
    entries: Iterable[Standing],
    classes: Mapping[int, str] | None = None,
    shown: str = "all",
    repo_id: int | None = None,
) -> list[Place]:
    """Rank the contributors of a class over all repositories, or of one.

    ``classes`` names bots and agents by id; whoever is not named there is ``human``. ``shown`` is
    a class or ``all``. Who has no counted contribution has no standing and so no place.
    """
    scores: Counter[int] = Counter()
    for entry in entries:
        its_class = (classes or {}).get(entry.contributor_id, "human")
        if shown in {"all", its_class} and repo_id in {None, entry.repo_id}:
            scores[entry.contributor_id] += entry.score
    ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
    return [
        Place(rank, contributor_id, score, sum(s <= score for s in scores.values()), len(scores))
        for rank, (contributor_id, score) in enumerate(ordered, start=1)
    ]
