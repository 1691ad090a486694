"""Small answers of GitHub's shapes, of which a test changes what it is about."""

from __future__ import annotations

from typing import Any

Node = dict[str, Any]

TIME = "2025-03-01T10:00:00Z"


def rest_user(id_: int = 7, login: str = "ann", type_: str = "User") -> Node:
    return {"id": id_, "login": login, "type": type_}


def rest_repository(**changed: Any) -> Node:
    return {
        "id": 42, "node_id": "R_42", "full_name": "octo/engine", "private": False,
        "description": "An engine", "stargazers_count": 5, "forks_count": 2, "language": "Python",
        "default_branch": "main", "archived": False, "fork": False, "created_at": TIME,
    } | changed  # fmt: skip


def rest_comment(id_: int = 1, **changed: Any) -> Node:
    return {
        "id": id_, "user": rest_user(), "created_at": TIME, "updated_at": TIME,
        "issue_url": "https://api.github.test/repos/octo/engine/issues/12",
    } | changed  # fmt: skip


def connection(*nodes: Node | None, cursor: str | None = None) -> Node:
    return {"pageInfo": {"hasNextPage": cursor is not None, "endCursor": cursor or "last"},
            "nodes": list(nodes)}  # fmt: skip


def user(id_: int = 7, login: str = "ann", type_: str = "User") -> Node:
    return {"__typename": type_, "login": login, "databaseId": id_}


def repository(**fields: Any) -> Node:
    """The repository that a query about one has asked for."""
    return {"isPrivate": False, **fields}


def state(**changed: Any) -> Node:
    return {
        "databaseId": 42, "id": "R_42", "nameWithOwner": "octo/engine", "description": None,
        "stargazerCount": 5, "forkCount": 2, "primaryLanguage": {"name": "Python"},
        "isArchived": False, "isFork": False, "isPrivate": False, "createdAt": TIME,
        "defaultBranchRef": {"name": "main", "target": {"oid": "a" * 40}},
        "pullRequests": {"nodes": [{"updatedAt": TIME}]},
        "issues": {"nodes": []},
        "latestRelease": {"publishedAt": TIME},
        "releases": {"nodes": [{"publishedAt": "2025-03-02T10:00:00Z"}]},
        "commitComments": {"totalCount": 3},
    } | changed  # fmt: skip


def commit(oid: str = "a" * 40, **changed: Any) -> Node:
    author = {"name": "Ann", "email": "ann@example.org", "user": user()}
    return {
        "oid": oid, "committedDate": TIME, "additions": 10, "deletions": 4,
        "parents": {"totalCount": 1}, "authors": {"nodes": [author]},
    } | changed  # fmt: skip


def review(id_: str = "9000000001", **changed: Any) -> Node:
    return {
        "fullDatabaseId": id_, "state": "APPROVED", "submittedAt": TIME, "author": user(8, "bo"),
    } | changed  # fmt: skip


def pull(number: int = 1, **changed: Any) -> Node:
    return {
        "number": number, "createdAt": TIME, "updatedAt": TIME, "mergedAt": None,
        "additions": 10, "deletions": 4, "author": user(), "mergedBy": None,
        "assignees": {"nodes": []}, "reviews": connection(),
    } | changed  # fmt: skip


def issue(number: int = 2, **changed: Any) -> Node:
    return {
        "number": number, "createdAt": TIME, "updatedAt": TIME, "author": user(),
        "timelineItems": {"nodes": []},
    } | changed  # fmt: skip
