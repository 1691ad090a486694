"""The objects inside archive rows: accounts, pull requests, issues. Used by ``lines.py``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Line = dict[str, Any]


@dataclass(frozen=True, slots=True)
class User:
    id: int
    login: str
    type: str = "User"


@dataclass(frozen=True, slots=True)
class Repo:
    id: int
    name: str


def account_shape(user: User) -> Line:
    return {
        "login": user.login,
        "id": user.id,
        "avatar_url": f"https://avatars.githubusercontent.com/u/{user.id}?v=4",
        "html_url": f"https://github.com/{user.login}",
        "type": user.type,
        "site_admin": False,
    }


def stub_shape(number: int, repo: Repo) -> Line:
    base = {"id": repo.id, "url": f"https://api.github.com/repos/{repo.name}"}
    return {
        "url": f"https://api.github.com/repos/{repo.name}/pulls/{number}",
        "id": repo.id * 100_000 + number,
        "number": number,
        "head": {"ref": "change", "sha": "1" * 40, "repo": base},
        "base": {"ref": "main", "sha": "2" * 40, "repo": base},
    }


def full_shape(number: int, author: User | None, repo: Repo) -> Line:
    return stub_shape(number, repo) | {
        "html_url": f"https://github.com/{repo.name}/pull/{number}",
        "state": "open",
        "title": "Change something",
        "user": None if author is None else account_shape(author),
        "merged_at": None,
    }


def issue_shape(number: int, author: User | None, repo: Repo) -> Line:
    return {
        "url": f"https://api.github.com/repos/{repo.name}/issues/{number}",
        "html_url": f"https://github.com/{repo.name}/issues/{number}",
        "id": repo.id * 100_000 + number,
        "number": number,
        "title": "Something is wrong",
        "user": None if author is None else account_shape(author),
        "state": "open",
    }
