"""The few places for steps that must not all run at once: who has one, and until when."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from shared import flag_config
from shared.context import Services
from shared.flags import SCRAPES
from shared.jobs import Job, Stage, read
from shared.models import iso, parse_time
from shared.ports import Document, Transaction, Write

PLACES: Mapping[Stage, str] = {
    Stage.CAPTURE: "state/captures",
    Stage.SYNC: "state/scrapes",
    Stage.SCRAPE: "state/scrapes",
    Stage.GLOBAL: "state/globals",
}
"""Stages of which few run at once, and the document that says who does.

Scrapes are few for the services they read from, GitHub and the warehouse. The archive is read by
one job at a time, for all repositories that wait: the next one finds it done. The global boards are
made by one job at a time, or a slow one would publish older facts over the newer ones of another.
"""


def lease(services: Services) -> timedelta:
    return timedelta(seconds=services.settings.lease_seconds)


def take(services: Services, transaction: Transaction, job: Job) -> bool:
    """One of the few places for steps that run at once. A place is given back or expires."""
    document = transaction.get(PLACES[job.stage])
    now = services.now()
    held = {
        holder: until
        for holder, until in (document.fields if document else {}).items()
        if parse_time(str(until)) > now and holder != job.id
    }
    scrapes = PLACES[job.stage] == PLACES[Stage.SCRAPE]
    places = flag_config.value(services, SCRAPES) if scrapes else 1
    if len(held) >= places:
        return False
    held[job.id] = iso(now + lease(services))
    transaction.write(Write(PLACES[job.stage], held))
    return True


def _held(transaction: Transaction, job: Job) -> Document | None:
    """The places of the job's stage, if it has one of them. Reads, so it comes before any write."""
    document = transaction.get(PLACES[job.stage]) if job.stage in PLACES else None
    return document if document is not None and job.id in document.fields else None


def renewed(transaction: Transaction, job: Job, until: str) -> list[Write]:
    """What keeps the job's place for as long as its lease."""
    document = _held(transaction, job)
    return [] if document is None else [Write(document.path, {**document.fields, job.id: until})]


def freed(transaction: Transaction, job: Job) -> list[Write]:
    """What gives the job's place back."""
    document = _held(transaction, job)
    if document is None:
        return []
    rest = {holder: until for holder, until in document.fields.items() if holder != job.id}
    return [Write(document.path, rest)]


def mine(transaction: Transaction, job: Job) -> Job | None:
    """The job as it is now, if it is still this delivery's."""
    document = transaction.get(f"jobs/{job.id}")
    now = read(document) if document else None
    return now if now is not None and not now.ended and now.holder == job.holder else None


def leave(transaction: Transaction, job: Job) -> None:
    """Nothing to note: another delivery has the job, or it was ended. Then its place is free."""
    document = transaction.get(f"jobs/{job.id}")
    if document is not None and read(document).ended:
        for write in freed(transaction, job):
            transaction.write(write)
