"""The stack that is measured beside ours: FastAPI, SQLAlchemy, PostgreSQL; plain or with a cache.

Run by uvicorn in the environment of the peers, as ``tests.benchmarks.load_peer:app``. PEER_SOCKET
and PEER_USER say where PostgreSQL is; PEER_CACHE=1 keeps the rendered answers for an hour.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Annotated, Any

from cachetools import TTLCache
from fastapi import Depends, FastAPI, Query, Request, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy import BigInteger, String, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_KINDS = (
    "commit", "pr_opened", "pr_merged", "pr_reviewed", "pr_review_comment", "issue_opened",
    "issue_closed", "comment", "release", "lines_added", "lines_deleted",
)  # fmt: skip
_POOL = 20

engine = create_async_engine(
    "postgresql+asyncpg://",
    connect_args={
        "host": os.environ["PEER_SOCKET"],
        "user": os.environ["PEER_USER"],
        "database": "postgres",
    },
    pool_size=_POOL,
    max_overflow=0,
)
sessions = async_sessionmaker(engine, expire_on_commit=False)
kept: TTLCache[str, bytes] | None = (
    TTLCache(1000, 3600) if os.environ.get("PEER_CACHE") == "1" else None
)
app = FastAPI()


class Base(DeclarativeBase):
    """Tables."""


class Standing(Base):
    """A row of the ranked table."""

    __tablename__ = "global_leaderboard"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger)
    rank: Mapped[int] = mapped_column(BigInteger)
    login: Mapped[str] = mapped_column(String)
    score: Mapped[int] = mapped_column(BigInteger)
    commit: Mapped[int]
    pr_opened: Mapped[int]
    pr_merged: Mapped[int]
    pr_reviewed: Mapped[int]
    pr_review_comment: Mapped[int]
    issue_opened: Mapped[int]
    issue_closed: Mapped[int]
    comment: Mapped[int]
    release: Mapped[int]
    lines_added: Mapped[int]
    lines_deleted: Mapped[int]


class Row(BaseModel):
    """A row of the answer."""

    model_config = ConfigDict(from_attributes=True)

    rank: int
    github_id: int
    username: str
    score: float
    percentile: float
    counts: dict[str, int]


class Page(BaseModel):
    """The answer."""

    data: list[Row]
    meta: dict[str, Any]


async def session() -> AsyncIterator[AsyncSession]:
    """A session for a request."""
    async with sessions() as found:
        yield found


@app.get("/leaderboard", response_model=Page)
async def leaderboard(
    request: Request,
    db: Annotated[AsyncSession, Depends(session)],
    page: Annotated[int, Query(ge=1)] = 1,
    page_size: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Any:
    """A page in rank order, and how many rows there are."""
    if kept is not None and (body := kept.get(request.url.query)) is not None:
        return Response(body, media_type="application/json")
    total = await db.scalar(select(func.count()).select_from(Standing)) or 0
    found = await db.scalars(
        select(Standing).order_by(Standing.rank).offset((page - 1) * page_size).limit(page_size)
    )
    answer = Page(
        data=[
            Row(
                rank=row.rank,
                github_id=row.user_id,
                username=row.login,
                score=row.score / 1000,
                percentile=round((total - row.rank + 1) * 100 / total, 2),
                counts={kind.upper(): getattr(row, kind) for kind in _KINDS},
            )
            for row in found
        ],
        meta={"total": total, "page": page, "page_size": page_size},
    )
    if kept is None:
        return answer
    body = kept[request.url.query] = answer.model_dump_json().encode()
    return Response(body, media_type="application/json")
