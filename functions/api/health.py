"""Whether this instance lives, and whether it can do its work."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import Field

from functions.api.links import here
from functions.api.resource import Call, Reply, Resource, surroundings
from functions.api.schemas import Envelope, Links, Nothing, Shape
from shared import health
from shared.breaker import SERVICES, Circuit
from shared.errors import RetryLater
from shared.health import Finding

resource = Resource("health", limited=False)

_GUARDED: Mapping[str, str] = {"warehouse": "BigQuery", "github": "github", "notices": "notices"}
"""Parts behind a circuit breaker, and its name. The embedded warehouse has one that never opens."""


class Alive(Shape):
    """This instance answers."""

    status: Literal["alive"] = "alive"


class Part(Shape):
    """A part of what is needed, and how it was found to be."""

    status: Literal["ok", "failed", "left_alone"] = Field(
        description="left_alone: its circuit breaker is open, nobody asks it for now"
    )
    needed: bool = Field(description="True if no request can be answered without it")
    latency_ms: int | None = Field(description="null where it was not asked, or did not answer")
    breaker: Literal["closed", "open", "half-open"] | None = Field(
        description="null where there is none"
    )
    message: str | None = Field(description="Why it cannot be used")


class Ready(Shape):
    """What this instance needs and that it is there, and what else it uses."""

    status: Literal["ready"] = "ready"
    checks: dict[str, Part]


class AliveAnswer(Envelope[Alive, Nothing, Links]):
    """Life."""


class ReadyAnswer(Envelope[Ready, Nothing, Links]):
    """Readiness."""


@resource.operation("GET", "/health/live")
@resource.operation("GET", "/api/v1/health/live")
def show_life(call: Call) -> Reply[AliveAnswer]:  # noqa: ARG001 - every endpoint is called alike
    """This instance answers. Nothing else is looked at."""
    return Reply(AliveAnswer(data=Alive(), meta=Nothing(), links=here()))


@resource.operation("GET", "/health/ready", errors=(RetryLater,))
@resource.operation("GET", "/api/v1/health/ready", errors=(RetryLater,))
def show_readiness(call: Call) -> Reply[ReadyAnswer]:
    """Documents and warehouse can be read. If not, details say what is wrong.

    Each part is asked at most every two seconds, and waited for two seconds at most.
    """
    services = call.services
    found = surroundings().probes.look(services, health.checks_of(services))
    checks = parts(found, services.now())
    wrong = missing(checks)
    if wrong:
        shown = {name: part.model_dump(mode="json") for name, part in checks.items()}
        raise RetryLater(f"Not ready: {', '.join(wrong)}.", details={"checks": shown})
    return Reply(ReadyAnswer(data=Ready(checks=checks), meta=Nothing(), links=here()))


def missing(checks: Mapping[str, Part]) -> list[str]:
    """The parts that are needed and cannot be used."""
    return [name for name, part in checks.items() if part.needed and part.status == "failed"]


def parts(found: Mapping[str, Finding], now: datetime) -> dict[str, Part]:
    """The parts that were looked at, and those whose circuit breaker tells how they are."""
    circuits = _circuits(found.get(health.CIRCUITS))
    looked_at = {name: one for name, one in found.items() if name != health.CIRCUITS}
    return {
        name: _part(name, looked_at.get(name), circuits.get(_GUARDED.get(name, "")), now)
        for name in (*looked_at, *(name for name in _GUARDED if name not in looked_at))
    }


def _circuits(found: Finding | None) -> dict[str, Circuit]:
    answer = found.answer if found is not None else None
    if not isinstance(answer, dict):
        return {}
    return {name: answer[name] for name in SERVICES if name in answer}


def _part(name: str, found: Finding | None, circuit: Circuit | None, now: datetime) -> Part:
    breaker = None if circuit is None else circuit.position(now)
    wrong = None if found is None else found.wrong
    status: Literal["ok", "failed", "left_alone"] = "ok" if wrong is None else "failed"
    if status == "ok" and breaker == "open":
        status = "left_alone"
    return Part(
        status=status,
        needed=name in health.READING,
        latency_ms=None if found is None else found.latency_ms,
        breaker=breaker,
        message=wrong,
    )
