"""How a pipeline run ends: the summary, the audit entry, and word to whoever has to know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta

import structlog

from shared import audit
from shared.boards import GLOBAL, Head, pointer_path
from shared.context import Caller, Services
from shared.errors import LeaderboardError, RetryLater
from shared.jobs import State
from shared.models import iso, parse_time
from shared.pipeline_runs import (
    NoticeState,
    PipelineRun,
    PipelineState,
    Share,
    Summary,
    read,
    stored,
)
from shared.ports import Transaction
from shared.webhooks import DELIVERY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signature

GLOBAL_BOARDS = "the global boards"

NOTICE_ATTEMPTS = 5
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
    wanted = error is not None or summary.failed > 0
    told = wanted and services.settings.notify_webhook_url is not None
    update: dict[str, object] = {
        "state": state,
        "finished_at": iso(moment),
        "due_at": iso(moment),
        "checks": run.checks,
        "repositories": run.repositories,
        "summary": summary,
        "error": error,
        "open": told,
        "notice": NoticeState.PENDING if told else None,
    }
    action = "pipeline.completed" if error is None else "pipeline.failed"

    def end(transaction: Transaction) -> PipelineRun | None:
        document = transaction.get(f"pipelines/{run.id}")
        now = None if document is None else read(document)
        if now is None or now.ended or now.state is not run.state:
            return None
        ended = now.model_copy(update=update)
        transaction.write(stored(ended))
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


# --- the notice -------------------------------------------------------------------------------


def tell(services: Services, run: PipelineRun) -> bool:
    """Send the notice of a run that ended, if it is due. At least once; a few attempts at most."""
    url, secret = services.settings.notify_webhook_url, services.settings.notify_webhook_secret
    if url is None or secret is None or run.notice_attempts >= NOTICE_ATTEMPTS:
        _told(services, run, NoticeState.GIVEN_UP)
        return False
    if not _claim(services, run):
        return False
    body = json.dumps(notice(run), ensure_ascii=False).encode()
    timestamp = str(int(services.now().timestamp()))
    headers = {
        "Content-Type": "application/json",
        TIMESTAMP_HEADER: timestamp,
        SIGNATURE_HEADER: signature(secret, timestamp, body),
        DELIVERY_HEADER: run.id,
    }
    try:
        services.breaker.guard("notices", lambda: services.outward.post(url, body, headers))
    except RetryLater as error:
        log.warning("notice_postponed", reason=error.message)
    except LeaderboardError:
        log.exception("notice_refused")
        _told(services, run, NoticeState.GIVEN_UP)
    else:
        _told(services, run, NoticeState.SENT)
    return False


def notice(run: PipelineRun) -> dict[str, object]:
    """What is told of a run that failed, or of which a part did."""
    return {
        "event": "pipeline_failed" if run.error is not None else "pipeline_completed",
        "run": run.id,
        "key": run.key,
        "state": run.state.value,
        "error": run.error,
        "started_at": run.created_at,
        "finished_at": run.finished_at,
        "summary": None if run.summary is None else run.summary.model_dump(mode="json"),
        "failures": {s.name: s.error for s in run.repositories if s.failed},
    }


def _claim(services: Services, run: PipelineRun) -> bool:
    """Take the next attempt, which nobody else then makes. The sweep prompts the one after."""
    moment = services.now()
    wait = timedelta(minutes=2**run.notice_attempts)

    def claim(transaction: Transaction) -> bool:
        document = transaction.get(f"pipelines/{run.id}")
        now = None if document is None else read(document)
        if now is None or not now.open or now.notice_attempts != run.notice_attempts:
            return False
        if now.notice_after is not None and parse_time(now.notice_after) > moment:
            return False
        claimed = now.model_copy(
            update={
                "notice_attempts": now.notice_attempts + 1,
                "notice_after": iso(moment + wait),
                "due_at": iso(moment + wait),
            }
        )
        transaction.write(stored(claimed))
        return True

    return services.documents.transact(claim)


def _told(services: Services, run: PipelineRun, how: NoticeState) -> None:
    def note(transaction: Transaction) -> None:
        document = transaction.get(f"pipelines/{run.id}")
        now = None if document is None else read(document)
        if now is not None and now.open:
            transaction.write(stored(now.model_copy(update={"notice": how, "open": False})))

    services.documents.transact(note)
