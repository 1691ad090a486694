"""Asking for the global boards to be brought up to date, and knowing whether they need it.

``state/global`` notes the job that was asked for last, how many changes were ``asked`` for, and
what the global boards were last made from: the changes among them (``done``) and the rules, classes
and statements (``made_by``). What is asked for and not done is tried again by the schedule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared import jobs
from shared.context import SYSTEM, Caller, Services
from shared.flags import CONFIG, scoring_mark
from shared.jobs import Job, JobType, Stage
from shared.ports import Document, Json, Transaction, Write
from shared.statements import method_digest

_STATE = "state/global"
_RULES = ("state/scoring", "state/account_classes")


@dataclass(frozen=True, slots=True)
class Basis:
    """What global boards are made from: so many changes, and these rules."""

    asked: int
    made_by: tuple[str, ...]


def new(services: Services, caller: Caller) -> Job:
    """A job for the global boards, not stored yet."""
    return jobs.new(services, caller, JobType.RECALCULATE_GLOBAL, Stage.GLOBAL, "default")


def noted(transaction: Transaction, job: Job) -> tuple[Job, Sequence[Write]]:
    """The job that answers a change made in this transaction, and what is to be written for it.

    That is the one that waits already, else ``job``. Reads, so it comes before any write. The job
    itself is among the writes only if it is new.
    """
    state = transaction.get(_STATE)
    waiting = _waiting(transaction, state)
    found = waiting or job
    asked = {**_fields(state), "job": found.id, "asked": _asked(state) + 1}
    return found, (Write(_STATE, asked), *(() if waiting else (jobs.stored(job),)))


def request_global(services: Services, caller: Caller = SYSTEM) -> Job:
    """Say that something changed, and ask for the global boards to be brought up to date.

    Requests before the job starts share it. Each request is noted before the job's end is looked
    at, so none falls between two jobs.
    """
    job = new(services, caller)

    def ask(transaction: Transaction) -> Job:
        asked, writes = noted(transaction, job)
        for write in writes:
            transaction.write(write)
        return asked

    return dispatched(services, services.documents.transact(ask))


def request_global_if_changed(services: Services, caller: Caller = SYSTEM) -> Job | None:
    """Ask for the global boards unless they are made from all that is known (one round trip)."""
    if not outdated(services):
        return None
    return request_global(services, caller)


def note_change(services: Services) -> None:
    """Say that something changed; the next schedule sees to it."""

    def note(transaction: Transaction) -> None:
        state = transaction.get(_STATE)
        transaction.write(Write(_STATE, {**_fields(state), "asked": _asked(state) + 1}))

    services.documents.transact(note)


def outdated(services: Services) -> bool:
    """True if the global boards may not be made from all that is known now."""
    state, flags, *rules = services.documents.get(_STATE, CONFIG, *_RULES)
    fields = _fields(state)
    made_by = _made_by(services, flags, rules)
    return fields.get("done") != _asked(state) or fields.get("made_by") != made_by


def basis(services: Services) -> Basis:
    """What global boards would be made from now. To be read before their facts are."""
    state, flags, *rules = services.documents.get(_STATE, CONFIG, *_RULES)
    return Basis(_asked(state), tuple(_made_by(services, flags, rules)))


def made_from(services: Services, made: Basis) -> None:
    """Note that the global boards show at least that."""

    def note(transaction: Transaction) -> None:
        state = transaction.get(_STATE)
        fields = _fields(state)
        if int(str(fields.get("done", -1))) > made.asked:
            return
        transaction.write(
            Write(_STATE, {**fields, "done": made.asked, "made_by": list(made.made_by)})
        )

    services.documents.transact(note)


def dispatched(services: Services, job: Job) -> Job:
    """See that a job for the global boards has its task, a moment from now."""
    # Also for a job that was found: whoever noted it may have died before this.
    settle = timedelta(seconds=services.settings.settle_seconds)
    jobs.dispatch(services, job, not_before=services.now() + settle)
    return job


def _waiting(transaction: Transaction, state: Document | None) -> Job | None:
    """The job that was asked for last, if it has not begun."""
    document = (
        transaction.get(f"jobs/{state.fields['job']}") if state and "job" in state.fields else None
    )
    job = None if document is None else jobs.read(document)
    return job if job is not None and job.state is jobs.State.QUEUED else None


def _fields(state: Document | None) -> dict[str, Json]:
    return {} if state is None else dict(state.fields)


def _asked(state: Document | None) -> int:
    return 0 if state is None else int(str(state.fields.get("asked", 0)))


def _made_by(
    services: Services, flags: Document | None, rules: Sequence[Document | None]
) -> list[str]:
    versions = ["" if document is None else document.version for document in rules]
    flagged = scoring_mark(flags, services.settings, services.now())
    return [*versions, flagged, method_digest()]
