"""The nightly check of the audit trail: what was sealed since the last one, and some of the rest.

The sweep comes by every few minutes; after midnight (UTC) it checks a slice each time until it is
through with the new seals, and then one slice of a round over the whole trail, which begins anew
when it is over. ``state/audit_watch`` says how far both are. What is wrong is logged, told outside
and put on the trail. ``docs/audit.md`` says what to do then.
"""

from __future__ import annotations

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from shared import audit, audit_integrity, notices
from shared.audit_integrity import Break, Checked, Fault
from shared.audit_seals import CHAIN, path
from shared.canonical import fingerprint
from shared.context import SYSTEM, Services
from shared.errors import Conflict, Rejected
from shared.models import iso
from shared.ports import ABSENT, Document, Json, Write
from shared.settings import Event

STATE = "state/audit_watch"
EVENT: Event = "audit_not_intact"

_LONGEST_ID = 100

log = structlog.get_logger()


class Watched(BaseModel):
    """How far it is. ``day`` is the last day whose check is over.

    ``seal`` is the last seal that was checked as a new one, ``hash`` its hash then, None where it
    had none. ``place`` is where the round goes on, None for its beginning.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    day: str = ""
    seal: int = 0
    hash: str | None = None
    place: str | None = None


def check(services: Services) -> None:
    """A slice of the night's check, nothing once that is over. Safe to repeat, and for several.

    What a kill leaves undone is checked and told of again by the next call.
    """
    (document,) = services.documents.get(STATE)
    before = _read(document)
    today = iso(services.now())[:10]
    if before.day == today:
        return
    found, after, ended = _new_seals(services, before)
    wrong = {(found.broken, found.fault): None}
    if ended:
        found, place = _round(services, before.place)
        wrong[found.broken, found.fault] = None
        after = after.model_copy(update={"day": today, "place": place})
    wrong.pop((None, None), None)
    writes = [_alarm(services, today, broken, fault) for broken, fault in wrong]
    version = ABSENT if document is None else document.version
    try:
        services.documents.write([Write(STATE, after.model_dump(), if_version=version), *writes])
    except Conflict:
        return  # somebody else checked the same
    if ended:
        log.info("audit_checked", seal=after.seal, hash=after.hash)


def _new_seals(services: Services, before: Watched) -> tuple[Checked, Watched, bool]:
    """What a slice of new seals is like, how far it came, and whether it was the last."""
    known = {} if before.hash is None else {before.seal: before.hash}
    found = audit_integrity.check_slice(services, f"seals.{before.seal}")
    broken = found.broken or audit_integrity.replaced(services, known)
    ended = found.following is None or not found.following.startswith("seals.")
    # Less than before where the chain is shorter than it was; never past what it names.
    seal = min(before.seal + found.seals, found.last)
    (document,) = services.documents.get(path(seal))
    if document is None and ended and seal > before.seal:
        seal = before.seal  # a chain that names what is not there is told of until it is put right
        (document,) = services.documents.get(path(seal))
    noted = None if document is None else str(document.fields.get("hash"))
    after = before.model_copy(update={"seal": seal, "hash": noted})
    return found.model_copy(update={"broken": broken}), after, ended


def _round(services: Services, place: str | None) -> tuple[Checked, str | None]:
    """A slice of the round, and where the next begins."""
    try:
        found = audit_integrity.check_slice(services, place)
    except Rejected:  # no place any more: another version has noted it
        found = audit_integrity.check_slice(services)
    return found, found.following


def _alarm(services: Services, today: str, broken: Break | None, fault: Fault | None) -> Write:
    """Log what is wrong and have it told, once a day. Returns the write for the trail."""
    what: dict[str, Json] = {
        "broken_seal": None if broken is None else broken.model_dump(),
        "fault": None if fault is None else fault.model_dump(),
    }
    said = [] if broken is None else [f"Seal {broken.seal} is {broken.what}."]
    # A forged record's id may be as long as it likes.
    said += [] if fault is None else [f"Record {fault.record[:_LONGEST_ID]} was {fault.what}."]
    text = " ".join(said)
    log.error("audit_not_intact", reason=text)
    notice = notices.writes(
        services,
        f"audit-{today}-{fingerprint(what)[:16]}",
        EVENT,
        "The audit trail is not what was sealed",
        text=f"{text} Change nothing before you have read docs/audit.md.",
        details=what,
    )
    notices.once(services, notice)
    return audit.record(services, SYSTEM, "audit.not_intact", ("audit", CHAIN), text)


def _read(document: Document | None) -> Watched:
    try:
        return Watched() if document is None else Watched.model_validate(document.fields)
    except ValidationError:
        return Watched()  # then everything is new
