"""A score down to its events: what counted, what it earned, what was left out and by which rule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared import people
from shared.context import Services
from shared.counted_windows import counted_windows
from shared.errors import NotFound
from shared.models import Exclusion, Kind, Window, iso
from shared.ports import Parameter
from shared.repositories import Repository
from shared.scoring import RuleSet, Score, Tally, score

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""The start of a window without one."""

REASONS: dict[Exclusion, str] = {
    Exclusion.OWN_PULL_REQUEST: "a review of one's own pull request",
    Exclusion.COMMITS_UNKNOWN: "the push does not say how many commits it brought",
    Exclusion.NO_DISTINCT_COMMITS: "the push brought no new commit",
    Exclusion.MERGE_COMMIT: "a merge commit: the commits that it brings count",
    Exclusion.AUTHOR_UNKNOWN: "no event names the author of the merged pull request",
    Exclusion.AUTHOR_UNLINKED: "no account on GitHub has the address of the commit's author",
    Exclusion.ACCOUNT_DELETED: "the account is deleted",
    Exclusion.REPEATED: "another event already counted for the same subject",
    Exclusion.IMPLAUSIBLE: "the event claims more than 100,000,000 lines or commits",
    Exclusion.CLOSED_AGAIN: "a later close of the same issue counts instead",
    Exclusion.CREDITED_TO_AUTHOR: "a merge counts for the author of the pull request",
    Exclusion.BELOW_MINIMUM_SIZE: "the pull request is smaller than the rules ask for",
    Exclusion.OVER_DAILY_CAP: "more than the rules count on one day",
}


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event behind a score. ``link`` leads to it on GitHub, where its kind has a page.

    ``source`` is archive or github. Where an agent took part, ``agent`` is its login and ``human``
    that of who answers for the work, each None where it is unknown.
    """

    event_id: str
    at: str
    repository: str
    quantity: int | None
    link: str | None
    copies: int
    source: str = "archive"
    agent: str | None = None
    human: str | None = None


@dataclass(frozen=True, slots=True)
class Excluded:
    """What was left out of a kind by one rule; ``events`` are the newest of them."""

    kind: Kind
    reason: Exclusion
    explanation: str
    count: int
    events: tuple[EventLine, ...]


@dataclass(frozen=True, slots=True)
class KindExplained:
    """One kind over all repositories: count, points in thousandths, the newest events."""

    kind: Kind
    count: int
    points: int
    events: tuple[EventLine, ...]


@dataclass(frozen=True, slots=True)
class RepositoryExplained:
    """The score in one repository."""

    repository: str
    score: Score


@dataclass(frozen=True, slots=True)
class Explanation:
    """A person's score in a window: ``total`` in thousandths, the sum over repositories."""

    total: int
    repositories: tuple[RepositoryExplained, ...]
    kinds: tuple[KindExplained, ...]
    excluded: tuple[Excluded, ...]
    extra_copies: int


@dataclass(slots=True)
class _Tallied:
    by_repository: dict[int, list[Tally]] = field(default_factory=lambda: defaultdict(list))
    excluded: dict[tuple[Kind, Exclusion], int] = field(default_factory=lambda: defaultdict(int))
    extra_copies: int = 0


def explain(
    services: Services,
    github_id: int,
    repositories: Iterable[Repository],
    window: Window,
    rules: RuleSet,
    *,
    events_per_kind: int = 20,
) -> Explanation:
    """Explain somebody's score in some repositories and a window.

    Two statements over those repositories' contributions, for each as-of time that they have.
    Raises NotFound if there is nothing of this person. Of somebody anonymous, whom a board knows by
    a pseudonymous id, no event is named: its page would say who they are.
    """
    if github_id < 0:
        github_id, events_per_kind = people.current(services).behind(github_id), 0
    names = {r.github_id: r.name for r in repositories if r.github_id is not None}
    spans = [
        _parameters(github_id, span, repo_ids)
        for span, repo_ids in counted_windows(services, list(names), window).items()
    ]
    tallied = _tally(
        row
        for span in spans
        for row in services.warehouse.query("tally_contributor", span).to_pylist()
    )
    if not tallied.by_repository and not tallied.excluded:
        raise NotFound("There is no contribution of theirs in this window.")
    lines = _events(
        (
            row
            for span in spans
            for row in services.warehouse.query(
                "list_contributor_events", {**span, "per_kind": events_per_kind}
            ).to_pylist()
        ),
        names,
        events_per_kind,
    )
    scores = {id_: score(tallies, rules) for id_, tallies in tallied.by_repository.items()}
    return Explanation(
        total=sum(part.total for part in scores.values()),
        repositories=tuple(
            RepositoryExplained(names[id_], part)
            for id_, part in sorted(scores.items(), key=lambda item: (-item[1].total, item[0]))
        ),
        kinds=_kinds(scores.values(), lines),
        excluded=_excluded(tallied, scores.values(), lines),
        extra_copies=tallied.extra_copies,
    )


