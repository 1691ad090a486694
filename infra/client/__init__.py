"""A client of the API: httpx, and nothing else of this project, so that the folder may be copied.

with Leaderboard("http://localhost:8080") as leaderboard:
    for row in leaderboard.board(window="90d"):
        print(row["rank"], row["username"], row["score"])
"""

from infra.client.errors import (
    ApiError,
    BudgetRefused,
    Conflict,
    Forbidden,
    NotFound,
    NotReady,
    Rejected,
    ServerError,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    Unreachable,
)
from infra.client.leaderboard import Leaderboard
from infra.client.shapes import Job, Movement, Row

__all__ = [
    "ApiError",
    "BudgetRefused",
    "Conflict",
    "Forbidden",
    "Job",
    "Leaderboard",
    "Movement",
    "NotFound",
    "NotReady",
    "Rejected",
    "Row",
    "ServerError",
    "TooManyRequests",
    "Unauthenticated",
    "Unavailable",
    "Unreachable",
]
