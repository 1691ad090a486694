"""How the oracle reads archive lines. See ``tests/support/oracle.py``."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

BEGINNING = datetime(2015, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Event:
    """What the rules look at in one archive row. None: the row does not say."""

    id: str
    type: str
    created_at: datetime
    repo_id: int
    actor_id: int
    action: str | None = None
    number: int | None = None
    object_id: int | None = None
    author_id: int | None = None
    merged: bool | None = None
    additions: int | None = None
    deletions: int | None = None
    distinct_size: int | None = None
    listed_distinct: int | None = None

    @property
    def moment(self) -> tuple[datetime, str]:
        """Earlier is smaller; at the same time the smaller id as text."""
        return (self.created_at, self.id)

    @property
    def facts(self) -> tuple[object, ...]:
        return (
            *(self.action, self.number, self.object_id, self.author_id, self.merged),
            *(self.additions, self.deletions, self.distinct_size, self.listed_distinct),
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """The events of some lines, and how many lines held none."""

    events: tuple[Event, ...]
    broken: int
    refused: int


def read_file(path: Path) -> Reading:
    """Read JSON lines, gzipped where the name ends in ``.gz``."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
        return read_events(lines)


def read_events(lines: Iterable[bytes]) -> Reading:
    """Read archive lines. Blank ones are ignored, bad ones and old ones counted."""
    events: list[Event] = []
    broken = refused = 0
    for line in lines:
        if not line.strip():
            continue
        row = _parse(line)
        if row is None:
            broken += 1
        elif not isinstance(row.get("repo"), dict) or isinstance(row.get("actor"), str):
            refused += 1
        elif (event := _event(row)) is None:
            broken += 1
        elif event.created_at < BEGINNING:
            refused += 1
        else:
            events.append(event)
    return Reading(tuple(events), broken, refused)


def _parse(text: bytes | str) -> dict[str, Any] | None:
    try:
        row = json.loads(
            text.decode() if isinstance(text, bytes) else text, parse_constant=_no_constant
        )
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_OBJECT_ID = {
    "PushEvent": "push_id",
    "PullRequestReviewEvent": "review.id",
    "PullRequestReviewCommentEvent": "comment.id",
    "IssueCommentEvent": "comment.id",
    "CommitCommentEvent": "comment.id",
    "ReleaseEvent": "release.id",
}


def _event(row: dict[str, Any]) -> Event | None:
    created_at, repo_id = _time(row.get("created_at")), _whole(_at(row, "repo.id"))
    event_id, event_type, actor_id = row.get("id"), row.get("type"), _whole(_at(row, "actor.id"))
    if created_at is None or repo_id is None or actor_id is None:
        return None
    if not isinstance(event_id, str | int) or not isinstance(event_type, str):
        return None
    payload = row.get("payload")
    if isinstance(payload, str):  # the archive's tables hold the payload as text
        payload = _parse(payload)
    known = _facts(payload, event_type) if isinstance(payload, dict) else {}
    return Event(str(event_id), event_type, created_at, repo_id, actor_id, **known)


def _facts(payload: dict[str, Any], event_type: str) -> dict[str, Any]:
    action, commits = payload.get("action"), payload.get("commits")
    merged = _at(payload, "pull_request.merged")
    return {
        "action": action if isinstance(action, str) else None,
        "number": _first(payload, "number", "pull_request.number", "issue.number"),
        "object_id": _first(payload, _OBJECT_ID.get(event_type, "")),
        "author_id": _first(payload, "pull_request.user.id", "issue.user.id"),
        "merged": merged if isinstance(merged, bool) else None,
        "additions": _first(payload, "pull_request.additions"),
        "deletions": _first(payload, "pull_request.deletions"),
        "distinct_size": _first(payload, "distinct_size"),
        "listed_distinct": sum(isinstance(c, dict) and c.get("distinct") is True for c in commits)
        if isinstance(commits, list)
        else None,
    }


def _at(value: Any, path: str) -> Any:
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _first(payload: dict[str, Any], *paths: str) -> int | None:
    numbers = (_whole(_at(payload, path)) for path in paths)
    return next((number for number in numbers if number is not None), None)


def _whole(value: object) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _time(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def as_of(events: Iterable[Event]) -> datetime:
    """The end of the hour of the last event of any kind."""
    last = max(event.created_at for event in events)
    return last.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
