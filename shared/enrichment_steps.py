"""Steps of enrichments: read one profile, put it off, look after what was lost.

At least once is how tasks come, so every step claims the document first, and writes its outcome
only while the claim is its own: who was asked to forget somebody meanwhile finds nothing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from shared.context import Services
from shared.enrichment import SLACK, Enrichment, EnrichmentState, dispatch, path, read, stored
from shared.errors import LeaderboardError, NotFound, Rejected, RetryLater
from shared.github import Profile
from shared.jobs import JobError
from shared.mails import mail_digest, mail_secret
from shared.models import iso, parse_time
from shared.ports import Query, Transaction
from shared.profiles import LONGEST, Noted, SocialLink, fields_of, social_of, text

GONE = "GitHub has no account of this name: it was deleted, or renamed and not seen since."

NAME_KEPT = timedelta(hours=25)
"""A task that has not come by then is lost, and its name is free. A day's queue is served first."""

_LONGEST_DELAY = timedelta(days=29)
_SPREAD = timedelta(minutes=2)

log = structlog.get_logger()


class LoginTakenOver(Rejected):
    """The login belongs to another account now. Nothing of that account is kept."""

    code = "login_taken_over"


def enrich(services: Services, id_: str, number: int, delivery: str) -> Enrichment | None:
    """One delivery of an enrichment's task: one profile is read. None if there is nothing to do."""
    running = _begin(services, id_, number, delivery)
    if running is None:
        return None
    try:
        profile = _profile(services, running)
    except NotFound:
        return _end(services, running, note=GONE)
    except RetryLater as error:
        return _later(services, running, error)
    except LeaderboardError as error:
        return _end(services, running, error=error)
    at = iso(services.now())
    digest = mail_digest(mail_secret(services), profile.mail) if profile.mail else None
    fields = fields_of(profile, digest, at) | _looked_up(services, running, profile, at)
    return _end(services, running, fields=fields, social=social_of(profile, at))


def sweep(services: Services, limit: int = 200) -> int:
    """Add lost tasks anew, and take over from lost workers. Returns how many were looked after."""
    due = Query("contributors", (("due_at", "<", iso(services.now())),), "due_at", limit=limit)
    found = [read(document) for document in services.documents.query(due).documents]
    return sum(_settle(services, enrichment) for enrichment in found)


# --- how ------------------------------------------------------------------------------------


def _begin(services: Services, id_: str, number: int, delivery: str) -> Enrichment | None:
    """Take the lease, or None if this delivery has nothing to do."""
    found = services.documents.query(Query("contributors", (("id", "==", id_),), limit=1)).documents
    if not found:
        return None
    moment = services.now()

    def take(transaction: Transaction) -> Enrichment | None:
        document = transaction.get(found[0].path)
        now = None if document is None else read(document)
        if now is None or now.id != id_ or now.ended:
            return None
        if now.dispatches != number or now.holder == delivery:
            return None
        running = now.model_copy(
            update={
                "state": EnrichmentState.RUNNING,
                "holder": delivery,
                "attempts": now.attempts + 1,
                "waits_until": None,
                "due_at": iso(moment + timedelta(seconds=services.settings.lease_seconds)),
            }
        )
        transaction.write(stored(running))
        return running

    return services.documents.transact(take)


def _profile(services: Services, running: Enrichment) -> Profile:
    if services.github is None:
        raise Rejected("GitHub's API is not asked here any more.")
    profile = services.github.profile(running.login)
    if profile.account.id != running.github_id:
        raise LoginTakenOver(
            "The login belongs to another account now. The profile is read again once the "
            "contributor is seen under the new name."
        )
    return profile


def _looked_up(
    services: Services, running: Enrichment, profile: Profile, at: str
) -> dict[str, Noted]:
    """What others tell. Of one that fails, what it told before is kept."""
    noted: dict[str, Noted] = {}
    for lookup in services.lookups:
        try:
            values = lookup.look_up(replace(profile, mail=None))
        except LeaderboardError as error:
            log.info("lookup_failed", lookup=lookup.name, error=error.code)
            noted |= {n: f for n, f in running.fields.items() if f.source == lookup.name}
            continue
        for name, value in values.items():
            told = text(value, LONGEST[name])
            if told is not None:
                noted[name] = Noted(value=told, source=lookup.name, at=at)
    return noted


