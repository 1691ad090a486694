"""A leaderboard that is being run: money spent, jobs in every state, letters, runs; for pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from shared import audit, budget_config, job_steps, jobs, repositories
from shared.budget import Budget
from shared.budget_books import Charge
from shared.context import SYSTEM, Caller, Services
from shared.errors import LeaderboardError, NotFound, RetryLater
from shared.jobs import Job, JobError, Progress, Stage, State
from shared.limits import TIB, Overrides
from shared.models import RepositoryName, iso
from shared.pipeline_runs import PipelineRun, PipelineState, Share, Summary
from shared.pipeline_runs import stored as stored_run
from shared.ports import Json, Usage, Write
from tests.support.dashboard_world import filled

HOSTILE_WORDS = '"><script>alert(1)</script> \u202egnp.exe 🦀 ' + "long" * 60
STATEMENTS = ("extract_events", "credit_contributions", "count_standings", "rank_board")
NAMES = ("octo/engine", "octo/wheels", "octo/brakes")


def priced(services: Services, now: Callable[[], datetime]) -> Services:
    """The services where a TiB costs 6.25 USD, by a clock."""
    settings = services.settings.model_copy(update={"price_per_tib_usd": Decimal("6.25")})
    return replace(services, settings=settings, budget=Budget(services.documents, settings, now))


def spend(
    services: Services,
    moment: datetime,
    id_: str,
    gib: int,
    statement: str,
    names: Sequence[str] = NAMES,
) -> None:
    """A run at a moment: reserved, and billed four fifths of that."""
    budget = Budget(services.documents, services.settings, lambda: moment)
    size = gib << 30
    budget.reserve(Charge(id_, size, statement, None, tuple(names[: 1 + gib % 3])))
    budget.settle(
        Usage(
            statement=statement,
            started_at=moment,
            duration_ms=gib * 70,
            rows=gib * 10_000,
            bytes_processed=size * 4 // 5,
            bytes_billed=size * 4 // 5,
            slot_ms=gib * 900,
            id=id_,
        )
    )


def with_money(services: Services, days: int = 30, names: Sequence[str] = NAMES) -> Services:
    """Runs on most of the last days, one that is still reserved, and limits that were changed."""
    found = priced(services, services.now)
    for back in range(days - 1, -1, -1):
        moment = services.now() - timedelta(days=back)
        for number in range(back % 4):
            statement = STATEMENTS[(back + number) % len(STATEMENTS)]
            spend(found, moment, f"run-{back}-{number}", 20 + back * 37 % 90, statement, names)
    spend(found, services.now(), "run-today", 480, "extract_events", names)
    found.budget.reserve(Charge("run-open", TIB // 8, "count_standings", None, tuple(names)))
    owner = Caller(actor="key:0a1b2c3d", actor_type="admin", address="192.0.2.7")
    budget_config.change(found, owner, Overrides(daily_usd=Decimal("6.50")))
    return found


def with_work(services: Services) -> Services:
    """Jobs in every state, open dead letters and pipeline runs."""
    _failed(services, "octo/brakes", NotFound("No event of octo/brakes was captured."))
    _failed(services, "octo/horn", RetryLater(HOSTILE_WORDS))
    moment = services.now()
    base = {"requested_by": "system", "due_at": iso(moment), "stage": Stage.SCRAPE}
    name: dict[str, object] = {"repository": "octo/wheels", "repository_key": "octo~wheels"}
    later = iso(moment + timedelta(hours=11))
    error = JobError(
        code="temporarily_unavailable",
        message="GitHub answered 502.",
        severity=RetryLater.severity,
        at=iso(moment),
    )
    waits = error.model_copy(
        update={"code": "waits_for_budget", "message": "The budget of this day is spent."}
    )
    states: tuple[dict[str, object], ...] = (
        {"state": State.CANCELLED, "finished_at": iso(moment)},
        {"state": State.RETRYING, "error": error, "failures": 1, "waits_until": later},
        {"state": State.QUEUED, "error": waits, "waits_until": later},
        {
            "state": State.RUNNING,
            "holder": "x",
            "progress": Progress(done=2, total=5, message="reading pull requests"),
        },
    )
    for number, state in enumerate(states):
        job = Job.model_validate(
            {
                **base,
                **name,
                "id": f"{number}{services.new_id()}"[:23],
                "type": "incremental_scrape",
                "created_at": iso(moment + timedelta(seconds=number)),
                **state,
            }
        )
        services.documents.write([jobs.stored(job)])
    services.documents.write([_message_letter(moment), *map(stored_run, _runs(services))])
    services.documents.write(
        [audit.record(services, SYSTEM, "auth.refused", ("key", "unknown"), HOSTILE_WORDS)]
    )
    return services


def running(folder: Path) -> Services:
    """Boards, money and work, all at once."""
    return with_work(with_money(filled(folder)))


def _failed(services: Services, name: str, error: LeaderboardError) -> None:
    """A repository whose scrape failed for good. Nothing is tried twice in such a world."""
    job = repositories.register(services, RepositoryName.parse(name), SYSTEM).job
    assert job is not None

    def fails(_: Job) -> tuple[Stage | None, dict[str, Json]]:
        raise error

    job_steps.run(services, job.id, 0, "once", fails)


def _message_letter(moment: datetime) -> Write:
    letter: dict[str, Json] = {
        "message_id": "17",
        "failed_at": iso(moment),
        "reason": "undeliverable_event",
        "data": {"board": "octo/engine"},
        "attributes": {},
        "settled_at": None,
    }
    return Write("dead_letters/message-17", letter)


def _runs(services: Services) -> list[PipelineRun]:
    moment = services.now()
    common = {
        "requested_by": "system",
        "deadline_at": iso(moment + timedelta(hours=4)),
        "due_at": iso(moment),
    }
    shares = tuple(Share(name=name, key=name.replace("/", "~")) for name in NAMES)
    summary = Summary(
        repositories=3, scraped=2, failed=1, waiting=0, contributors=11, rows=25, seconds=93,
        recalculated=True,
    )  # fmt: skip
    return [
        PipelineRun.model_validate(
            {
                **common,
                "id": "run1",
                "key": "nightly",
                "state": PipelineState.COMPLETED,
                "created_at": iso(moment - timedelta(hours=9)),
                "open": False,
                "repositories": shares,
                "summary": summary,
            }
        ),
        PipelineRun.model_validate(
            {
                **common,
                "id": "run2",
                "key": "manual",
                "state": PipelineState.FAILED,
                "created_at": iso(moment - timedelta(hours=3)),
                "open": False,
                "error": "Preflight failed. warehouse: RetryLater",
            }
        ),
        PipelineRun.model_validate(
            {
                **common,
                "id": "run3",
                "key": "manual",
                "state": PipelineState.SCRAPING,
                "created_at": iso(moment),
                "repositories": shares,
            }
        ),
    ]
