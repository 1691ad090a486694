"""Whether this instance lives, and whether it can do its work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import structlog

from functions.api.links import here
from functions.api.resource import Call, Reply, Resource
from functions.api.schemas import Envelope, Links, Nothing, Shape
from shared.context import Services
from shared.errors import LeaderboardError, RetryLater
from shared.tables import Dataset

log = structlog.get_logger()

resource = Resource("health")


class Alive(Shape):
    """This instance answers."""

    status: Literal["alive"] = "alive"


class Ready(Shape):
    """What this instance needs, and that it is there."""

    status: Literal["ready"] = "ready"
    checks: dict[str, Literal["ok"]]


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
    """Documents and warehouse can be read. If not, details say which, and why."""
    checks: dict[str, Callable[[Services], object]] = {
        "documents": lambda services: services.documents.get("state/scoring"),
        "warehouse": lambda services: services.warehouse.unit(Dataset.EVENTS, "health"),
    }
    results = {name: _try(name, check, call.services) for name, check in checks.items()}
    wrong = {name: result for name, result in results.items() if result != "ok"}
    if wrong:
        raise RetryLater(f"Not ready: {', '.join(wrong)}.", details={"checks": results})
    data = Ready(checks=dict.fromkeys(results, "ok"))
    return Reply(ReadyAnswer(data=data, meta=Nothing(), links=here()))


def _try(name: str, check: Callable[[Services], object], services: Services) -> str:
    try:
        check(services)
    except LeaderboardError as error:
        return error.message
    except Exception as error:
        # Whatever it is, it is an answer: this one cannot be used.
        log.exception("health_check_failed", check=name)
        return type(error).__name__
    return "ok"
