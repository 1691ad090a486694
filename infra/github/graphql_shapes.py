"""GraphQL's answers as the field's terms. A shape that is not GitHub's raises RetryLater."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import structlog

from shared.errors import RetryLater
from shared.github import (
    Actor,
    Close,
    Commit,
    CommitAuthor,
    Issue,
    Page,
    Pull,
    RemoteRepository,
    RemoteState,
    Review,
)
from shared.models import parse_time

T = TypeVar("T")

Node = Mapping[str, Any]

_BOT = "[bot]"
_BOTS_MAIL = re.compile(r"(\d+)\+([^@]+\[bot\])@users\.noreply\.github\.com")

log = structlog.get_logger()


def page(connection: Node, read: Callable[[Node], T]) -> Page[T]:
    """A page of a connection. Items that GitHub kept back are left out."""
    info = connection["pageInfo"]
    items = tuple(map(read, present(connection["nodes"])))
    return Page(items, info["endCursor"] if info["hasNextPage"] else None)


def present(nodes: Sequence[Node | None] | None) -> list[Node]:
    """The items that GitHub gave: in place of others it puts null."""
    given = [node for node in nodes or () if node]
    if nodes is not None and len(given) < len(nodes):
        log.warning("github_items_skipped", skipped=len(nodes) - len(given), of=len(nodes))
    return given


def state(node: Node) -> RemoteState:
    branch = node["defaultBranchRef"]
    released = [node["latestRelease"], *present(node["releases"]["nodes"])]
    times = [time(each["publishedAt"]) for each in released if each and each["publishedAt"]]
    return RemoteState(
        repository=RemoteRepository(
            id=int(node["databaseId"]),
            node_id=node["id"],
            name=node["nameWithOwner"],
            description=node["description"],
            stars=int(node["stargazerCount"]),
            forks=int(node["forkCount"]),
            language=node["primaryLanguage"] and node["primaryLanguage"]["name"],
            default_branch=branch and branch["name"],
            archived=node["isArchived"],
            fork=node["isFork"],
            created_at=time(node["createdAt"]),
        ),
        head=branch["target"]["oid"] if branch and branch["target"] else None,
        pulls_changed_at=_changed_at(node["pullRequests"]),
        issues_changed_at=_changed_at(node["issues"]),
        released_at=max(times, default=None),
        commit_comments=int(node["commitComments"]["totalCount"]),
    )


def commit(node: Node) -> Commit:
    return Commit(
        sha=node["oid"],
        committed_at=time(node["committedDate"]),
        parents=int(node["parents"]["totalCount"]),
        additions=int(node["additions"]),
        deletions=int(node["deletions"]),
        authors=tuple(map(_commit_author, present(node["authors"]["nodes"]))),
    )


def pull(node: Node) -> Pull:
    reviews = page(node["reviews"], lambda each: each)
    return Pull(
        number=int(node["number"]),
        author=actor(node["author"]),
        created_at=time(node["createdAt"]),
        updated_at=time(node["updatedAt"]),
        merged_at=time(node["mergedAt"]) if node["mergedAt"] else None,
        merged_by=actor(node["mergedBy"]),
        additions=int(node["additions"]),
        deletions=int(node["deletions"]),
        assignees=tuple(filter(None, map(actor, present(node["assignees"]["nodes"])))),
        reviews=submitted(reviews).items,
        more_reviews=reviews.cursor,
    )


def submitted(reviews: Page[Node]) -> Page[Review]:
    """The reviews that were submitted: pending ones only their author sees."""
    items = tuple(
        Review(
            id=int(node["fullDatabaseId"]),
            author=actor(node["author"]),
            state=node["state"],
            submitted_at=time(node["submittedAt"]),
        )
        for node in reviews.items
        if node["submittedAt"]
    )
    return Page(items, reviews.cursor)


def issue(node: Node) -> Issue:
    closes = present(node["timelineItems"]["nodes"])
    return Issue(
        number=int(node["number"]),
        author=actor(node["author"]),
        created_at=time(node["createdAt"]),
        updated_at=time(node["updatedAt"]),
        closes=tuple(Close(actor(each["actor"]), time(each["createdAt"])) for each in closes),
    )


def actor(node: Node | None) -> Actor | None:
    """An account, None for a deleted one. Bots are named as REST and the archive name them."""
    if not node:
        return None
    known = node["user"] if node.get("user") else node
    id_ = known.get("databaseId")
    if id_ is None:
        return None
    login, kind = node["login"], node["__typename"]
    if kind == "Bot" and not login.endswith(_BOT):
        login += _BOT
    return Actor(int(id_), login, kind)


def _commit_author(node: Node) -> CommitAuthor:
    mail = node["email"] or ""
    account = actor(node["user"])
    # GraphQL links commits to people only; the address that GitHub gives its bots names them.
    bot = _BOTS_MAIL.fullmatch(mail)
    if account is None and bot is not None:
        account = Actor(int(bot[1]), bot[2], "Bot")
    return CommitAuthor(account=account, name=node["name"] or "", mail=mail)


def _changed_at(connection: Node) -> datetime | None:
    return next((time(each["updatedAt"]) for each in present(connection["nodes"])), None)


def time(text: str) -> datetime:
    return parse_time(text)


def shaped(read: Callable[[], T], what: str) -> T:
    """What ``read`` makes of an answer. Raises RetryLater where it is not of GitHub's shape."""
    try:
        return read()
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        # By its kind only: a ValueError may quote what somebody wrote.
        raise RetryLater(
            f"GitHub's answer to {what} has another shape: {type(error).__name__}."
        ) from None
