"""The dashboard's figures and what went wrong, for programs."""

from __future__ import annotations

from functions.dashboard import overview, pipeline_page
from functions.dashboard.board_page import contributions
from functions.dashboard.widgets import attempt
from shared import jobs
from shared.boards import GLOBAL
from shared.budget_status import Standing
from shared.context import Services
from shared.coverage import Coverage
from shared.jobs import Job, State
from shared.limits import dollars
from shared.models import iso
from shared.ports import Json

LETTERS = 10
FAILED = 10


def stats(services: Services, *, with_costs: bool) -> dict[str, Json]:
    """Totals, jobs of today, budget, freshness and queues. What cannot be read now is null.

    ``budget`` is null, too, for who may not see it and where nothing is metered.
    """
    return {
        "as_of": iso(services.now()),
        "totals": attempt(lambda: _totals(services)).value,
        "jobs_today": attempt(lambda: _jobs(services)).value,
        "budget": attempt(lambda: _budget(services)).value if with_costs else None,
        "freshness": attempt(lambda: _freshness(services)).value,
        "queues": attempt(lambda: _queues(services)).value,
    }


def errors(services: Services) -> dict[str, Json]:
    """The newest failed jobs and open dead letters."""
    page = jobs.listed(services, {"state": State.FAILED.value}, limit=FAILED)
    letters = pipeline_page.letters(services, LETTERS)
    return {
        "as_of": iso(services.now()),
        "failed_jobs": [_failed(jobs.read(document)) for document in page.documents],
        "more_failed_jobs": page.cursor is not None,
        "dead_letters": [
            letter.model_dump(mode="json", include={"id", "failed_at", "reason", "job_id", "type"})
            for letter in letters.letters
        ],
        "more_dead_letters": letters.more,
    }


def _totals(services: Services) -> dict[str, Json]:
    head = services.boards.head(GLOBAL, "all")
    covered = Coverage.model_validate(head.coverage)
    return {
        "contributors": head.total,
        "classes": {class_.value: part.rows for class_, part in head.classes.items()},
        "contributions": contributions(head),
        "generation": head.generation,
        "data_until": head.as_of,
        "captured_percent": covered.percent,
        "complete": covered.complete,
    }


def _jobs(services: Services) -> dict[str, Json]:
    found = overview.jobs_today(services)
    return {
        "newest": [job.id for job in found.jobs],
        "by_state": {state.value: count for state, count in found.by_state.items()},
        "more": found.more,
    }


def _budget(services: Services) -> Json:
    if not services.budget.limits().metered:
        return None
    status = services.budget.status()
    forecast = status.forecast
    return {
        "day": _standing(status.day),
        "month": _standing(status.month),
        "forecast_usd": None if forecast is None else float(dollars(forecast.month)),
    }


def _standing(found: Standing) -> dict[str, Json]:
    return {
        "name": found.name,
        "limit_usd": float(dollars(found.limit)),
        "spent_usd": float(dollars(found.spent)),
        "reserved_usd": float(dollars(found.reserved)),
        "warning": found.warning,
        "renews_at": iso(found.renews_at),
    }


def _freshness(services: Services) -> dict[str, Json]:
    found = overview.freshness(services)
    return {
        "longest_ago": [
            {"repository": each.name, "status": each.status.value, "at": each.last_scraped_at}
            for each in found.repositories
        ],
        "more": found.more,
    }


def _queues(services: Services) -> dict[str, Json]:
    return dict(services.tasks.depths())


def _failed(job: Job) -> dict[str, Json]:
    return {
        "id": job.id,
        "type": job.type.value,
        "repository": job.repository,
        "failed_at": job.finished_at,
        "error": job.error.model_dump(mode="json") if job.error else None,
    }