def _parameters(github_id: int, span: Window, repo_ids: Sequence[int]) -> dict[str, Parameter]:
    return {
        "contributor_id": github_id,
        "repo_ids": repo_ids,
        "start_at": span.start or EARLIEST,
        "end_at": span.end,
    }


def _tally(rows: Iterable[dict[str, object]]) -> _Tallied:
    tallied = _Tallied()
    for row in rows:
        kind = Kind(str(row["kind"]))
        tallied.extra_copies += _int(row["extra_copies"])
        if row["reason"] is None:
            size = row["pr_size"]
            tallied.by_repository[_int(row["repo_id"])].append(
                Tally(
                    kind,
                    _int(row["quantity"]),
                    _int(row["age_days"]),
                    bool(row["self_merged"]),
                    None if size is None else _int(size),
                )
            )
        else:
            tallied.excluded[kind, Exclusion(str(row["reason"]))] += _int(row["events"])
    return tallied


_Lines = dict[tuple[Kind, Exclusion | None], list[EventLine]]


def _events(rows: Iterable[dict[str, object]], names: dict[int, str], per_kind: int) -> _Lines:
    """The newest events of each kind and reason."""
    lines: _Lines = defaultdict(list)
    for row in rows:
        repository = names[_int(row["repo_id"])]
        reason = None if row["reason"] is None else Exclusion(str(row["reason"]))
        at = row["occurred_at"]
        lines[Kind(str(row["kind"])), reason].append(
            EventLine(
                str(row["event_id"]),
                iso(at) if isinstance(at, datetime) else "",
                repository,
                None if row["quantity"] is None else _int(row["quantity"]),
                link(repository, row),
                _int(row["copies"]),
                str(row["source"]),
                _text(row["agent_login"]),
                _text(row["human_login"]),
            )
        )
    for found in lines.values():
        found.sort(key=lambda line: (line.at, line.event_id), reverse=True)
        del found[per_kind:]
    return lines


def _kinds(scores: Iterable[Score], lines: _Lines) -> tuple[KindExplained, ...]:
    count: dict[Kind, int] = defaultdict(int)
    points: dict[Kind, int] = defaultdict(int)
    for part in scores:
        for kind_score in part.kinds:
            count[kind_score.kind] += kind_score.quantity
            points[kind_score.kind] += kind_score.points
    return tuple(
        KindExplained(kind, count[kind], points[kind], tuple(lines.get((kind, None), ())))
        for kind in Kind
        if count[kind]
    )


def _excluded(tallied: _Tallied, scores: Iterable[Score], lines: _Lines) -> tuple[Excluded, ...]:
    counts = dict(tallied.excluded)
    for part in scores:
        for kind_score in part.kinds:
            for reason, quantity in (
                (Exclusion.BELOW_MINIMUM_SIZE, kind_score.below_minimum),
                (Exclusion.OVER_DAILY_CAP, kind_score.over_daily_cap),
            ):
                if quantity:
                    key = kind_score.kind, reason
                    counts[key] = counts.get(key, 0) + quantity
    return tuple(
        Excluded(kind, reason, REASONS[reason], count, tuple(lines.get((kind, reason), ())))
        for (kind, reason), count in sorted(counts.items())
    )


def link(repository: str, row: dict[str, object]) -> str | None:
    """The page on github.com that shows what an event was about, None if it has none."""
    base = f"https://github.com/{repository}"
    number, object_id, head, ref = row["number"], row["object_id"], row["head"], row["ref"]
    match row["event_type"]:
        case "PushEvent" | "Commit" if head:
            return f"{base}/commit/{head}"
        case "PullRequestEvent" if number:
            return f"{base}/pull/{number}"
        case "PullRequestReviewEvent" if number and object_id:
            return f"{base}/pull/{number}#pullrequestreview-{object_id}"
        case "PullRequestReviewCommentEvent" if number and object_id:
            return f"{base}/pull/{number}#discussion_r{object_id}"
        case "IssuesEvent" if number:
            return f"{base}/issues/{number}"
        case "IssueCommentEvent" if number and object_id:
            return f"{base}/issues/{number}#issuecomment-{object_id}"
        case "CommitCommentEvent" if head and object_id:
            return f"{base}/commit/{head}#commitcomment-{object_id}"
        case "ReleaseEvent" if ref:
            return f"{base}/releases/tag/{ref}"
    return None


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value
