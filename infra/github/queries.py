"""The GraphQL operations of ``queries/``: a file an operation, fragments in files of their own."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent / "queries"
_FRAGMENTS = {"ActorFields": "actor", "CommitFields": "commit", "ReviewFields": "review"}

OPERATIONS = ("states", "history", "commits", "pulls", "reviews", "issues")

MOST_COMMITS = 100
"""The most commits that ``commits`` asks for by SHA."""


@cache
def text(operation: str) -> str:
    """An operation with the fragments it uses, as it is sent; ``commits`` for a single one."""
    return _with_fragments(_read(operation))


@cache
def commits(count: int) -> str:
    """The operation ``commits`` for so many: variables ``sha0`` ..., answers ``commit0`` ..."""
    numbers = range(count)
    parts = _read("commits").replace(
        "$sha0: GitObjectID!", ", ".join(f"$sha{n}: GitObjectID!" for n in numbers)
    )
    (one,) = (line for line in parts.splitlines() if "commit0:" in line)
    lines = (one.replace("commit0", f"commit{n}").replace("sha0", f"sha{n}") for n in numbers)
    return _with_fragments(parts.replace(one, "\n".join(lines)))


def _read(name: str) -> str:
    return (_FOLDER / f"{name}.graphql").read_text(encoding="utf-8")


def _with_fragments(operation: str) -> str:
    used: dict[str, str] = {}
    waiting = [operation]
    while waiting:
        for name in re.findall(r"\.\.\.(\w+Fields)\b", waiting.pop()):
            if name not in used:
                used[name] = _read(_FRAGMENTS[name])
                waiting.append(used[name])
    return "\n".join([operation, *used.values()])
