"""What GitHub tells, as rows: the table of docs/decisions/second-source.md, line by line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from shared import github_events as events
from shared.github import (
    Actor,
    Close,
    Comment,
    Commit,
    CommitAuthor,
    Issue,
    Pull,
    Release,
    Review,
)
from shared.github_events import EVENT_TYPES, Row, Telling
from shared.mails import mail_digest
from shared.sync_state import Stream
from tests.support.fake_github import ANA, BEN, CLEO

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECRET = "sixteen characters"
TOLD = Telling(1, "octo/engine", AT + 50 * HOUR, SECRET)
EVERY = {
    "repo_id": 1,
    "repo_name": "octo/engine",
    "observed_at": AT + 50 * HOUR,
}


def rows(found: Iterable[Row]) -> list[dict[str, object]]:
    """The rows as the warehouse gets them, without what is null or the same in all."""
    batch = events.batch(found).to_pylist()
    assert all(row.items() >= EVERY.items() for row in batch)
    return [
        {name: value for name, value in row.items() if value is not None and name not in EVERY}
        for row in batch
    ]


def actor(account: Actor, role: str = "actor") -> dict[str, object]:
    return {f"{role}_id": account.id, f"{role}_login": account.login, f"{role}_type": account.type}


def test_a_pull_request_is_opened_reviewed_and_merged() -> None:
    review = Review(70, CLEO, "CHANGES_REQUESTED", AT + HOUR)
    pull = Pull(
        7, ANA, AT, AT + 9 * HOUR, AT + 2 * HOUR, BEN, 40, 5, (BEN, CLEO), (review,), "more"
    )
    about = {"number": 7, **actor(ANA, "author")}
    assignees = json.dumps(
        [{"id": one.id, "login": one.login, "type": one.type} for one in (BEN, CLEO)],
        separators=(",", ":"),
    )
    assert rows(events.of_pulls(TOLD, [pull])) == [
        {
            "event_id": "pull-7-opened", "event_type": "PullRequestEvent", "action": "opened",
            "created_at": AT, **actor(ANA), **about, "assignees": assignees,
        },
        {
            "event_id": "pull-7-merged", "event_type": "PullRequestEvent", "action": "merged",
            "created_at": AT + 2 * HOUR, **actor(BEN), **about, "assignees": assignees,
            "merged": True, "additions": 40, "deletions": 5,
        },
        {
            "event_id": "review-70", "event_type": "PullRequestReviewEvent", "action": "created",
            "created_at": AT + HOUR, **actor(CLEO), **about, "object_id": 70,
            "review_state": "changes_requested",
        },
    ]  # fmt: skip


def test_a_further_review_names_the_number() -> None:
    (row,) = rows(events.of_reviews(TOLD, 7, [Review(71, BEN, "APPROVED", AT)]))
    assert row == {
        "event_id": "review-71", "event_type": "PullRequestReviewEvent", "action": "created",
        "created_at": AT, **actor(BEN), "number": 7, "object_id": 71, "review_state": "approved",
    }  # fmt: skip


def test_each_closing_of_an_issue_is_an_event() -> None:
    issue = Issue(8, CLEO, AT, AT, (Close(ANA, AT + HOUR), Close(None, AT + 2 * HOUR)))
    about = {"event_type": "IssuesEvent", "number": 8, **actor(CLEO, "author")}
    assert rows(events.of_issues(TOLD, [issue])) == [
        {"event_id": "issue-8-opened", "action": "opened", "created_at": AT, **actor(CLEO)} | about,
        {
            "event_id": "issue-8-closed-1772370000000000", "action": "closed",
            "created_at": AT + HOUR, **actor(ANA),
        } | about,
        {
            "event_id": "issue-8-closed-1772373600000000", "action": "closed",
            "created_at": AT + 2 * HOUR,
        } | about,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "event_type", "event_id"),
    [
        ("issue", "IssueCommentEvent", "comment-5"),
        ("review", "PullRequestReviewCommentEvent", "review-comment-5"),
        ("commit", "CommitCommentEvent", "commit-comment-5"),
    ],
)
def test_a_comment_says_on_what_it_is(kind: str, event_type: str, event_id: str) -> None:
    on_commit = kind == "commit"
    comment = Comment(5, BEN, AT, AT, None if on_commit else 7, "abc" if on_commit else None)
    (row,) = rows(events.of_comments(TOLD, kind, [comment]))  # type: ignore[arg-type]
    assert row == {
        "event_id": event_id, "event_type": event_type, "action": "created", "created_at": AT,
        **actor(BEN), "object_id": 5, **({"head": "abc"} if on_commit else {"number": 7}),
    }  # fmt: skip


def test_a_release_has_its_tag() -> None:
    (row,) = rows(events.of_releases(TOLD, [Release(6, ANA, "v1", AT)]))
    assert row == {
        "event_id": "release-6", "event_type": "ReleaseEvent", "action": "published",
        "created_at": AT, **actor(ANA), "object_id": 6, "ref": "v1",
    }  # fmt: skip


def test_a_commit_keeps_accounts_and_hashes_and_neither_names_nor_addresses() -> None:
    authors = (
        CommitAuthor(ANA, "Ana Maria", " Ana@Example.org"),
        CommitAuthor(None, "Claude", "noreply@anthropic.com"),
        CommitAuthor(CLEO, "Cleo", ""),
    )
    (row,) = rows(events.of_commits(TOLD, [Commit("abc", AT, 2, 7, 3, authors)]))
    others = json.loads(str(row.pop("co_authors")))
    assert row == {
        "event_id": "commit-abc", "event_type": "Commit", "created_at": AT, "head": "abc",
        "parents": 2, "additions": 7, "deletions": 3, **actor(ANA), **actor(ANA, "author"),
        "author_mail": mail_digest(SECRET, "ana@example.org"),
    }  # fmt: skip
    claude = mail_digest(SECRET, "noreply@anthropic.com")
    assert others == [
        {"id": None, "login": None, "type": None, "mail": claude},
        {"id": 3, "login": "cleo", "type": "User", "mail": None},
    ]
    told = str(row) + str(others)
    assert not [word for word in ("Maria", "xample.org", "Claude", "noreply") if word in told]
    assert SECRET not in repr(TOLD)


def test_an_author_without_an_account_and_deleted_people_are_nobody() -> None:
    unknown = Commit("abc", AT, 1, 0, 0, (CommitAuthor(None, "x", "x@example.org"),))
    (commit,) = rows(events.of_commits(TOLD, [unknown]))
    assert not {"actor_id", "author_id", "co_authors"} & commit.keys()
    assert commit["author_mail"] == mail_digest(SECRET, "x@example.org")
    (bare,) = rows(events.of_commits(TOLD, [Commit("def", AT, 1, 0, 0, ())]))
    assert not {"actor_id", "author_mail"} & bare.keys()
    pull = Pull(7, None, AT, AT, AT, None, 1, 1, (), (Review(1, None, "APPROVED", AT),), None)
    for row in rows(events.of_pulls(TOLD, [pull])):
        assert not {"actor_id", "author_id", "assignees"} & row.keys()


def test_every_list_becomes_events_of_its_own_types() -> None:
    assert EVENT_TYPES.keys() == {stream.value for stream in Stream}
    types = [type_ for types in EVENT_TYPES.values() for type_ in types]
    assert len(types) == len(set(types)) == 8
