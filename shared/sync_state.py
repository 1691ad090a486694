"""How far GitHub's lists of a repository were read: one document a repository, ``github/<id>``.

Read by what decides which source counts (``shared/authority.py``) and by the steps that read on.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from shared.models import Kind, parse_time
from shared.ports import Document, Write


class Stream(StrEnum):
    """The lists that are read of a repository, each by its own cursor."""

    PULLS = "pulls"
    ISSUES = "issues"
    COMMITS = "commits"
    REVIEW_COMMENTS = "review_comments"
    COMMENTS = "comments"
    COMMIT_COMMENTS = "commit_comments"
    RELEASES = "releases"


STREAMS_OF: Mapping[Kind, tuple[Stream, ...]] = {
    Kind.COMMIT: (Stream.COMMITS,),
    Kind.PR_OPENED: (Stream.PULLS,),
    Kind.PR_MERGED: (Stream.PULLS,),
    Kind.PR_REVIEWED: (Stream.PULLS,),
    Kind.PR_REVIEW_COMMENT: (Stream.REVIEW_COMMENTS,),
    Kind.ISSUE_OPENED: (Stream.ISSUES,),
    Kind.ISSUE_CLOSED: (Stream.ISSUES,),
    Kind.COMMENT: (Stream.COMMENTS, Stream.COMMIT_COMMENTS),
    Kind.RELEASE: (Stream.RELEASES,),
    Kind.LINES_ADDED: (Stream.PULLS,),
    Kind.LINES_DELETED: (Stream.PULLS,),
}
"""The lists that must have been read before a kind is known."""


class Reread(BaseModel):
    """A list that was known before was read anew, back to ``since``, from ``observed`` on.

    What of it happened later than ``since`` and was observed before that is gone from GitHub.
    """

    model_config = ConfigDict(frozen=True)

    since: str
    observed: str


class Reading(BaseModel):
    """How far one list was read. Times are RFC 3339 texts in UTC.

    Everything that happened in [``since``, ``through``) is known once ``through`` is set; it is
    None until the first walk through the list has ended. ``walk`` is where the walk under way
    stands, None between walks; what it means is the stream's own, like ``mark``, which the stream
    remembers between walks. ``anew`` holds until what is gone has been taken out of the warehouse.
    """

    model_config = ConfigDict(frozen=True)

    since: str
    through: str | None = None
    walk: dict[str, JsonValue] | None = None
    mark: str | None = None
    anew: Reread | None = None


class Seen(BaseModel):
    """What a repository looked like: while none of it changes, its lists have nothing new."""

    model_config = ConfigDict(frozen=True)

    head: str | None
    pulls_changed_at: str | None
    issues_changed_at: str | None
    released_at: str | None
    commit_comments: int


class Round(BaseModel):
    """One reading of all lists that may have something new, for the ``job`` that began it.

    ``since`` is how far back a list is read that was not read before. ``restarts`` counts the
    cursors that GitHub did not take any more.
    """

    model_config = ConfigDict(frozen=True)

    job: str
    began_at: str
    since: str
    full: bool
    seen: Seen
    restarts: int = 0


class SyncState(BaseModel):
    """Where the reading of a repository stands.

    What was read since the last unit was written lies in ``pages`` documents
    (``shared/github_pages.py``). ``held`` are the units in the warehouse, ``obsolete`` those to be
    removed from it.
    """

    model_config = ConfigDict(frozen=True)

    repo_id: int
    node_id: str
    number: int
    """Of the registration that it belongs to: who is registered anew is read anew."""
    name: str = ""
    """What GitHub calls it now."""
    units: int = 0
    """How many units were ever written; the next bears this number."""
    held: tuple[str, ...] = ()
    obsolete: tuple[str, ...] = ()
    pages: int = 0
    readings: dict[Stream, Reading] = Field(default_factory=dict)
    round: Round | None = None
    """The round under way."""
    seen: Seen | None = None
    """When all lists had last been read to their end."""
    finished: str | None = None
    """The job whose round ended last."""

    def known(self, kind: Kind) -> tuple[datetime, datetime] | None:
        """The span [from, until) in which all of a kind is known, None if there is none."""
        spans: list[tuple[str, str]] = []
        for stream in STREAMS_OF[kind]:
            reading = self.readings.get(stream)
            if reading is None or reading.through is None:
                return None
            spans.append((reading.since, reading.through))
        since, through = max(s for s, _ in spans), min(t for _, t in spans)
        return (parse_time(since), parse_time(through)) if since < through else None


def path(repo_id: int) -> str:
    """Where the state of a repository is stored."""
    return f"github/{repo_id}"


def stored(state: SyncState) -> Write:
    return Write(path(state.repo_id), state.model_dump(mode="json"))


def read(document: Document) -> SyncState:
    return SyncState.model_validate(document.fields)
