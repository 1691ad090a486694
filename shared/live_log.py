"""The live log: what jobs say while they run, kept for some days, and followed by whoever looks.

A line is the document ``log_lines/{id}``, written together with the change of its job that it tells
of, so there is none of what did not happen. Lines name a repository and a job and nobody else.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shared.context import Services
from shared.jobs import Job
from shared.models import iso
from shared.ports import Document, Documents, Query, Write

KEPT = timedelta(days=7)
"""How long lines are kept."""

LATE = timedelta(seconds=5)
"""How late a line may become visible: clocks differ, and commits take a while."""

_LONGEST = 300
_EXPIRED_AT_ONCE = 400


class Level(StrEnum):
    """How much a line matters, from the least on."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def weight(self) -> int:
        return list(Level).index(self)


class LogLine(BaseModel):
    """A line as it is stored and sent. ``at`` is an RFC 3339 text in UTC, ``job`` an id."""

    model_config = ConfigDict(frozen=True)

    id: str
    at: str
    level: Level
    job: str
    repository: str | None
    message: str


def line(services: Services, job: Job, level: Level, message: str) -> Write:
    """The write of a new line about a job, to go with the change that it tells of."""
    new = LogLine(
        id=services.new_id(),
        at=iso(services.now()),
        level=level,
        job=job.id,
        repository=job.repository,
        message=message if len(message) <= _LONGEST else message[: _LONGEST - 1] + "…",
    )
    return Write(f"log_lines/{new.id}", new.model_dump(mode="json"))


def read(document: Document) -> LogLine:
    return LogLine.model_validate(document.fields)


def latest(documents: Documents, limit: int) -> list[LogLine]:
    """The newest lines, oldest first."""
    page = documents.query(Query("log_lines", order_by="at", descending=True, limit=limit))
    return [read(document) for document in reversed(page.documents)]


def since(documents: Documents, at: datetime, limit: int) -> list[LogLine]:
    """Lines from shortly before a time on, oldest first: at most the newest ``limit`` of them.

    What was said within ``LATE`` before that time comes again, because some of it may have become
    visible only afterwards. Its ids tell.
    """
    after = iso(at - LATE)
    page = documents.query(
        Query("log_lines", (("at", ">", after),), order_by="at", descending=True, limit=limit)
    )
    return [read(document) for document in reversed(page.documents)]


def expire(services: Services) -> int:
    """Delete some of the lines that are older than they are kept. Returns how many."""
    oldest = iso(services.now() - KEPT)
    page = services.documents.query(
        Query("log_lines", (("at", "<", oldest),), order_by="at", limit=_EXPIRED_AT_ONCE)
    )
    if page.documents:
        services.documents.write([Write(document.path, None) for document in page.documents])
    return len(page.documents)