def _end(
    services: Services,
    running: Enrichment,
    *,
    fields: dict[str, Noted] | None = None,
    social: tuple[SocialLink, ...] = (),
    note: str | None = None,
    error: LeaderboardError | None = None,
) -> Enrichment | None:
    """COMPLETED with what was noted, or FAILED with the error, which leaves what was known."""
    at = iso(services.now())
    update: dict[str, object] = {"ended_at": at, "due_at": None, "holder": None}
    if error is None:
        update |= {"state": EnrichmentState.COMPLETED, "error": None, "note": note}
        update |= {"fields": fields or {}, "social": social, "enriched_at": at}
    else:
        update |= {"state": EnrichmentState.FAILED, "error": _noted(error, at)}
    ended = _replace(services, running, update)
    if ended is not None:
        log.info("enrichment_ended", enrichment=ended.id, state=ended.state.value)
    return ended


def _later(services: Services, running: Enrichment, error: RetryLater) -> Enrichment | None:
    """Try again after a while. What GitHub puts off until a stated time is no failed attempt."""
    waits = services.settings.retry_seconds
    moment = services.now()
    put_off = error.not_before is not None and error.not_before > moment
    if not put_off and running.attempts > len(waits):
        return _end(services, running, error=error)
    if error.not_before is not None and put_off:
        until = min(error.not_before + _SPREAD * services.jitter(), moment + _LONGEST_DELAY)
    else:
        wait = waits[running.attempts - 1] * (1 + services.jitter() / 10)
        until = moment + timedelta(seconds=wait)
    update = {
        **_anew(running, until),
        "attempts": running.attempts - put_off,
        "waits_until": iso(until),
        "error": _noted(error, iso(moment)),
    }
    waiting = _replace(services, running, update)
    if waiting is not None:
        log.info("enrichment_put_off", enrichment=waiting.id, until=iso(until), error=error.code)
        dispatch(services, waiting)
    return waiting


def _settle(services: Services, found: Enrichment) -> bool:
    moment = services.now()

    def settle(transaction: Transaction) -> Enrichment | None:
        document = transaction.get(path(found.github_id))
        now = None if document is None else read(document)
        if now is None or now != found:
            return None
        transaction.write(stored(settled := _settled(services, now, moment)))
        return settled

    settled = services.documents.transact(settle)
    if settled is not None:
        dispatch(services, settled)
    return settled is not None


def _settled(services: Services, now: Enrichment, moment: datetime) -> Enrichment:
    """How an enrichment goes on that should have moved by now."""
    if now.state is EnrichmentState.RUNNING:
        if now.attempts > len(services.settings.retry_seconds):
            lost = RetryLater("Its worker died or ran out of time again and again.")
            update = {"state": EnrichmentState.FAILED, "holder": None, "due_at": None}
            at = iso(moment)
            return now.model_copy(update={**update, "ended_at": at, "error": _noted(lost, at)})
        return now.model_copy(update=_anew(now, moment))
    lost_at = parse_time(now.dispatched_at) + NAME_KEPT
    if moment >= lost_at:
        return now.model_copy(update={**_anew(now, moment), "waits_until": None})
    # Most likely it stands in the queue; in case it was never added, it is added now.
    return now.model_copy(update={"due_at": iso(lost_at)})


def _anew(now: Enrichment, at: datetime) -> dict[str, object]:
    """PENDING under the next number, to be delivered at a time."""
    return {
        "state": EnrichmentState.PENDING,
        "holder": None,
        "dispatches": now.dispatches + 1,
        "dispatched_at": iso(at),
        "due_at": iso(at + SLACK),
    }


def _replace(
    services: Services, running: Enrichment, update: dict[str, object]
) -> Enrichment | None:
    """Write the outcome of an attempt. None if another has it now, or it was forgotten."""

    def write(transaction: Transaction) -> Enrichment | None:
        document = transaction.get(path(running.github_id))
        now = None if document is None else read(document)
        if now is None or now.id != running.id or now.dispatches != running.dispatches:
            return None
        if now.holder != running.holder:
            return None
        after = now.model_copy(update=update)
        transaction.write(stored(after))
        return after

    return services.documents.transact(write)


def _noted(error: LeaderboardError, at: str) -> JobError:
    return JobError(code=error.code, message=error.message, severity=error.severity, at=at)
