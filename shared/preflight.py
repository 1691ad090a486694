"""What is looked at before a pipeline run does anything: settings, services, budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from shared import health
from shared.context import Services
from shared.models import iso
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


class Standing(Protocol):
    """A day or month against its limit. ``name`` is its date, money in micro-dollars."""

    @property
    def name(self) -> str: ...
    @property
    def remaining(self) -> int: ...
    @property
    def renews_at(self) -> datetime: ...


class BudgetStatus(Protocol):
    """The budget now."""

    @property
    def day(self) -> Standing: ...
    @property
    def month(self) -> Standing: ...


def budget_left(services: Services) -> str | None:
    """Why nothing may be spent now, None while something may. Nothing costs on one machine."""
    budget = getattr(services, "budget", None)
    if budget is None or services.settings.backend == "local":
        return None
    status: BudgetStatus = budget.status()
    return exhausted(status)


def exhausted(status: BudgetStatus) -> str | None:
    """Which period has nothing left, and until when; the longest. None if both have something."""
    for period in (status.month, status.day):
        if period.remaining <= 0:
            return f"The budget of {period.name} is used up until {iso(period.renews_at)}."
    return None


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
