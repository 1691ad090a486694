"""People's rights: what is stored about somebody, opting out, and merged accounts. For admins."""

from __future__ import annotations

from functions.api.access import ADMIN
from functions.api.links import here
from functions.api.parsing import account_id
from functions.api.people_schemas import (
    Asked,
    DataQuery,
    Lifted,
    LiftedAnswer,
    MergesAnswer,
    MergeShown,
    NewMerge,
    RemovalQuery,
    Stored,
    StoredAnswer,
    Taken,
    Visibility,
    Wish,
    WishesAnswer,
    WorkAnswer,
)
from functions.api.resource import Call, Reply, Resource
from functions.api.schemas import Nothing
from functions.api.work_schemas import job
from shared import audit, identities, people, personal_data, pseudonyms, removals
from shared.errors import Conflict, NotFound, RetryLater
from shared.jobs import Job

resource = Resource("people")

ASKED = 202
_OF = "/api/v1/contributors/<path:login>/personal-data"


@resource.operation("GET", _OF, scope=ADMIN, errors=(NotFound, RetryLater))
def export_personal_data(call: Call, login: str, query: DataQuery) -> Reply[StoredAnswer]:
    """Everything stored about a person, as JSON.

    Facts by repository and source, standings, places on boards, merges, and the entries of the
    audit trail about them. The login may also be id: and a number. That it was asked for is on the
    trail, too.
    """
    account = identities.account_of(call.services, login)
    found = personal_data.export(call.services, account, skipped=query.skipped, most=query.limit)
    name = pseudonyms.of(call.services, account)
    entry = audit.record(
        call.services, call.caller, "person.exported", ("person", name), f"Data of {name} exported"
    )
    call.services.documents.write([entry])
    data = Stored.model_validate(found)
    return Reply(StoredAnswer(data=data, meta=Nothing(), links=here()))


@resource.operation(
    "DELETE", _OF, status=ASKED, scope=ADMIN, errors=(NotFound, Conflict, RetryLater)
)
def remove_personal_data(call: Call, login: str, query: RemovalQuery) -> Reply[WorkAnswer]:
    """Remove a person with all merged accounts, or hide them under a pseudonym.

    Removed means: their facts go from everything stored, are not taken in again, and nothing of
    them is ranked. The job tells when that holds everywhere.
    """
    account = identities.account_of(call.services, login)
    ask = removals.remove if query.mode == "removed" else removals.hide
    return _asked(ask(call.services, account, call.caller))


@resource.operation(
    "PUT",
    "/api/v1/contributors/<path:login>/visibility",
    status=ASKED,
    scope=ADMIN,
    errors=(NotFound, Conflict, RetryLater),
)
def change_visibility(call: Call, login: str, body: Visibility) -> Reply[WorkAnswer]:
    """Show a person under a pseudonym, or by name again."""
    account = identities.account_of(call.services, login)
    ask = removals.hide if body.visibility == "anonymous" else removals.show
    return _asked(ask(call.services, account, call.caller))


@resource.operation("GET", "/api/v1/removals", scope=ADMIN, errors=(RetryLater,))
def list_removals(call: Call) -> Reply[WishesAnswer]:
    """All opt-outs, and whether they hold everywhere by now."""
    wishes = [
        Wish.model_validate(wish.model_dump(mode="json", include=set(Wish.model_fields)))
        for wish in people.current(call.services).opt_outs
    ]
    return Reply(WishesAnswer(data=wishes, meta=Nothing(), links=here()))


@resource.operation(
    "DELETE",
    "/api/v1/removals/<account>",
    scope=ADMIN,
    errors=(NotFound, Conflict, RetryLater),
)
def lift_removal(call: Call, account: str) -> Reply[LiftedAnswer]:
    """Take a removal back, for all accounts of its wish.

    Nothing comes back by itself: scrapes and ingests from now on bring what the sources have.
    """
    lifted = removals.lift(call.services, account_id(account), call.caller)
    data = Lifted(accounts=[*lifted])
    return Reply(LiftedAnswer(data=data, meta=Nothing(), links=here()))


@resource.operation("GET", "/api/v1/identities", scope=ADMIN, errors=(RetryLater,))
def list_merges(call: Call) -> Reply[MergesAnswer]:
    """All merged accounts."""
    merges = [MergeShown(**m.model_dump()) for m in people.current(call.services).merges]
    return Reply(MergesAnswer(data=merges, meta=Nothing(), links=here()))


@resource.operation(
    "POST",
    "/api/v1/identities",
    status=ASKED,
    scope=ADMIN,
    errors=(NotFound, Conflict, RetryLater),
)
def merge_accounts(call: Call, body: NewMerge) -> Reply[WorkAnswer]:
    """Have several accounts of one person count as one of them.

    The boards of exactly those repositories are made anew in which one of them appears, and the
    global ones. Never done without being asked for; DELETE takes it back.
    """
    person, *accounts = (
        identities.account_of(call.services, text) for text in (body.person, *body.accounts)
    )
    return _asked(identities.merge(call.services, person, accounts, body.reason, call.caller))


@resource.operation(
    "DELETE",
    "/api/v1/identities/<account>",
    status=ASKED,
    scope=ADMIN,
    errors=(NotFound, Conflict, RetryLater),
)
def unmerge_account(call: Call, account: str, query: Taken) -> Reply[WorkAnswer]:
    """Have a merged account count by itself again: the boards are those of before."""
    return _asked(identities.unmerge(call.services, account_id(account), query.reason, call.caller))


def _asked(found: Job | None) -> Reply[WorkAnswer]:
    data = Asked(job=None if found is None else job(found))
    return Reply(WorkAnswer(data=data, meta=Nothing(), links=here()))
