"""What a stream of the live log tells, whichever way it is sent.

{"event": "log", "data": {"id", "at", "level", "job", "repository", "message"}}
{"event": "job_status", "job_id", "type", "repository", "status", "label", "tone",
 "progress": {"done", "total", "message"}, "error"}
{"event": "ping", "ts"}                        seconds since 1970
{"event": "end", "reason"}                     then the stream ends, and may be taken up again
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from functions.dashboard.words import JOB_TYPES, STATES
from shared import jobs, live_log
from shared.context import Services
from shared.errors import Rejected, RetryLater
from shared.jobs import Job
from shared.live_feed import News, Reader
from shared.live_log import Level, LogLine
from shared.models import parse_time

Message = Mapping[str, object]

SHOWN_AT_FIRST = 100
_CAUGHT_UP_AT_MOST = 1000
_JOBS_AT_FIRST = 20
_JOB = re.compile(r"[a-z0-9-]{1,40}")


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: between heartbeats, until a stream ends, until silence means that a reader left."""

    heartbeat: float = 30.0
    lasts: float = 600.0
    stale: float = 60.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader wants: lines from a level on, of one job or all, after a time or the latest."""

    level: Level = Level.INFO
    job: str | None = None
    after: datetime | None = None

    @classmethod
    def read(cls, query: Mapping[str, str], last_id: str | None) -> Wanted:
        """From an address's ``level``, ``job`` and ``after``, which a browser's ``Last-Event-ID``

        goes before. Raises Rejected naming what is wrong.
        """
        level, job = query.get("level") or Level.INFO.value, query.get("job") or None
        if level not in list(Level):
            words = ", ".join(Level)
            raise Rejected(
                f"level {level[:60]!r} is not one of {words}.", details={"field": "level"}
            )
        if job is not None and not _JOB.fullmatch(job):
            raise Rejected(f"job {job[:60]!r} is no id of a job.", details={"field": "job"})
        after = last_id or query.get("after") or None
        return cls(Level(level), job, None if after is None else parse_time(after))

    def takes(self, news: News) -> bool:
        if isinstance(news, LogLine):
            return self.job in (None, news.job) and news.level.weight >= self.level.weight
        return self.job in (None, news.id)


def follow(
    services: Services,
    reader: Reader,
    wanted: Wanted,
    pace: Pace,
    *,
    clock: Callable[[], float] = time.monotonic,
    look_up: float = 30.0,
) -> Iterator[Message | None]:
    """What was said before, then what is said now, with heartbeats, until the stream's time is up.

    ``reader`` has joined already, so that nothing falls between. At least every ``look_up`` seconds
    something comes, None where there is nothing to send. Lines may come again after a reconnection.
    """
    begun = clock()
    known: set[str] = set()
    for news in _before(services, wanted):
        if isinstance(news, LogLine):
            known.add(news.id)
        yield message(news)
    beat = clock() + pace.heartbeat
    while (now := clock()) - begun < pace.lasts:
        if now >= beat:
            beat = now + pace.heartbeat
            yield {"event": "ping", "ts": int(services.now().timestamp())}
        try:
            found = reader.next(min(beat - now, begun + pace.lasts - now, look_up))
        except RetryLater:
            yield {"event": "end", "reason": "behind"}
            return
        if found is None:
            yield None
        elif wanted.takes(found) and not (isinstance(found, LogLine) and found.id in known):
            yield message(found)
    yield {"event": "end", "reason": "time"}


def _before(services: Services, wanted: Wanted) -> Iterator[News]:
    """Lines that were said before, and how the jobs stand."""
    documents = services.documents
    lines = (
        live_log.latest(documents, SHOWN_AT_FIRST)
        if wanted.after is None
        else live_log.since(documents, wanted.after, _CAUGHT_UP_AT_MOST)
    )
    yield from filter(wanted.takes, lines)
    if wanted.job is None:
        found = jobs.listed(services, {}, limit=_JOBS_AT_FIRST).documents
    else:
        found = tuple(d for d in documents.get(f"jobs/{wanted.job}") if d is not None)
    yield from (jobs.read(document) for document in reversed(found))


def message(news: News) -> Message:
    """News as they are sent."""
    return _status(news) if isinstance(news, Job) else {"event": "log", "data": news.model_dump()}


def _status(job: Job) -> Message:
    label, tone = STATES[job.state]
    return {
        "event": "job_status",
        "job_id": job.id,
        "type": JOB_TYPES[job.type],
        "repository": job.repository,
        "status": job.state.value,
        "label": label,
        "tone": tone,
        "progress": job.progress.model_dump(),
        "error": None if job.error is None else job.error.message,
    }
