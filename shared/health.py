"""Whether the services that everything needs can be used: a cheap call each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog

from shared.context import Services
from shared.errors import LeaderboardError
from shared.tables import Dataset

log = structlog.get_logger()

OK = "ok"

Check = Callable[[Services], object]

READING: Mapping[str, Check] = {
    "documents": lambda services: services.documents.get("state/scoring"),
    "warehouse": lambda services: services.warehouse.unit(Dataset.EVENTS, "health"),
}
"""What answering requests needs."""

WORKING: Mapping[str, Check] = {**READING, "tasks": lambda services: services.tasks.depths()}
"""What having work done needs besides."""


def examine(services: Services, checks: Mapping[str, Check]) -> dict[str, str]:
    """``ok``, or why it cannot be used, of each service."""
    return {name: _try(name, check, services) for name, check in checks.items()}


def _try(name: str, check: Check, services: Services) -> str:
    try:
        check(services)
    except LeaderboardError as error:
        return error.message
    except Exception as error:
        # Whatever it is, it is an answer: this one cannot be used.
        log.exception("health_check_failed", check=name)
        return type(error).__name__
    return OK
