"""Whether the services that everything needs can be used: a cheap call each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from shared.breaker import SERVICES
from shared.context import Services
from shared.errors import LeaderboardError
from shared.rates import Rate
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

CIRCUITS = "circuits"

WITHIN_SECONDS = 2.0
"""How long a check may take before it counts as one that hangs."""

_KNOWN_FOR = timedelta(seconds=2)
"""How long a finding is relied on: anybody may ask at any rate."""


def examine(services: Services, checks: Mapping[str, Check]) -> dict[str, str]:
    """``ok``, or why it cannot be used, of each service."""
    return {name: _try(name, check, services)[0] or OK for name, check in checks.items()}


def checks_of(services: Services) -> Mapping[str, Check]:
    """All that can be looked at here: ``WORKING``, circuit breakers, Redis where one is set."""
    found = {**WORKING, CIRCUITS: lambda services: services.breaker.circuits(SERVICES)}
    return found if services.settings.redis_url is None else {**found, "redis": _ask_redis}


@dataclass(frozen=True, slots=True)
class Finding:
    """``wrong`` is why a service cannot be used, None if it can; ``answer`` is what it said.

    ``latency_ms`` is None where it did not answer in time.
    """

    wrong: str | None
    latency_ms: int | None
    answer: object = None


class Probes:
    """Looks at services side by side, each for a bounded time. One an application; thread-safe.

    A check that hangs is waited for once, by its own thread, and no second one is begun.
    """

    def __init__(self, within: float = WITHIN_SECONDS) -> None:
        self._within = within
        self._lock = threading.Lock()
        self._looks: dict[str, _Look] = {}

    def look(self, services: Services, checks: Mapping[str, Check]) -> dict[str, Finding]:
        """What each check finds. Takes no longer than one of them may."""
        looks = {name: self._begun(name, check, services) for name, check in checks.items()}
        wait([look.future for look in looks.values() if not look.overdue], self._within)
        return {name: self._found(look) for name, look in looks.items()}

    def _begun(self, name: str, check: Check, services: Services) -> _Look:
        now = services.now()
        with self._lock:
            look = self._looks.get(name)
            if look is not None:
                under_way = not look.future.done()
                if under_way or timedelta(0) <= now - look.began < _KNOWN_FOR:
                    return look
            look = self._looks[name] = _Look(now, Future())
        threading.Thread(
            target=copy_context().run,
            args=(_carry_out, look, name, check, services),
            name=f"check {name}",
            daemon=True,
        ).start()
        return look

    def _found(self, look: _Look) -> Finding:
        if look.future.done():
            return look.future.result()
        look.overdue = True
        return Finding(f"It gave no answer within {self._within:g} s.", None)


@dataclass(slots=True)
class _Look:
    """A check under way, or its finding. ``overdue`` is True once it was waited for in vain."""

    began: datetime
    future: Future[Finding]
    overdue: bool = False


def _carry_out(look: _Look, name: str, check: Check, services: Services) -> None:
    wrong, answer = _try(name, check, services)
    latency = max((services.now() - look.began) // timedelta(milliseconds=1), 0)
    look.future.set_result(Finding(wrong, latency, answer))


def _try(name: str, check: Check, services: Services) -> tuple[str | None, object]:
    """Why a check failed, None if it did not, and what it came to."""
    try:
        return None, check(services)
    except LeaderboardError as error:
        return error.message, None
    except Exception as error:
        # Whatever it is, it is an answer: this one cannot be used.
        log.exception("health_check_failed", check=name)
        return type(error).__name__, None


def _ask_redis(services: Services) -> object:
    used = services.rates.look("health", (Rate(1, 1),))
    if used is None:
        raise _NotCounting("Requests are not counted: Redis does not answer.")
    return used


class _NotCounting(LeaderboardError):
    """Limits do not hold for the moment."""
