"""What GitHub tells, as rows of the warehouse: slim events of the archive's form.

Pure. Which answer becomes which event stands in docs/decisions/second-source.md. Addresses of
commits leave this module as HMACs only, and names that commits give to people not at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import pyarrow as pa

from shared.github import Actor, Comment, Commit, CommitAuthor, Issue, Pull, Release, Review
from shared.mails import mail_digest
from shared.statements import micros
from shared.tables import GITHUB_EVENTS, arrow_schema

Row = Mapping[str, object]
"""Values of some columns of ``GITHUB_EVENTS``; the others are null."""

SCHEMA = arrow_schema(GITHUB_EVENTS)


@dataclass(frozen=True, slots=True)
class Telling:
    """Of which repository GitHub tells, and when it was asked."""

    repo_id: int
    repo_name: str
    observed_at: datetime
    mail_secret: str = field(repr=False)


def batch(rows: Iterable[Row]) -> pa.RecordBatch:
    """The rows as the warehouse takes them."""
    return pa.RecordBatch.from_pylist([dict(row) for row in rows], SCHEMA)


def of_pulls(told: Telling, pulls: Iterable[Pull]) -> Iterator[Row]:
    """Opened, merged, and the reviews that came along."""
    for pull in pulls:
        about = {"number": pull.number, **_author(pull.author)}
        assignees = {"assignees": _listed(_named(one) for one in pull.assignees)}
        yield _row(
            told, "PullRequestEvent", "opened", f"pull-{pull.number}-opened", pull.created_at,
            pull.author, **about, **assignees,
        )  # fmt: skip
        if pull.merged_at is not None:
            yield _row(
                told, "PullRequestEvent", "merged", f"pull-{pull.number}-merged", pull.merged_at,
                pull.merged_by, **about, **assignees,
                merged=True, additions=pull.additions, deletions=pull.deletions,
            )  # fmt: skip
        yield from _of_reviews(told, about, pull.reviews)


def of_reviews(told: Telling, number: int, reviews: Iterable[Review]) -> Iterator[Row]:
    """Further reviews of a pull request, whose own row says by whom that is."""
    return _of_reviews(told, {"number": number}, reviews)


def of_issues(told: Telling, issues: Iterable[Issue]) -> Iterator[Row]:
    """Opened, and each closing."""
    for issue in issues:
        about = {"number": issue.number, **_author(issue.author)}
        yield _row(
            told, "IssuesEvent", "opened", f"issue-{issue.number}-opened", issue.created_at,
            issue.author, **about,
        )  # fmt: skip
        for close in issue.closes:
            id_ = f"issue-{issue.number}-closed-{micros(close.at)}"
            yield _row(told, "IssuesEvent", "closed", id_, close.at, close.actor, **about)


def of_comments(
    told: Telling, kind: Literal["issue", "review", "commit"], comments: Iterable[Comment]
) -> Iterator[Row]:
    """Comments on issues and pull requests, on their lines, or on commits."""
    event_type, prefix = _COMMENTS[kind]
    for one in comments:
        yield _row(
            told, event_type, "created", f"{prefix}-{one.id}", one.created_at, one.author,
            number=one.number, object_id=one.id, head=one.sha,
        )  # fmt: skip


def of_releases(told: Telling, releases: Iterable[Release]) -> Iterator[Row]:
    """Published releases."""
    for one in releases:
        yield _row(
            told, "ReleaseEvent", "published", f"release-{one.id}", one.published_at, one.author,
            object_id=one.id, ref=one.tag,
        )  # fmt: skip


def of_commits(told: Telling, commits: Iterable[Commit]) -> Iterator[Row]:
    """Commits of the default branch, credited to git's author, with the co-authors beside."""
    for commit in commits:
        author, *others = commit.authors or (None,)
        account = None if author is None else author.account
        yield _row(
            told, "Commit", None, f"commit-{commit.sha}", commit.committed_at, account,
            **_author(account),
            head=commit.sha, parents=commit.parents,
            additions=commit.additions, deletions=commit.deletions,
            author_mail=None if author is None else _hashed(told, author),
            co_authors=_listed(
                {**_named(one.account), "mail": _hashed(told, one)} for one in others if one
            ),
        )  # fmt: skip


EVENT_TYPES: Mapping[str, tuple[str, ...]] = {
    "pulls": ("PullRequestEvent", "PullRequestReviewEvent"),
    "issues": ("IssuesEvent",),
    "commits": ("Commit",),
    "review_comments": ("PullRequestReviewCommentEvent",),
    "comments": ("IssueCommentEvent",),
    "commit_comments": ("CommitCommentEvent",),
    "releases": ("ReleaseEvent",),
}
"""What each of GitHub's lists becomes (``shared.sync_state.Stream``)."""

_COMMENTS = {
    "issue": ("IssueCommentEvent", "comment"),
    "review": ("PullRequestReviewCommentEvent", "review-comment"),
    "commit": ("CommitCommentEvent", "commit-comment"),
}


def _of_reviews(
    told: Telling, about: Mapping[str, object], reviews: Iterable[Review]
) -> Iterator[Row]:
    for one in reviews:
        yield _row(
            told, "PullRequestReviewEvent", "created", f"review-{one.id}", one.submitted_at,
            one.author, **about, object_id=one.id, review_state=one.state.lower(),
        )  # fmt: skip


def _row(
    told: Telling,
    event_type: str,
    action: str | None,
    event_id: str,
    at: datetime,
    actor: Actor | None,
    **columns: object,
) -> Row:
    return {
        "event_id": event_id,
        "event_type": event_type,
        "action": action,
        "created_at": at,
        "repo_id": told.repo_id,
        "repo_name": told.repo_name,
        "observed_at": told.observed_at,
        **_account(actor, "actor"),
        **columns,
    }


def _account(account: Actor | None, role: str) -> dict[str, object]:
    if account is None:
        return {}
    return {f"{role}_{name}": value for name, value in _named(account).items()}


def _author(account: Actor | None) -> dict[str, object]:
    return _account(account, "author")


def _named(account: Actor | None) -> dict[str, object]:
    if account is None:
        return {"id": None, "login": None, "type": None}
    return {"id": account.id, "login": account.login, "type": account.type}


def _hashed(told: Telling, author: CommitAuthor) -> str | None:
    return mail_digest(told.mail_secret, author.mail) if author.mail.strip() else None


def _listed(entries: Iterable[Mapping[str, object]]) -> str | None:
    """A JSON list, null where there is nothing in it."""
    found = list(entries)
    return json.dumps(found, separators=(",", ":")) if found else None
