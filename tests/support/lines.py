"""Small builders of archive rows, shaped like the real ones.

Each returns one row as a dict. ``at`` is the text of ``created_at``, ``by`` the actor. A *stub* is
a row as GitHub sends it since October 2025: its pull request names no user, merge or lines.
"""

from __future__ import annotations

import copy
import gzip
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.support.shapes import Line as Line
from tests.support.shapes import Repo as Repo
from tests.support.shapes import User as User
from tests.support.shapes import account_shape, full_shape, issue_shape, stub_shape

ANA = User(11, "ana")
BEN = User(12, "ben")
CLEO = User(13, "cleo")
DEPENDABOT = User(49699333, "dependabot[bot]", "Bot")
COPILOT = User(198982749, "Copilot", "Bot")
ENGINE = Repo(101, "octo/engine")
WHEELS = Repo(102, "octo/wheels")


def day(number: int, clock: str = "12:00:00") -> str:
    """A time in March 2025, as an archive row writes it."""
    return f"2025-03-{number:02}T{clock}Z"


def event(kind: str, id_: int, at: str, by: User, payload: Line, repo: Repo = ENGINE) -> Line:
    """A row of any type."""
    return {
        "id": str(id_),
        "type": kind,
        "actor": {
            "id": by.id,
            "login": by.login,
            "display_login": by.login.removesuffix("[bot]"),
            "gravatar_id": "",
            "url": f"https://api.github.com/users/{by.login}",
            "avatar_url": f"https://avatars.githubusercontent.com/u/{by.id}?",
        },
        "repo": {
            "id": repo.id,
            "name": repo.name,
            "url": f"https://api.github.com/repos/{repo.name}",
        },
        "payload": payload,
        "public": True,
        "created_at": at,
    }


def push(
    id_: int,
    at: str,
    by: User,
    *,
    push_id: int,
    distinct_size: int | None = None,
    listed: Sequence[bool] | None = None,
    repo: Repo = ENGINE,
) -> Line:
    """A push. ``listed`` says of each listed commit whether it is new; trimmed without either."""
    payload: Line = {
        "push_id": push_id,
        "ref": "refs/heads/main",
        "head": f"{push_id:040x}",
        "before": f"{push_id - 1:040x}",
    }
    if distinct_size is not None and listed is None:
        listed = [True] * min(max(distinct_size, 0), 20)
    if distinct_size is not None:
        payload |= {"size": distinct_size, "distinct_size": distinct_size}
    if listed is not None:
        payload["commits"] = [_commit(push_id, place, new) for place, new in enumerate(listed)]
    else:
        payload["repository_id"] = repo.id
    return event("PushEvent", id_, at, by, payload, repo)


def _commit(push_id: int, place: int, new: bool) -> Line:
    return {
        "sha": f"{push_id * 100 + place:040x}",
        "author": {"email": "4b5f0e@example.org", "name": "Somebody"},
        "message": "Change something",
        "distinct": new,
    }


def pull_request(
    id_: int,
    at: str,
    by: User,
    action: str,
    number: int,
    *,
    author: User | None,
    merged: bool = False,
    additions: int = 0,
    deletions: int = 0,
    repo: Repo = ENGINE,
) -> Line:
    """A PullRequestEvent in full. An author of None is a deleted account: ``"user": null``."""
    body = full_shape(number, author, repo) | {
        "state": "open" if action in {"opened", "reopened"} else "closed",
        "merged": merged,
        "merged_at": at if merged else None,
        "merged_by": account_shape(by) if merged else None,
        "additions": additions,
        "deletions": deletions,
        "changed_files": 1,
        "commits": 1,
    }
    payload = {"action": action, "number": number, "pull_request": body}
    return event("PullRequestEvent", id_, at, by, payload, repo)


def pr_opened(id_: int, at: str, by: User, number: int, *, repo: Repo = ENGINE) -> Line:
    """A pull request opened by its author, in full."""
    return pull_request(id_, at, by, "opened", number, author=by, repo=repo)


def pr_merged(
    id_: int,
    at: str,
    by: User,
    number: int,
    *,
    author: User | None,
    additions: int = 0,
    deletions: int = 0,
    repo: Repo = ENGINE,
) -> Line:
    """A merge in full: ``closed`` with ``merged`` true. ``by`` is the merger."""
    return pull_request(
        *(id_, at, by, "closed", number),
        author=author,
        merged=True,
        additions=additions,
        deletions=deletions,
        repo=repo,
    )


