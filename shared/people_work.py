"""Making a change of people hold: in the warehouse, in documents, on boards. Slices of one job.

    FORGET -> REDACT -> BOARDS_OF_PEOPLE      removed
              REDACT -> BOARDS_OF_PEOPLE      shown as anonymous, or again by name
                        BOARDS_OF_PEOPLE      merged, or parted again

Every slice may be repeated. A job names nobody: whom it is about stands in the wishes that name it.
"""

from __future__ import annotations

import structlog

from shared import (
    crediting,
    exports,
    global_requests,
    identities,
    job_steps,
    people,
    personal_data,
    recalculation,
    repositories,
)
from shared.context import Services
from shared.errors import NotFound
from shared.forgetting import PERSONAL
from shared.jobs import Job, JobType, Stage
from shared.models import iso
from shared.people import Mode, OptOut
from shared.ports import Json, Query, Transaction, Write
from shared.redaction import Shown
from shared.repositories import Repository
from shared.tables import Dataset

GENERATIONS_A_SLICE = 100
REPOSITORIES_A_SLICE = 5

Done = tuple[Stage | None, dict[str, Json]]

log = structlog.get_logger()


def apply(services: Services, job: Job) -> Done:
    """One slice. Returns the stage of the next, None at the end."""
    if "repositories" not in job.result and job.type is JobType.FORGET_PERSON:
        log.info("exports_withdrawn", exports=exports.withdraw_all(services))
    if job.stage is Stage.FORGET:
        return _forget(services, job)
    if job.stage is Stage.REDACT:
        return _redact(services, job)
    return _count_anew(services, job)


# --- the warehouse and documents ----------------------------------------------------------------


def _forget(services: Services, job: Job) -> Done:
    """A dataset a slice, after a first one that finds the repositories."""
    accounts = [wish.account for wish in _wishes(services, job)]
    if "repositories" not in job.result:
        _, found = identities.appearances(services, accounts)
        return Stage.FORGET, {"repositories": [*found], "forgotten": 0}
    number = int(str(job.result["forgotten"]))
    if number < len(PERSONAL):
        dataset = PERSONAL[number]
        job_steps.report(services, job, number, len(PERSONAL), f"removing from {dataset}")
        rows = services.warehouse.forget(dataset, accounts)
        log.info("person_forgotten", dataset=dataset.value, rows=rows)
        return Stage.FORGET, {"forgotten": number + 1}
    personal_data.remove_documents(services, accounts)
    # What was made of rows that are gone is not published from here on.
    people.note_change(services)
    return Stage.REDACT, {}


# --- kept generations ---------------------------------------------------------------------------


def _redact(services: Services, job: Job) -> Done:
    """Some generations a slice: every kept one, of whatever board, is looked at."""
    wishes = _wishes(services, job)
    instead: dict[int, Shown | None] = {}
    for wish in wishes:
        instead |= _instead(wish)
    if "repositories" not in job.result:
        _, found = identities.appearances(services, [wish.account for wish in wishes])
        return Stage.REDACT, {"repositories": [*found]}
    after = job.result.get("redacted_to")
    page = services.documents.query(
        Query(
            "board_generations",
            after=None if after is None else str(after),
            limit=GENERATIONS_A_SLICE,
        )
    )
    slots = sorted({str(document.fields["slot"]) for document in page.documents})
    redacted = 0
    for number, slot in enumerate(slots):
        if number % 20 == 0:
            job_steps.report(services, job, number, len(slots), "rewriting kept boards")
        board, window = slot.rsplit("~", 1)
        redacted += services.publisher.redact(board, window, instead)
    log.info("boards_redacted", boards=redacted)
    if page.cursor is not None:
        return Stage.REDACT, {"redacted_to": page.cursor}
    return Stage.BOARDS_OF_PEOPLE, {}


def _instead(wish: OptOut) -> dict[int, Shown | None]:
    """Who stands in an account's place: on boards it has its id, or that of its pseudonym."""
    places = [wish.account, *([wish.shown_id] if wish.shown_id is not None else [])]
    if wish.mode is Mode.REMOVED:
        return dict.fromkeys(places)
    assert wish.shown_id is not None  # noqa: S101 - the others have a pseudonym
    if wish.mode is Mode.ANONYMOUS:
        return {wish.account: Shown(wish.shown_id, wish.shown_login or "")}
    return {wish.shown_id: Shown(wish.account, wish.login or f"user-{wish.account}")}


# --- boards -------------------------------------------------------------------------------------


def _count_anew(services: Services, job: Job) -> Done:
    """Some repositories a slice, then the global boards."""
    listed = job.result.get("repositories")
    wanted = [int(str(id_)) for id_ in listed] if isinstance(listed, list) else []
    done = int(str(job.result.get("counted", 0)))
    some = wanted[done : done + REPOSITORIES_A_SLICE]
    for number, repo_id in enumerate(some, done):
        job_steps.report(services, job, number, len(wanted), "making boards anew")
        for repository in _registered(services, repo_id):
            _recount(services, repository, repo_id)
    if done + len(some) < len(wanted):
        return Stage.BOARDS_OF_PEOPLE, {"counted": done + len(some)}
    global_requests.request_global(services)
    _end(services, job)
    return None, {"counted": len(wanted)}


def _registered(services: Services, repo_id: int) -> tuple[Repository, ...]:
    """The registrations of a repository: one, or several under names that it had."""
    query = Query("repositories", (("github_id", "==", repo_id),))
    return tuple(map(repositories.read, services.documents.query(query).documents))


def _recount(services: Services, repository: Repository, repo_id: int) -> None:
    held, found = crediting.held_of(services, repo_id, repository.number)
    if (
        held.as_of is None
        or recalculation.find_unit(services, Dataset.CONTRIBUTIONS, repo_id) is None
    ):
        return  # never scraped: nothing was counted
    crediting.credit(services, repo_id, repository.number, held, found)
    try:
        recalculation.recalculate_repository(services, repository)
    except NotFound:
        log.info("board_not_recounted", repository=repository.name)  # it was removed meanwhile


# --- the end ------------------------------------------------------------------------------------


def _end(services: Services, job: Job) -> None:
    """Note that a wish holds everywhere, and leave no trace of what was before."""
    wishes = _wishes(services, job)
    # Also what a report took from boards before they were rewritten.
    hidden = [id_ for wish in wishes for id_ in _hidden(wish)]
    personal_data.withdraw_reports(services, hidden)
    for wish in wishes:
        _settle(services, wish)
    services.documents.scrub()


def _hidden(wish: OptOut) -> list[int]:
    """The ids under which nobody is to be found any more."""
    if wish.mode is Mode.PUBLIC:
        return []
    if wish.mode is Mode.REMOVED and wish.shown_id is not None:
        return [wish.account, wish.shown_id]
    return [wish.account]


def _settle(services: Services, wish: OptOut) -> None:
    path = f"removals/{wish.account}"
    done = wish.model_copy(update={"done_at": iso(services.now())})
    if wish.mode is Mode.REMOVED:
        done = done.model_copy(update={"shown_id": None, "shown_login": None})

    def settle(transaction: Transaction) -> None:
        document = transaction.get(path)
        if document is None or document.fields["request"] != wish.request:
            return  # they have another wish by now
        fields = None if wish.mode is Mode.PUBLIC else done.model_dump(mode="json")
        transaction.write(Write(path, fields))

    services.documents.transact(settle)


def _wishes(services: Services, job: Job) -> list[OptOut]:
    found = people.everything(services.documents, "removals", (("job", "==", job.id),))
    return [OptOut.model_validate(document.fields) for document in found]
