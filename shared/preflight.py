"""What is looked at before a pipeline run does anything: settings, services, budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from shared import health
from shared.context import Services
from shared.limits import LEAST_BYTES
from shared.settings import Settings

log = structlog.get_logger()

BudgetCheck = Callable[[Services], str | None]
"""Says why nothing may be spent now, None while something may."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was found. ``checks`` are ``ok`` or say what is wrong; ``over_budget`` says why."""

    checks: Mapping[str, str]
    over_budget: str | None

    @property
    def wrong(self) -> dict[str, str]:
        """The checks that stop the run. An exhausted budget is none: it stops the scrapes only."""
        return {name: found for name, found in self.checks.items() if found != health.OK}


def budget_left(services: Services) -> str | None:
    """Why nothing may be spent now, None while something may."""
    room = services.budget.room()
    if room.bytes >= LEAST_BYTES:
        return None
    return f"The budget is used up until {room.renews_at:%Y-%m-%d %H:%M} UTC."


def look(services: Services, budget: BudgetCheck = budget_left) -> Preflight:
    """Settings, a cheap call of each service, and the budget if the services can be used."""
    checks = {"settings": settings_problem(services.settings) or health.OK}
    checks |= health.examine(services, health.WORKING)
    usable = all(found == health.OK for found in checks.values())
    over = budget(services) if usable else None
    log.info("budget_check", over_budget=over)
    return Preflight(checks, over)


def settings_problem(settings: Settings) -> str | None:
    """What contradicts itself among the settings, None if nothing does."""
    problems = [
        f"{name.upper()} is missing" for name in _needed(settings) if not getattr(settings, name)
    ]
    if (settings.notify_webhook_url is None) != (settings.notify_webhook_secret is None):
        problems.append("NOTIFY_WEBHOOK_URL and NOTIFY_WEBHOOK_SECRET belong together")
    longest_step = settings.lease_seconds / 60
    if settings.pipeline_minutes <= longest_step:
        problems.append("PIPELINE_MINUTES is shorter than one step may take (LEASE_SECONDS)")
    return "; ".join(problems) or None


def _needed(settings: Settings) -> tuple[str, ...]:
    if settings.backend == "local":
        return ()
    return ("google_cloud_project", "tasks_service_account", "invoker_service_accounts")
