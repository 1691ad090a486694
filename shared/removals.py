"""Opting out: shown under a pseudonym, or removed. Asked for by an admin on somebody's behalf.

The wish holds from the moment it is written: nothing is published any more that was made before,
and nothing of somebody removed is taken in. A job makes it hold for what is stored
(``shared/people_work.py``); until its end the wish has no ``done_at``.
"""

from __future__ import annotations

from collections.abc import Collection

from shared import audit, jobs, people, pseudonyms
from shared.context import Caller, Services
from shared.errors import Conflict, NotFound, Rejected
from shared.identities import appearances
from shared.jobs import Job, JobType, Stage
from shared.models import iso
from shared.people import Mode, OptOut, People
from shared.ports import Write
from shared.tables import Dataset

_VERBS = {
    Mode.ANONYMOUS: ("person.hidden", "is to be shown as anonymous"),
    Mode.REMOVED: ("person.removed", "is to be removed"),
    Mode.PUBLIC: ("person.shown", "is to be shown again"),
}


def removed_ids(services: Services) -> frozenset[int]:
    """The accounts of which nothing may be stored. Read it once per ingest or step."""
    return people.current(services).removed


def drop_newly_removed(services: Services, known: Collection[int]) -> None:
    """After writing events without ``known``: take out who was removed while they were written."""
    since = removed_ids(services) - set(known)
    for dataset in (Dataset.EVENTS, Dataset.GITHUB_EVENTS) if since else ():
        services.warehouse.forget(dataset, since)


def hide(services: Services, account: int, caller: Caller) -> Job:
    """Have a person shown under a pseudonym. Raises Rejected, Conflict for somebody removed."""
    return _ask(services, account, Mode.ANONYMOUS, caller)


def show(services: Services, account: int, caller: Caller) -> Job:
    """Have an anonymous person shown by name again. Raises NotFound if they are not anonymous."""
    return _ask(services, account, Mode.PUBLIC, caller)


def remove(services: Services, account: int, caller: Caller) -> Job:
    """Have everything of a person removed, and nothing taken in again."""
    return _ask(services, account, Mode.REMOVED, caller)


def lift(services: Services, account: int, caller: Caller) -> tuple[int, ...]:
    """Take a removal back: scrapes from now on bring what the sources have. Returns the accounts.

    Raises NotFound, and Conflict while the removal is under way.
    """

    def decide(now: People) -> tuple[tuple[int, ...], list[Write]]:
        own = _own(now, account)
        if own is None or own.mode is not Mode.REMOVED:
            raise NotFound(f"Account {account} has no removal.")
        if own.done_at is None:
            raise Conflict("The removal is under way. Wait for its end.")
        lifted = tuple(o.account for o in now.opt_outs if o.request == own.request)
        entry = audit.record(
            services, caller, "person.removal_lifted", ("request", own.request), "Removal lifted"
        )
        return lifted, [*(Write(f"removals/{each}", None) for each in lifted), entry]

    return people.change(services, decide, lifts=1)[0]


def _ask(services: Services, account: int, mode: Mode, caller: Caller) -> Job:
    """The job of a wish: a new one, or that of the same wish if it is there."""
    _check(account)
    stage = Stage.FORGET if mode is Mode.REMOVED else Stage.REDACT
    job = jobs.new(services, caller, JobType.FORGET_PERSON, stage, "high")
    request = services.new_id()
    name = pseudonyms.of(services, account)
    shown = {} if mode is Mode.REMOVED else _names(services, account)

    def decide(now: People) -> tuple[str, list[Write]]:
        own = _own(now, account)
        if own is not None and own.mode is mode and _is_under_way(services, own):
            return own.job, []
        if own is not None and own.mode is Mode.REMOVED:
            raise Conflict("They are removed. Lift that first.")
        if mode is Mode.PUBLIC and own is None:
            raise NotFound(f"Account {account} is not anonymous.")
        accounts = now.accounts_of(account)
        known = {o.account: o for o in now.opt_outs}
        wishes = [
            OptOut(
                account=each,
                mode=mode,
                request=request,
                requested_at=iso(services.now()),
                requested_by=caller.actor,
                job=job.id,
                login=shown.get(each) if mode is Mode.PUBLIC else None,
                **_pseudonym(services, known.get(each), each, mode),
            )
            for each in accounts
        ]
        writes = [
            Write(f"removals/{wish.account}", wish.model_dump(mode="json")) for wish in wishes
        ]
        if mode is Mode.REMOVED:
            writes += [
                Write(f"identities/{m.account}", None)
                for m in now.merges
                if {m.account, m.person} & set(accounts)
            ]
        action, what = _VERBS[mode]
        entry = audit.record(
            services, caller, action, ("person", name), f"{name} {what}", new={"job": job.id}
        )
        return job.id, [*writes, entry, jobs.stored(job)]

    job_id, _ = people.change(services, decide)
    found = jobs.get(services, job_id)
    jobs.dispatch(services, found)  # also for one that was found: whoever noted it may have died
    return found


def _is_under_way(services: Services, wish: OptOut) -> bool:
    """True while a job sees to it. After that a repeat is another job, which finds little."""
    (document,) = services.documents.get(f"jobs/{wish.job}")
    return wish.done_at is None and document is not None and not jobs.read(document).ended


def _check(account: int) -> None:
    if not 0 < account < 2**63:
        raise Rejected("An account's id is a whole number above 0.", details={"field": "account"})


def _names(services: Services, account: int) -> dict[int, str]:
    """The latest logins of a person's accounts."""
    return appearances(services, people.current(services).accounts_of(account))[0]


def _own(now: People, account: int) -> OptOut | None:
    return next((o for o in now.opt_outs if o.account == account), None)


def _pseudonym(
    services: Services, known: OptOut | None, account: int, mode: Mode
) -> dict[str, int | str | None]:
    """What stands, or stood until now, in the account's place on boards."""
    if known is not None and known.shown_id is not None:
        return {"shown_id": known.shown_id, "shown_login": known.shown_login}
    if mode is not Mode.ANONYMOUS:
        return {}
    shown_id, shown_login = pseudonyms.on_boards(services, account)
    return {"shown_id": shown_id, "shown_login": shown_login}
