"""How each of GitHub's lists is walked: from where, how far, and what is remembered of it.

Pure but for the one request that each ``take`` makes. docs/github.md says why nothing is lost that
changes while a list is walked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from pydantic import JsonValue

from shared import github_events as events
from shared.errors import NotFound
from shared.github import GitHub, Issue, Page, Pull
from shared.github_events import Row, Telling
from shared.models import iso, parse_time
from shared.sync_state import Reading, Reread, Round, Seen, Stream, SyncState

OVERLAP = timedelta(minutes=10)
"""What GitHub may show late, and how far its clock and ours may differ."""

FULL_PAGE = 100
"""Items on a page of GitHub's numbered lists that is not the last one."""

_AT_ONCE = 100
"""Commits that can be asked for by SHA in one request."""

_MOST_LOOKS = 5
"""Looks at what changed during a walk, each at what changed during the one before."""

Walk = dict[str, JsonValue]

_Item = TypeVar("_Item", Pull, Issue)


@dataclass(frozen=True, slots=True)
class Source:
    """A repository whose lists are asked for."""

    github: GitHub
    node_id: str
    told: Telling


@dataclass(frozen=True, slots=True)
class Taken:
    """What one request brought, and where the walk stands; it has ended if there is none."""

    rows: tuple[Row, ...]
    reading: Reading


def opened(state: SyncState, round_: Round) -> SyncState:
    """The state with every list's walk of a round begun, or found to have nothing new."""
    return state.model_copy(
        update={
            "round": round_,
            "readings": {stream: _begun(state, round_, stream) for stream in Stream},
        }
    )


def restarted(reading: Reading) -> Reading:
    """The walk from its beginning, for a cursor that GitHub does not take any more."""
    walk = _walk(reading)
    top = _FROM_THE_TOP if "looks" in walk else {"cursor": None}
    return reading.model_copy(update={"walk": {**walk, **top}})


def take(source: Source, stream: Stream, round_: Round, reading: Reading) -> Taken:
    """Make one request of a walk. Raises what the port raises, then nothing has changed."""
    return _TAKE[stream](source, round_, reading)


def walking(state: SyncState) -> Stream | None:
    """The list whose walk is to go on, None at the end of the round."""
    for stream in Stream:
        reading = state.readings.get(stream)
        if reading is not None and reading.walk is not None:
            return stream
    return None


# --- where a walk begins ------------------------------------------------------------------------


def _begun(state: SyncState, round_: Round, stream: Stream) -> Reading:
    known = state.readings.get(stream)
    if known is None or known.through is None or round_.full:
        reading = known or Reading(since=round_.since)
        since = round_.since
        if known is not None:
            gone = Reread(since=since, observed=round_.began_at)
            reading = known.model_copy(update={"anew": gone, "mark": None})
        if _is_empty(stream, round_):
            return _ended(reading, round_, since)
        return reading.model_copy(update={"walk": _first(stream, reading, round_, since, None)})
    if _is_empty(stream, round_) or not _may_have_news(state.seen, round_, stream):
        lost = stream is Stream.COMMITS and round_.seen.head is None and known.mark is not None
        reading = _without_history(known, round_.began_at) if lost else known
        return _ended(reading, round_, known.since)
    walk = _first(stream, known, round_, known.since, known.through)
    return known.model_copy(update={"walk": walk})


def _is_empty(stream: Stream, round_: Round) -> bool:
    if stream is Stream.COMMITS:
        return round_.seen.head is None
    return stream is Stream.COMMIT_COMMENTS and round_.seen.commit_comments == 0


def _may_have_news(before: Seen | None, round_: Round, stream: Stream) -> bool:
    if before is None or stream not in _TOLD_BY:
        return before != round_.seen
    return any(getattr(before, name) != getattr(round_.seen, name) for name in _TOLD_BY[stream])


_TOLD_BY: Mapping[Stream, frozenset[str]] = {
    Stream.PULLS: frozenset({"pulls_changed_at"}),
    Stream.ISSUES: frozenset({"issues_changed_at"}),
    Stream.COMMITS: frozenset({"head"}),
    Stream.REVIEW_COMMENTS: frozenset({"pulls_changed_at"}),
    Stream.COMMENTS: frozenset({"pulls_changed_at", "issues_changed_at"}),
}
"""What of a repository's looks changes with a list. The others are read whenever anything changed:
a comment on a commit may come while another goes, a release be made for an old tag."""


