"""An independent count of contributions, to hold the product against.

Written from docs/counting.md in plain Python: lines become events, events contributions,
contributions standings, standings a board. It shares no code, column table or SQL with the
product and favours being obvious over being fast.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

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

IMPLAUSIBLE_ABOVE = 100_000_000


@dataclass(frozen=True, slots=True)
class Contribution:
    """One thing somebody did. ``exclusion`` says why it is not counted, None where it is."""

    repo_id: int
    kind: str
    subject: str
    contributor_id: int | None
    actor_id: int
    occurred_at: datetime
    quantity: int | None
    exclusion: str | None
    event_id: str
    copies: int


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


# Events become contributions.


def credit(events: Iterable[Event]) -> list[Contribution]:
    """Say what each event contributed, to whom, and why it is left out if it is."""
    copies = _gather_copies(events)
    distinct = sorted((_richest(same) for same in copies.values()), key=lambda e: e.moment)
    authors = _find_authors(distinct)
    found: list[Contribution] = []
    for event in distinct:
        author = authors.get((event.repo_id, event.number)) if event.number is not None else None
        times_seen = len(copies[event.type, event.id, event.created_at])
        found.extend(_contribution(event, c, author, times_seen) for c in _claims(event, author))
    return _leave_out_repeated(found)


EventKey = tuple[str, str, datetime]


def _gather_copies(events: Iterable[Event]) -> dict[EventKey, list[Event]]:
    copies: dict[EventKey, list[Event]] = defaultdict(list)
    for event in events:
        copies[event.type, event.id, event.created_at].append(event)
    return copies


def _richest(same: list[Event]) -> Event:
    """The copy that knows the most facts; which of two that know as many is arbitrary but fixed."""
    return max(same, key=lambda e: (sum(fact is not None for fact in e.facts), repr(e.facts)))


def _find_authors(distinct: Iterable[Event]) -> dict[tuple[int, int], int]:
    """Who wrote each number: the first user named as its author, else the first to open it."""
    named: dict[tuple[int, int], int] = {}
    opened: dict[tuple[int, int], int] = {}
    for event in distinct:
        if event.number is None:
            continue
        key = (event.repo_id, event.number)
        if event.author_id is not None:
            named.setdefault(key, event.author_id)
        if event.action == "opened" and event.type in {"PullRequestEvent", "IssuesEvent"}:
            opened.setdefault(key, event.actor_id)
    return opened | named


@dataclass(frozen=True, slots=True)
class _Claim:
    kind: str
    subject: str
    contributor_id: int | None
    quantity: int | None


def _claims(event: Event, author: int | None) -> Iterator[_Claim]:
    claim = _CLAIMS.get(event.type)
    if claim is not None:
        yield from claim(event, author)


def _push(event: Event, _: int | None) -> Iterator[_Claim]:
    known = event.distinct_size is not None
    quantity = event.distinct_size if known else event.listed_distinct
    yield _Claim("COMMIT", _object(event), event.actor_id, quantity)


def _pull_request(event: Event, author: int | None) -> Iterator[_Claim]:
    if event.action == "opened":
        yield _opening("PR_OPENED", event)
    if event.action == "merged" or (event.action == "closed" and event.merged is True):
        yield _Claim("PR_MERGED", _number(event), author, 1)
        if event.additions:
            yield _Claim("LINES_ADDED", _number(event), author, event.additions)
        if event.deletions:
            yield _Claim("LINES_DELETED", _number(event), author, event.deletions)


def _issue(event: Event, _: int | None) -> Iterator[_Claim]:
    if event.action == "opened":
        yield _opening("ISSUE_OPENED", event)
    if event.action == "closed":
        yield _Claim("ISSUE_CLOSED", _number(event), event.actor_id, 1)


def _review(event: Event, _: int | None) -> Iterator[_Claim]:
    if event.action in {"created", "submitted", None}:
        yield _Claim("PR_REVIEWED", _object(event), event.actor_id, 1)


def _review_comment(event: Event, _: int | None) -> Iterator[_Claim]:
    if event.action in {"created", None}:
        yield _Claim("PR_REVIEW_COMMENT", _object(event), event.actor_id, 1)


def _comment(event: Event, _: int | None) -> Iterator[_Claim]:
    if event.action in {"created", None}:
        apart = "commit:" if event.type == "CommitCommentEvent" else "issue:"
        yield _Claim("COMMENT", apart + _object(event), event.actor_id, 1)


def _release(event: Event, _: int | None) -> Iterator[_Claim]:
    if event.action == "published":
        yield _Claim("RELEASE", _object(event), event.actor_id, 1)


_CLAIMS: Mapping[str, Callable[[Event, int | None], Iterator[_Claim]]] = {
    "PushEvent": _push,
    "PullRequestEvent": _pull_request,
    "PullRequestReviewEvent": _review,
    "PullRequestReviewCommentEvent": _review_comment,
    "IssuesEvent": _issue,
    "IssueCommentEvent": _comment,
    "CommitCommentEvent": _comment,
    "ReleaseEvent": _release,
}


def _opening(kind: str, event: Event) -> _Claim:
    opener = event.actor_id if event.author_id is None else event.author_id
    return _Claim(kind, _number(event), opener, 1)


def _number(event: Event) -> str:
    return event.id if event.number is None else str(event.number)


def _object(event: Event) -> str:
    return event.id if event.object_id is None else str(event.object_id)


def _contribution(event: Event, claim: _Claim, author: int | None, copies: int) -> Contribution:
    return Contribution(
        repo_id=event.repo_id,
        kind=claim.kind,
        subject=claim.subject,
        contributor_id=claim.contributor_id,
        actor_id=event.actor_id,
        occurred_at=event.created_at,
        quantity=claim.quantity,
        exclusion=_exclusion(event, claim, author),
        event_id=event.id,
        copies=copies,
    )


def _exclusion(event: Event, claim: _Claim, author: int | None) -> str | None:
    if claim.quantity is not None and not 0 <= claim.quantity <= IMPLAUSIBLE_ABOVE:
        return "implausible"
    if claim.kind == "PR_REVIEWED" and author == event.actor_id:
        return "own_pull_request"
    if claim.quantity is None:
        return "commits_unknown"
    if claim.quantity == 0:
        return "no_distinct_commits"
    return "author_unknown" if claim.contributor_id is None else None


def _leave_out_repeated(found: Iterable[Contribution]) -> list[Contribution]:
    """Of what counts so far, leave out all but the earliest of a subject. Closes stay facts."""
    taken: set[tuple[int, str, str]] = set()
    result = []
    for item in sorted(found, key=lambda c: (c.occurred_at, c.event_id)):
        subject = (item.repo_id, item.kind, item.subject)
        counts = item.exclusion is None and item.kind != "ISSUE_CLOSED"
        result.append(replace(item, exclusion="repeated") if counts and subject in taken else item)
        if counts:
            taken.add(subject)
    return result


# Contributions become standings, standings a board.


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
