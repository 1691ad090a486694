"""REST's answers as the field's terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shared.github import (
    Actor,
    Comment,
    Comparison,
    Profile,
    Release,
    RemoteRepository,
    SocialAccount,
)
from shared.models import parse_time

Node = Mapping[str, Any]

_GHOST = 10137
"""The account that REST puts in place of deleted ones; GraphQL says null."""


def repository(node: Node) -> RemoteRepository:
    return RemoteRepository(
        id=int(node["id"]),
        node_id=node["node_id"],
        name=node["full_name"],
        description=node["description"],
        stars=int(node["stargazers_count"]),
        forks=int(node["forks_count"]),
        language=node["language"],
        default_branch=node["default_branch"],
        archived=node["archived"],
        fork=node["fork"],
        created_at=parse_time(node["created_at"]),
    )


def comparison(node: Node, page: int, page_size: int) -> Comparison:
    return Comparison(
        status=node["status"],
        shas=tuple(commit["sha"] for commit in node["commits"]),
        page=page + 1 if page * page_size < int(node["total_commits"]) else None,
    )


def comment(node: Node) -> Comment:
    """A comment of any kind: its address says where it was made."""
    where = node.get("issue_url") or node.get("pull_request_url")
    return Comment(
        id=int(node["id"]),
        author=actor(node["user"]),
        created_at=parse_time(node["created_at"]),
        updated_at=parse_time(node["updated_at"]),
        number=int(where.rsplit("/", 1)[1]) if where else None,
        sha=None if where else node["commit_id"],
    )


def releases(nodes: Sequence[Node]) -> tuple[Release, ...]:
    return tuple(
        Release(
            id=int(node["id"]),
            author=actor(node["author"]),
            tag=node["tag_name"],
            published_at=parse_time(node["published_at"]),
        )
        for node in nodes
        if not node["draft"] and node["published_at"]
    )


def profile(node: Node, social: Sequence[Node]) -> Profile:
    accounts = tuple(SocialAccount(each["provider"], each["url"]) for each in social)
    name = node.get("twitter_username")
    if name and not any(each.provider == "twitter" for each in accounts):
        accounts += (SocialAccount("twitter", f"https://twitter.com/{name}"),)
    return Profile(
        account=Actor(int(node["id"]), node["login"], node["type"]),
        name=node["name"],
        company=node["company"],
        location=node["location"],
        bio=node["bio"],
        website=node["blog"] or None,
        mail=node["email"],
        social=accounts,
        followers=int(node["followers"]),
        created_at=parse_time(node["created_at"]),
    )


def actor(node: Node | None) -> Actor | None:
    """An account, None for a deleted one."""
    if not node or node["id"] == _GHOST:
        return None
    return Actor(int(node["id"]), node["login"], node["type"])