def _first(
    stream: Stream, reading: Reading, round_: Round, since: str, through: str | None
) -> Walk:
    """A walk's beginning. ``through`` None: all that changed at ``since`` or later."""
    stop = since if through is None else iso(parse_time(through) - OVERLAP)
    walk: Walk = {"since": since, "stop": stop}
    if stream in {Stream.PULLS, Stream.ISSUES}:
        return {**walk, **_FROM_THE_TOP, "looks": 0}
    if stream is Stream.COMMITS:
        compares = through is not None and reading.mark is not None
        return {
            **walk,
            "head": round_.seen.head,
            "page": 1 if compares else None,
            "cursor": None,
            "shas": [],
        }
    if stream is Stream.COMMIT_COMMENTS:
        last = max(1, -(-round_.seen.commit_comments // FULL_PAGE))
        return {**walk, "page": min(int(reading.mark or 1), last)}
    return {**walk, "page": 1}


_FROM_THE_TOP: Walk = {"cursor": None, "began": None, "pages": 0, "done": False, "reviews": []}


def _ended(reading: Reading, round_: Round, since: str, mark: str | None = None) -> Reading:
    return reading.model_copy(
        update={
            "since": min(reading.since, since),
            "through": round_.began_at,
            "walk": None,
            "mark": reading.mark if mark is None else mark,
        }
    )


# --- pull requests and issues: the last changed first --------------------------------------------


def _take_pulls(source: Source, round_: Round, reading: Reading) -> Taken:
    walk = _walk(reading)
    waiting = walk["reviews"]
    if isinstance(waiting, list) and waiting:
        return _take_reviews(source, round_, reading, waiting)
    page = source.github.pulls(source.node_id, _text(walk["cursor"]))
    new = _changed(page, walk)
    more: list[JsonValue] = [
        {"number": pull.number, "cursor": pull.more_reviews} for pull in new if pull.more_reviews
    ]
    walk = {**_turned(source, walk, page), "reviews": more}
    return Taken(tuple(events.of_pulls(source.told, new)), _looked(round_, reading, walk))


def _take_reviews(
    source: Source, round_: Round, reading: Reading, waiting: Sequence[JsonValue]
) -> Taken:
    """Further reviews of the first pull request that has more than came with it."""
    first, *others = waiting
    assert isinstance(first, dict)  # noqa: S101 - as it was put there
    number = int(str(first["number"]))
    page = source.github.reviews(source.node_id, number, str(first["cursor"]))
    rest: list[JsonValue] = [{"number": number, "cursor": page.cursor}] if page.cursor else []
    rows = tuple(events.of_reviews(source.told, number, page.items))
    walk: Walk = {**_walk(reading), "reviews": [*rest, *others]}
    return Taken(rows, _looked(round_, reading, walk))


def _take_issues(source: Source, round_: Round, reading: Reading) -> Taken:
    walk = _walk(reading)
    page = source.github.issues(source.node_id, _text(walk["cursor"]))
    rows = tuple(events.of_issues(source.told, _changed(page, walk)))
    return Taken(rows, _looked(round_, reading, _turned(source, walk, page)))


def _changed(page: Page[_Item], walk: Walk) -> list[_Item]:
    stop = _time(walk["stop"])
    return [item for item in page.items if item.updated_at >= stop]


def _turned(source: Source, walk: Walk, page: Page[_Item]) -> Walk:
    """The walk after a page. It is done where nothing changed since its stop any more."""
    return {
        **walk,
        "began": walk["began"] or iso(source.told.observed_at),
        "cursor": page.cursor,
        "pages": int(str(walk["pages"])) + 1,
        "done": page.cursor is None or len(_changed(page, walk)) < len(page.items),
    }


def _looked(round_: Round, reading: Reading, walk: Walk) -> Reading:
    """The reading after a request. What changed during a walk of several pages left its place

    and may have been missed, so another walk looks at what changed since this one began.
    """
    if walk["reviews"] or not walk["done"]:
        return reading.model_copy(update={"walk": walk})
    looks = int(str(walk["looks"])) + 1
    if int(str(walk["pages"])) == 1 or looks > _MOST_LOOKS:
        return _ended(reading, round_, str(walk["since"]))
    stop = iso(_time(walk["began"]) - OVERLAP)
    again: Walk = {**walk, **_FROM_THE_TOP, "stop": max(stop, str(walk["stop"])), "looks": looks}
    return reading.model_copy(update={"walk": again})


# --- commits: what the head has and the last one had not -----------------------------------------


def _take_commits(source: Source, round_: Round, reading: Reading) -> Taken:
    walk = _walk(reading)
    shas = _texts(walk["shas"])
    if shas:
        commits = source.github.commits(source.node_id, shas[:_AT_ONCE])
        rest: list[JsonValue] = [*shas[_AT_ONCE:]]
        walk = {**walk, "shas": rest}
        rows = tuple(events.of_commits(source.told, commits))
        return Taken(rows, _compared(round_, reading, walk))
    if walk["page"] is not None:
        return _take_comparison(source, round_, reading, walk)
    since = _time(walk["since"])
    page = source.github.history(source.node_id, since, _text(walk["cursor"]))
    rows = tuple(events.of_commits(source.told, page.items))
    if page.cursor is None:
        return Taken(rows, _ended(reading, round_, str(walk["since"]), _text(walk["head"])))
    return Taken(rows, reading.model_copy(update={"walk": {**walk, "cursor": page.cursor}}))


def _take_comparison(source: Source, round_: Round, reading: Reading, walk: Walk) -> Taken:
    """Which commits are new, however old their dates. The whole history where the last head is

    no part of it any more.
    """
    base, head, number = str(reading.mark), str(walk["head"]), int(str(walk["page"]))
    try:
        found = source.github.compare(source.told.repo_name, base, head, number)
    except NotFound:
        found = None
    if found is None or found.status not in {"ahead", "identical"}:
        anew = _without_history(reading, iso(source.told.observed_at))
        whole: Walk = {**walk, "page": None, "shas": [], "cursor": None}
        return Taken((), anew.model_copy(update={"walk": whole}))
    walk = {**walk, "page": found.page, "shas": [*found.shas]}
    return Taken((), _compared(round_, reading, walk))


def _compared(round_: Round, reading: Reading, walk: Walk) -> Reading:
    if walk["shas"] or walk["page"] is not None:
        return reading.model_copy(update={"walk": walk})
    return _ended(reading, round_, str(walk["since"]), _text(walk["head"]))


def _without_history(reading: Reading, observed: str) -> Reading:
    """The reading of a branch whose former commits are gone."""
    gone = Reread(since=reading.since, observed=observed)
    return reading.model_copy(update={"anew": gone, "mark": None})


# --- numbered pages ------------------------------------------------------------------------------


def _take_comments(kind: Literal["issue", "review"]) -> Callable[[Source, Round, Reading], Taken]:
    """The first changed first, so that what changes meanwhile comes later, at another place.

    What follows a full page is asked for by its last time, not by number.
    """

    def take(source: Source, round_: Round, reading: Reading) -> Taken:
        walk = _walk(reading)
        stop, number = _time(walk["stop"]), int(str(walk["page"]))
        found = source.github.comments(source.told.repo_name, kind, stop, number)
        rows = tuple(events.of_comments(source.told, kind, found))
        if len(found) < FULL_PAGE:
            return Taken(rows, _ended(reading, round_, str(walk["since"])))
        last = found[-1].updated_at
        on: Walk = {"stop": iso(last), "page": 1} if last > stop else {"page": number + 1}
        return Taken(rows, reading.model_copy(update={"walk": {**walk, **on}}))

    return take


def _take_commit_comments(source: Source, round_: Round, reading: Reading) -> Taken:
    """Oldest first. The last full page is where the next walk begins."""
    walk = _walk(reading)
    stop, number = _time(walk["stop"]), int(str(walk["page"]))
    found = source.github.commit_comments(source.told.repo_name, number)
    new = (one for one in found if one.updated_at >= stop)
    rows = tuple(events.of_comments(source.told, "commit", new))
    if len(found) < FULL_PAGE:
        return Taken(rows, _ended(reading, round_, str(walk["since"])))
    on = {"walk": {**walk, "page": number + 1}, "mark": str(number)}
    return Taken(rows, reading.model_copy(update=on))


def _take_releases(source: Source, round_: Round, reading: Reading) -> Taken:
    """By the age of their tags, so a page without anything new ends the walk, not a release."""
    walk = _walk(reading)
    stop, number = _time(walk["stop"]), int(str(walk["page"]))
    new = [
        release
        for release in source.github.releases(source.told.repo_name, number)
        if release.published_at >= stop
    ]
    rows = tuple(events.of_releases(source.told, new))
    if not new:
        return Taken(rows, _ended(reading, round_, str(walk["since"])))
    return Taken(rows, reading.model_copy(update={"walk": {**walk, "page": number + 1}}))


_TAKE: Mapping[Stream, Callable[[Source, Round, Reading], Taken]] = {
    Stream.PULLS: _take_pulls,
    Stream.ISSUES: _take_issues,
    Stream.COMMITS: _take_commits,
    Stream.REVIEW_COMMENTS: _take_comments("review"),
    Stream.COMMENTS: _take_comments("issue"),
    Stream.COMMIT_COMMENTS: _take_commit_comments,
    Stream.RELEASES: _take_releases,
}


# --- how ------------------------------------------------------------------------------------


def _walk(reading: Reading) -> Walk:
    assert reading.walk is not None  # noqa: S101 - only a walk under way is gone on with
    return reading.walk


def _texts(value: JsonValue) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _text(value: JsonValue) -> str | None:
    return None if value is None else str(value)


def _time(value: JsonValue) -> datetime:
    return parse_time(str(value))
