"""The pipeline: check, scrape what is stale, wait for all of it, bring the boards up to date, tell.

Every step is a transaction that the state of the run guards, so a prompt that is late or doubled
finds it done, and a kill anywhere costs the time until the sweep comes by.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from shared import (
    global_requests,
    jobs,
    pipeline_end,
    preflight,
    repositories,
    staleness,
)
from shared.context import Caller, Services
from shared.errors import Conflict, NotFound
from shared.jobs import Job
from shared.models import iso, parse_time
from shared.pipeline_end import GLOBAL_BOARDS
from shared.pipeline_runs import (
    QUIET,
    PipelineRun,
    PipelineState,
    Share,
    find,
    prompt,
    read,
    stored,
)
from shared.ports import Query, Transaction, Write

_NOT_ENDED = "Its job had not ended."

log = structlog.get_logger()

Change = Callable[[Transaction, PipelineRun], tuple[PipelineRun, Sequence[Write]]]
"""What becomes of a run, and what is to be written besides. Reads only."""


def advance(services: Services, run_id: str) -> PipelineRun | None:
    """Carry a run as far as it goes now. None if there is none (any more). Safe to repeat."""
    with structlog.contextvars.bound_contextvars(pipeline=run_id):
        while (run := find(services, run_id)) is not None and run.open:
            if not _STEPS[run.state](services, run):
                break
        return run


def sweep(services: Services, limit: int = 100) -> int:
    """Prompt the runs of which nothing was heard, end those beyond their deadline.

    Where prompts get lost or die, the deadline still comes. Returns how many there were.
    """
    now = iso(services.now())
    due = services.documents.query(
        Query("pipelines", (("open", "==", True), ("due_at", "<", now)), "due_at", limit=limit)
    )
    for run in map(read, due.documents):
        if run.deadline_at <= now:
            _give_up(services, run)
        _prompt_again(services, run)
    return len(due.documents)


# --- steps: each says whether there may be more to do at once ---------------------------------


def _check(services: Services, run: PipelineRun) -> bool:
    found = preflight.look(services)
    if found.wrong:
        reasons = "; ".join(f"{name}: {why}" for name, why in found.wrong.items())
        pipeline_end.fail(services, run, f"Preflight failed. {reasons}", checks=found.checks)
        return True
    chosen = () if found.over_budget else staleness.mark(services, _limit(services))
    shares = tuple(Share(name=r.name, key=r.key, full=r.last_scraped_at is None) for r in chosen)
    update = {
        "state": PipelineState.SCRAPING,
        "checks": dict(found.checks),
        "skipped": found.over_budget,
        "repositories": shares,
    }
    _move(services, run, lambda _, now: (now.model_copy(update=update), ()))
    log.info("pipeline_checked", chosen=[s.name for s in shares], over_budget=found.over_budget)
    return True


def _scrape(services: Services, run: PipelineRun) -> bool:
    """Ask for what was not asked for yet; then the barrier over all of it."""
    for number, share in enumerate(run.repositories):
        if not share.asked:
            _ask(services, run, number)
            return True
    ended = _shares(services, run)
    if any(share.error == _NOT_ENDED for share in ended):
        return False
    scraped = any(share.state is jobs.State.COMPLETED for share in ended)
    # What was scraped may be on its way to the global boards only as a message.
    wanted = scraped or global_requests.outdated(services)
    job = global_requests.new(services, caller_of(run))

    def recalculate(transaction: Transaction, now: PipelineRun) -> tuple[PipelineRun, list[Write]]:
        update: dict[str, object] = {"state": PipelineState.RECALCULATING, "repositories": ended}
        if not wanted:
            return now.model_copy(update=update), []
        asked, writes = global_requests.noted(transaction, job)
        awaited = jobs.stored(asked.model_copy(update={"awaited_by": (*asked.awaited_by, run.id)}))
        rest = [write for write in writes if write.path != awaited.path]
        return now.model_copy(update={**update, "global_job": asked.id}), [awaited, *rest]

    moved = _move(services, run, recalculate)
    if moved is not None and moved.global_job is not None:
        global_requests.dispatched(services, jobs.get(services, moved.global_job))
    return True


def _recalculate(services: Services, run: PipelineRun) -> bool:
    """Wait for the global boards, then the end."""
    job = _job(services, run.global_job)
    if run.global_job is not None and job is None:
        pipeline_end.fail(services, run, f"The job of {GLOBAL_BOARDS} is gone.")
    elif job is not None and _is_put_off(run, job):
        pipeline_end.complete(services, run, recalculated=False)
    elif job is not None and not job.ended:
        return False
    elif job is not None and job.state is not jobs.State.COMPLETED:
        why = job.error.message if job.error else job.state.value
        pipeline_end.fail(services, run, f"Recalculating {GLOBAL_BOARDS} failed: {why}")
    else:
        pipeline_end.complete(services, run, recalculated=job is not None)
    return True


_STEPS: dict[PipelineState, Callable[[Services, PipelineRun], bool]] = {
    PipelineState.CHECKING: _check,
    PipelineState.SCRAPING: _scrape,
    PipelineState.RECALCULATING: _recalculate,
}


# --- how ------------------------------------------------------------------------------------


def caller_of(run: PipelineRun) -> Caller:
    """For whom the run works, as the audit trail names it."""
    return Caller(actor=f"pipeline:{run.id}", request_id=run.request_id)


def _limit(services: Services) -> int:
    return services.settings.pipeline_repositories


def _move(services: Services, run: PipelineRun, change: Change) -> PipelineRun | None:
    """Make the change unless somebody has moved the run on. The changed run, None if so."""
    due_at = iso(services.now() + QUIET)

    def move(transaction: Transaction) -> PipelineRun | None:
        document = transaction.get(f"pipelines/{run.id}")
        now = None if document is None else read(document)
        if now is None or now.state is not run.state or now.repositories != run.repositories:
            return None
        moved, writes = change(transaction, now)
        moved = moved.model_copy(update={"due_at": due_at})
        for write in (*writes, stored(moved)):
            transaction.write(write)
        return moved

    return services.documents.transact(move)


def _ask(services: Services, run: PipelineRun, number: int) -> None:
    """Ask for one scrape, and note that in the same transaction: so nothing is asked twice."""
    share = run.repositories[number]
    created: list[Job] = []

    def ask(transaction: Transaction, now: PipelineRun) -> tuple[PipelineRun, list[Write]]:
        created.clear()
        writes: list[Write] = []
        try:
            job, others = repositories.noted_scrape(
                services,
                transaction,
                share.registered_as,
                caller_of(run),
                full=share.full,
                queue="default",
            )
        except (NotFound, Conflict) as error:
            done = share.model_copy(update={"error": error.message})
        else:
            job = job.model_copy(update={"awaited_by": (*job.awaited_by, run.id)})
            created.extend([job] if others else [])
            writes = [jobs.stored(job), *others]
            done = share.model_copy(update={"job": job.id})
        shares = (*now.repositories[:number], done, *now.repositories[number + 1 :])
        return now.model_copy(update={"repositories": shares}), writes

    if _move(services, run, ask) is not None and created:
        repositories.begin_scrape(services, created[0])


def _shares(services: Services, run: PipelineRun) -> tuple[Share, ...]:
    """The shares with how their jobs ended, or that they have not."""
    paths = [f"jobs/{share.job}" for share in run.repositories if share.job is not None]
    found = services.documents.get(*paths) if paths else ()
    by_id = {document.id: jobs.read(document) for document in found if document is not None}
    return tuple(
        _with_end(run, share, None if share.job is None else by_id.get(share.job))
        for share in run.repositories
    )


def _with_end(run: PipelineRun, share: Share, job: Job | None) -> Share:
    if share.error is not None:
        return share
    if job is not None and _is_put_off(run, job):
        why = job.error.message if job.error else job.progress.message
        return share.model_copy(update={"error": why, "waits": True})
    if not share.asked or (job is not None and not job.ended):
        return share.model_copy(update={"error": _NOT_ENDED})
    if job is None:
        return share.model_copy(update={"error": "Its job is gone."})
    rows = job.result.get("contributions")
    return share.model_copy(
        update={
            "state": job.state,
            "error": job.error.message if job.error else _unfinished(job),
            "rows": rows if isinstance(rows, int) else None,
        }
    )


def _is_put_off(run: PipelineRun, job: Job) -> bool:
    """True for a job that has no attempt before the run's deadline, as one over the budget."""
    latest = iso(parse_time(run.deadline_at) + jobs.SLACK)
    # One that was never tried is late, and not put off.
    tried = job.error is not None and job.holder is None
    return tried and not job.ended and job.due_at > latest


