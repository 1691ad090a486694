"""Whether this instance lives, and whether it can do its work."""

from __future__ import annotations

from typing import Literal

from functions.api.links import here
from functions.api.resource import Call, Reply, Resource
from functions.api.schemas import Envelope, Links, Nothing, Shape
from shared import health
from shared.errors import RetryLater

resource = Resource("health", limited=False)


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
    results = health.examine(call.services, health.READING)
    wrong = {name: result for name, result in results.items() if result != health.OK}
    if wrong:
        raise RetryLater(f"Not ready: {', '.join(wrong)}.", details={"checks": results})
    data = Ready(checks=dict.fromkeys(results, "ok"))
    return Reply(ReadyAnswer(data=data, meta=Nothing(), links=here()))
