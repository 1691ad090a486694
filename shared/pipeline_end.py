"""How a pipeline run ends: the summary, the audit entry, and word to whoever has to know."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from shared import audit, notices
from shared.boards import GLOBAL, Head, pointer_path
from shared.context import Caller, Services
from shared.errors import LeaderboardError
from shared.jobs import State
from shared.models import iso, parse_time
from shared.pipeline_runs import (
    PipelineRun,
    PipelineState,
    Share,
    Summary,
    read,
    stored,
)
from shared.ports import Json, Transaction, Write

GLOBAL_BOARDS = "the global boards"

_LEDGER_ROWS = 5000

log = structlog.get_logger()


def complete(services: Services, run: PipelineRun, *, recalculated: bool) -> None:
    """End a run whose steps are done. FAILED if there was something to scrape and all failed."""
    summary = summarise(services, run, recalculated=recalculated)
    if summary.repositories and summary.failed == summary.repositories:
        _end(services, run, summary, error="Every scrape failed.")
    else:
        _end(services, run, summary, error=None)


def fail(
    services: Services,
    run: PipelineRun,
    error: str,
    *,
    checks: Mapping[str, str] | None = None,
    shares: tuple[Share, ...] | None = None,
) -> None:
    """End a run that cannot go on. ``error`` says why, for people.

    ``checks`` and ``shares`` replace the run's own, if they are given.
    """
    last = run.model_copy(
        update={
            "checks": run.checks if checks is None else dict(checks),
            "repositories": run.repositories if shares is None else shares,
        }
    )
    _end(services, last, summarise(services, last), error=error)


def summarise(services: Services, run: PipelineRun, *, recalculated: bool = False) -> Summary:
    """What the run has come to so far. A warehouse that cannot be asked leaves bytes unknown."""
    shares = run.repositories
    scraped = [share for share in shares if share.state is State.COMPLETED]
    waiting = [share for share in shares if share.waits]
    failed = [share for share in shares if share.failed]
    (pointer,) = services.documents.get(pointer_path(GLOBAL, "all"))
    head = None if pointer is None else Head.model_validate_json(pointer.body or b"")
    processed, billed = _bytes(services, run)
    return Summary(
        repositories=len(shares),
        scraped=len(scraped),
        failed=len(failed),
        waiting=len(waiting),
        contributors=0 if head is None else head.total,
        rows=sum(share.rows or 0 for share in scraped),
        seconds=int((services.now() - parse_time(run.created_at)).total_seconds()),
        recalculated=recalculated,
        bytes_processed=processed,
        bytes_billed=billed,
    )


def _bytes(services: Services, run: PipelineRun) -> tuple[int | None, int | None]:
    """What the run's jobs read and were billed, where the warehouse's books name jobs."""
    ours = {share.job for share in run.repositories} | {run.global_job}
    try:
        used = [
            usage
            for usage in services.warehouse.ledger(parse_time(run.created_at), _LEDGER_ROWS)
            if usage.job is not None and usage.job in ours
        ]
    except LeaderboardError:
        return None, None
    if not used:
        return None, None
    return sum(u.bytes_processed for u in used), sum(u.bytes_billed for u in used)


def _end(
    services: Services,
    run: PipelineRun,
    summary: Summary,
    *,
    error: str | None,
) -> None:
    """Note the end, once: with its audit entry, and with the notice that is due."""
    moment = services.now()
    state = PipelineState.COMPLETED if error is None else PipelineState.FAILED
    update: dict[str, object] = {
        "state": state,
        "finished_at": iso(moment),
        "due_at": iso(moment),
        "checks": run.checks,
        "repositories": run.repositories,
        "summary": summary,
        "error": error,
        "open": False,
    }
    action = "pipeline.completed" if error is None else "pipeline.failed"

    def end(transaction: Transaction) -> PipelineRun | None:
        document = transaction.get(f"pipelines/{run.id}")
        now = None if document is None else read(document)
        if now is None or now.ended or now.state is not run.state:
            return None
        ended = now.model_copy(update=update)
        for write in (stored(ended), *_notice(services, ended)):
            transaction.write(write)
        transaction.write(
            audit.record(
                services,
                Caller(actor=f"pipeline:{run.id}", request_id=run.request_id),
                action,
                ("pipeline", run.id),
                error or f"{summary.scraped} of {summary.repositories} repositories scraped",
                new=summary.model_dump(mode="json"),
            )
        )
        return ended

    ended = services.documents.transact(end)
    if ended is not None:
        _log(ended, summary)


def _log(run: PipelineRun, summary: Summary) -> None:
    """Alerts look for ``pipeline_failed``."""
    failed = {share.name: share.error for share in run.repositories if share.failed}
    known = {"pipeline": run.id, "key": run.key, **summary.model_dump()}
    if run.error is not None:
        log.error("pipeline_failed", reason=run.error, failures=failed, **known)
    elif failed:
        log.warning("pipeline_completed", failures=failed, **known)
    else:
        log.info("pipeline_completed", **known)


def _notice(services: Services, run: PipelineRun) -> list[Write]:
    """What is told of a run that failed, or of which a part did."""
    failures: dict[str, Json] = {
        share.name: share.error for share in run.repositories if share.failed
    }
    if run.error is None and not failures:
        return []
    parts = [f"{name}: {error}" for name, error in failures.items()]
    return notices.writes(
        services,
        f"pipeline-{run.id}",
        "pipeline_failed",
        "A pipeline run failed" if run.error else f"{len(failures)} parts of a pipeline run failed",
        text="\n".join([run.error, *parts] if run.error else parts),
        page="/dashboard/pipeline",
        details={
            "run": run.id,
            "key": run.key,
            "state": run.state.value,
            "error": run.error,
            "started_at": run.created_at,
            "finished_at": run.finished_at,
            "summary": None if run.summary is None else run.summary.model_dump(mode="json"),
            "failures": failures,
        },
    )