def _unfinished(job: Job) -> str | None:
    return None if job.state is jobs.State.COMPLETED else f"Its job was {job.state.value.lower()}."


def _give_up(services: Services, run: PipelineRun) -> None:
    """End a run beyond its deadline, naming what it waits for."""
    if run.state is PipelineState.SCRAPING:
        shares = _shares(services, run)
        missing = [share.name for share in shares if share.error == _NOT_ENDED]
        missing.append(GLOBAL_BOARDS)
    else:
        shares = run.repositories
        checking = run.state is PipelineState.CHECKING
        missing = ["the preflight" if checking else GLOBAL_BOARDS]
    pipeline_end.fail(
        services, run, f"It took too long. Missing: {', '.join(missing)}.", shares=shares
    )


def _job(services: Services, job_id: str | None) -> Job | None:
    (document,) = services.documents.get(f"jobs/{job_id}") if job_id else (None,)
    return None if document is None else jobs.read(document)


def _prompt_again(services: Services, run: PipelineRun) -> None:
    """A prompt of the sweep, whose number makes its name a new one."""
    due_at = iso(services.now() + QUIET)

    def count(transaction: Transaction) -> PipelineRun | None:
        document = transaction.get(f"pipelines/{run.id}")
        now = None if document is None else read(document)
        if now is None or not now.open:
            return None
        counted = now.model_copy(update={"prompts": now.prompts + 1, "due_at": due_at})
        transaction.write(stored(counted))
        return counted

    counted = services.documents.transact(count)
    if counted is not None:
        prompt(services, run.id, f"sweep-{counted.prompts}")
