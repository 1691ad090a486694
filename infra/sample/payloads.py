"""What GitHub tells about an event: in full, or as the stubs that came in October 2025.

The shapes follow GH Archive's rows, with the members that a reader might look at.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infra.sample.cast import MERGED_ACTION, TRIMMED, Account, Repository

Payload = dict[str, Any]


@dataclass(slots=True)
class Pull:
    """A pull request as it stands."""

    repository: Repository
    number: int
    id: int
    author: Account
    title: str
    branch: str
    created_at: datetime
    commits: int
    additions: int
    deletions: int
    comments: int = 0
    closed_at: datetime | None = None
    merged_by: Account | None = None


@dataclass(slots=True)
class Issue:
    """An issue as it stands."""

    repository: Repository
    number: int
    id: int
    author: Account
    title: str
    created_at: datetime
    comments: int = 0
    closed_at: datetime | None = None


def sha(*parts: object) -> str:
    """Forty hex digits. Eight of them repeated: real ones would not compress."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:8] * 5


def stamp(moment: datetime | None) -> str | None:
    """A time as GitHub writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def user(account: Account, at: datetime) -> Payload:
    """An account as it is named inside payloads."""
    return {"login": account.login_at(at), "id": account.id, "type": account.type}


def _api(repository: Repository, at: datetime) -> str:
    return f"https://api.github.com/repos/{repository.name_at(at)}"


def _pull_stub(pull: Pull, at: datetime) -> Payload:
    home = {"id": pull.repository.id, "name": pull.repository.name_at(at).split("/")[1]}
    return {
        "url": f"{_api(pull.repository, at)}/pulls/{pull.number}",
        "id": pull.id,
        "number": pull.number,
        "head": {"ref": pull.branch, "sha": sha(pull.id, "head"), "repo": home},
        "base": {"ref": "main", "sha": sha(pull.number // 8, "base"), "repo": home},
    }


def _pull(pull: Pull, at: datetime, *, whole: bool) -> Payload:
    """A pull request; only its own events tell of it ``whole``."""
    stub = _pull_stub(pull, at)
    if at >= TRIMMED:
        return stub
    told: Payload = {
        **stub,
        "state": "closed" if pull.closed_at else "open",
        "title": pull.title,
        "user": user(pull.author, at),
        "body": f"{pull.title}, step by step.",
        "created_at": stamp(pull.created_at),
        "updated_at": stamp(at),
        "closed_at": stamp(pull.closed_at),
        "merged_at": stamp(pull.closed_at) if pull.merged_by else None,
    }
    if whole:
        told |= {
            "merged": pull.merged_by is not None,
            "merged_by": user(pull.merged_by, at) if pull.merged_by else None,
            "comments": pull.comments,
            "commits": pull.commits,
            "additions": pull.additions,
            "deletions": pull.deletions,
        }
    return told


def pull_request(pull: Pull, action: str, at: datetime) -> Payload:
    """A PullRequestEvent. ``action`` closed becomes merged where GitHub says so."""
    if action == "closed" and pull.merged_by and at >= MERGED_ACTION:
        action = "merged"
    return {
        "action": action,
        "number": pull.number,
        "pull_request": _pull(pull, at, whole=True),
    }


def review(pull: Pull, reviewer: Account, review_id: int, state: str, at: datetime) -> Payload:
    """A PullRequestReviewEvent."""
    told: Payload = {
        "id": review_id,
        "user": user(reviewer, at),
        "body": None,
        "commit_id": sha(pull.id, "head"),
        "submitted_at": stamp(at),
        "state": state,
    }
    return {"action": "created", "review": told, "pull_request": _pull(pull, at, whole=False)}


def review_comment(
    pull: Pull, author: Account, comment_id: int, review_id: int, body: str, at: datetime
) -> Payload:
    """A PullRequestReviewCommentEvent."""
    comment: Payload = {
        "id": comment_id,
        "pull_request_review_id": review_id,
        "path": f"src/{pull.branch.rsplit('/', 1)[-1]}.py",
        "commit_id": sha(pull.id, "head"),
        "user": user(author, at),
        "body": body,
        "created_at": stamp(at),
    }
    return {"action": "created", "comment": comment, "pull_request": _pull(pull, at, whole=False)}


def _issue(issue: Issue | Pull, at: datetime) -> Payload:
    told: Payload = {
        "url": f"{_api(issue.repository, at)}/issues/{issue.number}",
        "id": issue.id,
        "number": issue.number,
        "title": issue.title,
        "user": user(issue.author, at),
        "state": "closed" if issue.closed_at else "open",
        "comments": issue.comments,
        "created_at": stamp(issue.created_at),
        "updated_at": stamp(at),
        "closed_at": stamp(issue.closed_at),
    }
    if isinstance(issue, Pull):
        told["pull_request"] = {"url": f"{_api(issue.repository, at)}/pulls/{issue.number}"}
    return told


def issue_event(issue: Issue, action: str, at: datetime) -> Payload:
    """An IssuesEvent."""
    return {"action": action, "issue": _issue(issue, at)}


def issue_comment(
    issue: Issue | Pull, author: Account, comment_id: int, body: str, at: datetime
) -> Payload:
    """An IssueCommentEvent, of an issue or of a pull request's conversation."""
    comment = {
        "id": comment_id,
        "user": user(author, at),
        "created_at": stamp(at),
        "body": body,
    }
    return {"action": "created", "issue": _issue(issue, at), "comment": comment}


def commit_comment(author: Account, comment_id: int, head: str, body: str, at: datetime) -> Payload:
    """A CommitCommentEvent."""
    comment = {
        "id": comment_id,
        "user": user(author, at),
        "commit_id": head,
        "created_at": stamp(at),
        "body": body,
    }
    return {"action": "created", "comment": comment}


def push(
    repository: Repository, push_id: int, ref: str, messages: list[str], old: int, at: datetime
) -> Payload:
    """A PushEvent of new commits, one a message, after ``old`` ones that are elsewhere already."""
    head, before = sha(push_id, "head"), sha(push_id, "before")
    if at >= TRIMMED:
        told: Payload = {"repository_id": repository.id, "push_id": push_id, "ref": ref}
        return {**told, "head": head, "before": before}
    commits = [
        {"sha": sha(push_id, n), "message": message, "distinct": n >= old}
        for n, message in enumerate([*["Merge upstream"] * old, *messages])
    ]
    if commits:
        commits[-1]["sha"] = head
    return {
        "push_id": push_id,
        "size": len(commits),
        "distinct_size": len(messages),
        "ref": ref,
        "head": head,
        "before": before,
        "commits": commits[:20],
    }


def release(author: Account, release_id: int, tag: str, at: datetime) -> Payload:
    """A ReleaseEvent."""
    told = {
        "id": release_id,
        "tag_name": tag,
        "name": tag,
        "draft": False,
        "prerelease": "rc" in tag,
        "author": user(author, at),
        "published_at": stamp(at),
        "body": "See the changelog.",
    }
    return {"action": "published", "release": told}
