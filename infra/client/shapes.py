"""Answers that are worked with most, as the API describes them at /docs."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

Json = dict[str, Any]


class Movement(TypedDict):
    """How a rank moved since the generation before."""

    change: Literal["new", "returned", "up", "down", "same", "none"]
    by: int
    previous: int | None


Row = TypedDict(
    "Row",
    {
        "rank": int,
        "github_id": int,
        "username": str,
        "avatar_url": str,
        "class": Literal["human", "bot", "agent"],
        "score": float,
        "percentile": float,
        "band": int | None,
        "movement": Movement,
        "repositories": int,
        "counts": dict[str, int],
    },
)
"""A contributor on a board."""


class Job(TypedDict):
    """Work that was asked for."""

    id: str
    type: str
    state: Literal["QUEUED", "RUNNING", "RETRYING", "COMPLETED", "FAILED", "CANCELLED"]
    repository: str | None
    created_at: str
    finished_at: str | None
    progress: Json
    error: Json | None
    result: Json
