"""Merges: several accounts of one person count as one of them. Asked for by an admin, reversible.

Never done by itself: equal names are no proof. A merge is ``identities/<account>``; it changes how
facts are credited, never the facts, so taking it back gives the very boards of before.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from shared import audit, jobs, people, pseudonyms
from shared.context import Caller, Services
from shared.errors import Conflict, NotFound, Rejected
from shared.jobs import Job, JobType, Stage
from shared.models import iso
from shared.people import Merge, People
from shared.ports import Json, Write

_ID = re.compile(r"id:([0-9]{1,18})")


def account_of(services: Services, text: str) -> int:
    """The account that ``text`` names: ``id:`` and a number, else the login that it bears now.

    One statement over all events for a login. Raises NotFound, which says nothing of whether
    somebody removed once bore it.
    """
    numbered = _ID.fullmatch(text)
    if numbered:
        return int(numbered[1])
    shown = {o.shown_login: o.account for o in people.current(services).anonymous.values()}
    if text in shown:
        return shown[text]
    found = services.warehouse.query("find_accounts", {"login": text.lower()})
    if not found.num_rows:
        raise NotFound("No event names anybody of this login. An account is also found by id:<n>.")
    return int(found["account_id"][0].as_py())


def appearances(services: Services, accounts: Collection[int]) -> tuple[dict[int, str], list[int]]:
    """The latest login of each account, and the repositories in which one of them appears."""
    rows = services.warehouse.query("find_people", {"account_ids": sorted(accounts)}).to_pylist()
    rows.sort(key=lambda row: (row["seen_at"], row["login"] or ""))
    logins = {int(row["account_id"]): row["login"] for row in rows if row["login"] is not None}
    return logins, sorted({int(row["repo_id"]) for row in rows})


def merge(
    services: Services, person: int, accounts: Sequence[int], reason: str, caller: Caller
) -> Job | None:
    """Have accounts count as ``person`` from now on. Returns the job that credits anew.

    None if they do already. Raises Rejected for no other account and for ids that no event names;
    Conflict for what counts as somebody else, a chain, a cycle, or somebody who opted out.
    """
    wanted = sorted(set(accounts))
    if not wanted or person in wanted:
        raise Rejected("Name at least one other account.", details={"field": "accounts"})
    logins, repositories = appearances(services, [person, *wanted])
    if unknown := sorted({person, *wanted} - logins.keys()):
        raise Rejected(
            f"No event names {_listed(unknown)}. Check the ids.", details={"unknown": [*unknown]}
        )
    names = {account: pseudonyms.of(services, account) for account in (person, *wanted)}
    job = work_of(services, caller, Stage.BOARDS_OF_PEOPLE, {"repositories": [*repositories]})

    def decide(now: People) -> tuple[Job | None, list[Write]]:
        new = [account for account in wanted if _is_new(now, account, person)]
        if not new:
            return None, []
        entries = [
            Merge(
                account=account,
                person=person,
                login=logins[person],
                reason=reason,
                merged_at=iso(services.now()),
                merged_by=caller.actor,
            )
            for account in new
        ]
        writes = [Write(f"identities/{e.account}", e.model_dump()) for e in entries]
        writes += [
            audit.record(
                services,
                caller,
                "identity.merged",
                ("person", names[account]),
                f"{names[account]} counts as {names[person]}: {reason}",
                new={"person": names[person], "reason": reason, "job": job.id},
            )
            for account in new
        ]
        return job, [*writes, jobs.stored(job)]

    return _begun(services, people.change(services, decide)[0])


def unmerge(services: Services, account: int, reason: str, caller: Caller) -> Job:
    """Have a merged account count by itself again. Returns the job that credits anew.

    Raises NotFound if it is not merged.
    """
    merged = next((m for m in people.current(services).merges if m.account == account), None)
    if merged is None:
        raise NotFound(f"Account {account} is not merged into another.")
    _, repositories = appearances(services, [account, merged.person])
    names = [pseudonyms.of(services, each) for each in (account, merged.person)]
    job = work_of(services, caller, Stage.BOARDS_OF_PEOPLE, {"repositories": [*repositories]})

    def decide(now: People) -> tuple[Job, list[Write]]:
        if merged not in now.merges:
            raise NotFound(f"Account {account} is not merged into another.")
        taken_back = audit.record(
            services,
            caller,
            "identity.unmerged",
            ("person", names[0]),
            f"{names[0]} does not count as {names[1]} any more: {reason}",
            old={"person": names[1], "reason": merged.reason},
            new={"reason": reason, "job": job.id},
        )
        return job, [Write(f"identities/{account}", None), taken_back, jobs.stored(job)]

    asked, _ = people.change(services, decide)
    jobs.dispatch(services, asked)
    return asked


def work_of(services: Services, caller: Caller, stage: Stage, result: dict[str, Json]) -> Job:
    """A queued job that makes a change of people hold. It names nobody."""
    job = jobs.new(services, caller, JobType.APPLY_PEOPLE, stage, "high")
    return job.model_copy(update={"result": result})


def _is_new(now: People, account: int, person: int) -> bool:
    """True if the merge is to be made, False if it is. Raises Conflict where it cannot be."""
    counts_as = {merge.account: merge.person for merge in now.merges}
    if {account, person} & {o.account for o in now.opt_outs}:
        raise Conflict("One of them opted out. That has to be lifted before a merge.")
    if person in counts_as:
        whom = counts_as[person]
        kind = "a cycle" if whom == account else "a chain"
        raise Conflict(
            f"Account {person} counts as {whom} itself, so this would be {kind}. Merge into {whom},"
            f" or unmerge {person} first."
        )
    if account in counts_as.values():
        raise Conflict(
            f"Others count as account {account}, so this would be a chain. Unmerge them first."
        )
    if counts_as.get(account, person) != person:
        raise Conflict(f"Account {account} counts as {counts_as[account]} already. Unmerge first.")
    return account not in counts_as


def _begun(services: Services, job: Job | None) -> Job | None:
    if job is not None:
        jobs.dispatch(services, job)
    return job


def _listed(ids: Sequence[int]) -> str:
    return ", ".join(f"account {id_}" for id_ in ids)