def pr_stub(id_: int, at: str, by: User, action: str, number: int, *, repo: Repo = ENGINE) -> Line:
    """A PullRequestEvent as it is since October 2025; a merge has the action ``merged``."""
    payload = {"action": action, "number": number, "pull_request": stub_shape(number, repo)}
    return event("PullRequestEvent", id_, at, by, payload, repo)


def review(
    id_: int,
    at: str,
    by: User,
    number: int,
    *,
    review_id: int,
    author: User | None = None,
    action: str | None = "created",
    repo: Repo = ENGINE,
) -> Line:
    """A review. ``author`` is the pull request's; None makes its pull request a stub."""
    payload = {
        "action": action,
        "review": {"id": review_id, "user": account_shape(by), "state": "commented", "body": None},
        "pull_request": full_shape(number, author, repo) if author else stub_shape(number, repo),
    }
    return event("PullRequestReviewEvent", id_, at, by, payload, repo)


def review_comment(
    id_: int,
    at: str,
    by: User,
    number: int,
    *,
    comment_id: int,
    author: User | None = None,
    action: str | None = "created",
    repo: Repo = ENGINE,
) -> Line:
    """A comment on a line of a pull request. ``author`` as in ``review``."""
    payload = {
        "action": action,
        "comment": {"id": comment_id, "user": account_shape(by), "path": "a.py", "body": "Why?"},
        "pull_request": full_shape(number, author, repo) if author else stub_shape(number, repo),
    }
    return event("PullRequestReviewCommentEvent", id_, at, by, payload, repo)


def issue(
    id_: int,
    at: str,
    by: User,
    action: str,
    number: int,
    *,
    author: User | None,
    repo: Repo = ENGINE,
) -> Line:
    """An issue opened, closed, reopened. ``author`` opened it; None is a deleted account."""
    payload = {"action": action, "issue": issue_shape(number, author, repo)}
    return event("IssuesEvent", id_, at, by, payload, repo)


def issue_comment(
    id_: int,
    at: str,
    by: User,
    number: int,
    *,
    comment_id: int,
    author: User | None,
    action: str | None = "created",
    on_pull_request: bool = False,
    repo: Repo = ENGINE,
) -> Line:
    """A comment on an issue or in a pull request's conversation, opened by ``author``."""
    subject = issue_shape(number, author, repo)
    if on_pull_request:
        subject["pull_request"] = {
            "url": f"https://api.github.com/repos/{repo.name}/pulls/{number}"
        }
    comment = {"id": comment_id, "user": account_shape(by), "body": "Thanks!"}
    payload = {"action": action, "issue": subject, "comment": comment}
    return event("IssueCommentEvent", id_, at, by, payload, repo)


def commit_comment(id_: int, at: str, by: User, *, comment_id: int, repo: Repo = ENGINE) -> Line:
    """A comment on a commit; the archive gives it no action."""
    comment = {"id": comment_id, "user": account_shape(by), "commit_id": "0" * 40, "body": "Nice."}
    return event("CommitCommentEvent", id_, at, by, {"comment": comment}, repo)


def release(
    id_: int,
    at: str,
    by: User,
    *,
    release_id: int,
    action: str = "published",
    repo: Repo = ENGINE,
) -> Line:
    """A release."""
    body = {"id": release_id, "tag_name": "v1.0.0", "draft": False, "author": account_shape(by)}
    return event("ReleaseEvent", id_, at, by, {"action": action, "release": body}, repo)


def watch(id_: int, at: str, by: User, *, repo: Repo = ENGINE) -> Line:
    """A star, which scores nothing."""
    return event("WatchEvent", id_, at, by, {"action": "started"}, repo)


def changed(line: Line, path: str, value: object) -> Line:
    """The same row with the value at a dotted path replaced."""
    result = copy.deepcopy(line)
    *parents, last = path.split(".")
    _walk(result, parents)[last] = value
    return result


def without(line: Line, path: str) -> Line:
    """The same row without what stands at a dotted path."""
    result = copy.deepcopy(line)
    *parents, last = path.split(".")
    del _walk(result, parents)[last]
    return result


def encode(lines: Iterable[Line]) -> bytes:
    """The rows as the archive writes them: one JSON object a line."""
    return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)


def write_gz(path: Path, lines: Iterable[Line]) -> None:
    """Write an archive file; the same rows give the same bytes."""
    path.write_bytes(gzip.compress(encode(lines), mtime=0))


def _walk(line: Line, parents: Sequence[str]) -> Line:
    for key in parents:
        line = line[key]
    return line
