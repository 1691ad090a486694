"""Small builders of rows as GitHub tells them: docs/decisions/second-source.md.

``at`` is a time as ``lines.day`` writes it, ``by`` the account: None, it is deleted or unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.shapes import Repo, User

Row = dict[str, Any]
HOME = Repo(101, "octo/engine")
OBSERVED = datetime(2025, 4, 1, tzinfo=UTC)


def event(kind: str, id_: str, at: str, by: User | None, **values: object) -> Row:
    """A row of any type, observed on the first of April 2025 unless it is said."""
    return {
        "event_id": id_,
        "event_type": kind,
        "created_at": datetime.fromisoformat(at),
        "repo_id": HOME.id,
        "repo_name": HOME.name,
        "observed_at": OBSERVED,
        **_account("actor", by),
        **values,
    }


def commit(
    sha: str,
    at: str,
    by: User | None,
    *,
    parents: int = 1,
    mail: str | None = None,
    co_authors: Iterable[User | str] = (),
) -> Row:
    """``mail`` and co-authors that are text stand for hashed addresses."""
    others = [_named(each) for each in co_authors]
    return event(
        "Commit", f"commit-{sha}", at, by,
        head=sha, parents=parents, author_mail=mail, co_authors=json.dumps(others),
    )  # fmt: skip


def opened(number: int, at: str, by: User | None, *, assignees: Iterable[User] = ()) -> Row:
    return event(
        "PullRequestEvent", f"pull-{number}-opened", at, by, **_account("author", by),
        action="opened", number=number, assignees=json.dumps([_named(each) for each in assignees]),
    )  # fmt: skip


def merged(
    number: int,
    at: str,
    by: User | None,
    *,
    author: User | None,
    lines: tuple[int, int] = (0, 0),
    assignees: Iterable[User] = (),
) -> Row:
    return event(
        "PullRequestEvent", f"pull-{number}-merged", at, by, **_account("author", author),
        action="merged", number=number, merged=True, additions=lines[0], deletions=lines[1],
        assignees=json.dumps([_named(each) for each in assignees]),
    )  # fmt: skip


def reviewed(id_: int, at: str, by: User | None, number: int, author: User | None) -> Row:
    return event(
        "PullRequestReviewEvent", f"review-{id_}", at, by, **_account("author", author),
        action="created", number=number, object_id=id_,
    )  # fmt: skip


def issue(number: int, at: str, by: User | None) -> Row:
    return event(
        "IssuesEvent", f"issue-{number}-opened", at, by, **_account("author", by),
        action="opened", number=number,
    )  # fmt: skip


def closed(number: int, at: str, by: User | None) -> Row:
    moment = datetime.fromisoformat(at)
    micros = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return event(
        "IssuesEvent", f"issue-{number}-closed-{micros}", at, by, action="closed", number=number
    )


def commented(id_: int, at: str, by: User | None, number: int) -> Row:
    return event(
        "IssueCommentEvent", f"comment-{id_}", at, by,
        action="created", number=number, object_id=id_,
    )  # fmt: skip


def released(id_: int, at: str, by: User | None) -> Row:
    return event(
        "ReleaseEvent", f"release-{id_}", at, by, action="published", object_id=id_, ref=f"v{id_}"
    )


def _account(prefix: str, user: User | None) -> Row:
    if user is None:
        return {f"{prefix}_id": None, f"{prefix}_login": None, f"{prefix}_type": None}
    return {
        f"{prefix}_id": user.id,
        f"{prefix}_login": user.login,
        f"{prefix}_type": user.type,
    }


def _named(each: User | str) -> Row:
    if isinstance(each, str):
        return {"id": None, "login": None, "type": None, "mail": each}
    return {"id": each.id, "login": each.login, "type": each.type, "mail": f"mail of {each.login}"}
