"""Walks through commits as git does."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from tests.support.github_model import Commit

Commits = Mapping[str, Commit]


class Compared(NamedTuple):
    """``shas`` are those of the head that the base has not, oldest first."""

    status: str
    shas: list[str]
    behind: int
    merge_base: str


def reachable(commits: Commits, tips: Iterable[str]) -> set[str]:
    """The SHAs that some commits lead to, they included."""
    found: set[str] = set()
    waiting = [tip for tip in tips if tip in commits]
    while waiting:
        sha = waiting.pop()
        if sha not in found:
            found.add(sha)
            waiting.extend(commits[sha].parents)
    return found


def walk(commits: Commits, head: str) -> Iterator[str]:
    """The SHAs from a commit on in the order of ``git log``: the latest committed of those met."""
    seen, met = {head}, [(_later(commits[head]), 0, head)]
    while met:
        _, _, sha = heapq.heappop(met)
        yield sha
        for parent in commits[sha].parents:
            if parent not in seen:
                seen.add(parent)
                heapq.heappush(met, (_later(commits[parent]), len(seen), parent))


def brought(commits: Commits, before: str, head: str, pushed: set[str]) -> list[str]:
    """What a push brings, oldest first: what its branch had not, or no branch if it is new."""
    line, sha = [], head
    while sha != before and sha in commits and len(commits[sha].parents) == 1:
        line.append(sha)
        (sha,) = commits[sha].parents
    if sha == before:
        return line[::-1]
    had = reachable(commits, [before]) if before in commits else pushed
    return [sha for sha in walk(commits, head) if sha not in had][::-1]


def compared(commits: Commits, base: str, head: str) -> Compared | None:
    """How two commits relate, None where they have nothing in common."""
    ours, theirs = reachable(commits, [head]), reachable(commits, [base])
    merge_base = next((sha for sha in walk(commits, head) if sha in theirs), None)
    if merge_base is None:
        return None
    ahead = [sha for sha in walk(commits, head) if sha not in theirs][::-1]
    behind = len(theirs - ours)
    words = {(True, True): "diverged", (True, False): "ahead", (False, True): "behind"}
    status = words.get((bool(ahead), bool(behind)), "identical")
    return Compared(status, ahead, behind, merge_base)


def _later(commit: Commit) -> tuple[int, ...]:
    return tuple(-ord(sign) for sign in commit.committed_at)
