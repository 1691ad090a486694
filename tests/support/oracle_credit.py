"""How the oracle turns events into contributions. See ``tests/support/oracle.py``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from tests.support.oracle_reading import Event

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


def credit(events: Iterable[Event]) -> list[Contribution]:
    """Say what each event contributed, to whom, and why it is left out if it is."""
    copies = _gather_copies(events)
    once = sorted((_richest(same) for same in copies.values()), key=lambda e: e.moment)
    authors = _find_authors(once)
    found: list[Contribution] = []
    for event in once:
        author = authors.get((event.repo_id, event.number)) if event.number is not None else None
        times_seen = len(copies[event.type, event.id, event.created_at])
        found.extend(_contribution(event, c, author, times_seen) for c in _claims(event, author))
    return _leave_out_repeated(found)


def distinct(events: Iterable[Event]) -> list[Event]:
    """Each event once, by the copy that knows most."""
    return [_richest(same) for same in _gather_copies(events).values()]


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
