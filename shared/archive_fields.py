"""What is unpacked from an archive row: one table, from which every reader is made.

Unpacking decides nothing. A column is the first of its JSON paths that holds a scalar, read as
its type; what does not fit its type is null, as SAFE_CAST would have it. From ``FIELDS`` come
BigQuery's extraction statement (``shared/sql/extract_events.sql``) and the embedded reader's
decoder (``infra/archive_decoder.py``); the tests hold the two against each other on real files.

A new column goes into ``FIELDS`` and raises ``EXTRACTION_VERSION``: tables scanned before it are
scanned again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EXTRACTION_VERSION = 1

TRACKED_TYPES = (
    "CommitCommentEvent",
    "IssueCommentEvent",
    "IssuesEvent",
    "PullRequestEvent",
    "PullRequestReviewCommentEvent",
    "PullRequestReviewEvent",
    "PushEvent",
    "ReleaseEvent",
)
"""Event types of which a rule makes contributions; the others are counted and left behind."""

ColumnType = Literal["STRING", "INT64", "BOOL", "TIMESTAMP"]


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a slim event: where it stands in an archive row, and as what it is read.

    ``row`` names a column of the archive table, ``payload`` the JSON paths to try in order.
    ``counts`` marks the one field that is no scalar: the number of entries of a JSON array whose
    member of that name is true (null where there is no array).
    """

    name: str
    type: ColumnType
    row: str | None = None
    payload: tuple[str, ...] = ()
    counts: str | None = None


FIELDS: tuple[Field, ...] = (
    Field("event_id", "STRING", row="id"),
    Field("event_type", "STRING", row="type"),
    Field("created_at", "TIMESTAMP", row="created_at"),
    Field("repo_id", "INT64", row="repo.id"),
    Field("repo_name", "STRING", row="repo.name"),
    Field("actor_id", "INT64", row="actor.id"),
    Field("actor_login", "STRING", row="actor.login"),
    Field("action", "STRING", payload=("action",)),
    Field("number", "INT64", payload=("number", "pull_request.number", "issue.number")),
    # The id of what the event is about: exactly one of these is there for a given type.
    Field("object_id", "INT64", payload=("review.id", "comment.id", "release.id", "push_id")),
    Field("author_id", "INT64", payload=("pull_request.user.id", "issue.user.id")),
    Field("author_login", "STRING", payload=("pull_request.user.login", "issue.user.login")),
    Field("author_type", "STRING", payload=("pull_request.user.type", "issue.user.type")),
    Field("actor_type", "STRING", payload=("comment.user.type", "review.user.type", "sender.type")),
    Field("merged", "BOOL", payload=("pull_request.merged",)),
    Field("additions", "INT64", payload=("pull_request.additions",)),
    Field("deletions", "INT64", payload=("pull_request.deletions",)),
    Field("review_state", "STRING", payload=("review.state",)),
    Field("push_distinct_size", "INT64", payload=("distinct_size",)),
    Field("push_listed_distinct", "INT64", payload=("commits",), counts="distinct"),
    Field("ref", "STRING", payload=("ref", "release.tag_name")),
    Field("head", "STRING", payload=("head", "comment.commit_id")),
)
"""The slim event, in column order."""
