"""For those who run it: an instance from within, and the whole system in numbers."""

from __future__ import annotations

import platform
import resource as usage
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from flask import Response
from pydantic import JsonValue

from functions.api.access import ADMIN, READ, admitted, identified
from functions.api.health import Part, missing, parts
from functions.api.links import here
from functions.api.resource import Call, Reply, Resource, services_here, surroundings
from functions.api.schemas import Envelope, Links, Nothing, Shape, Time
from functions.dashboard.kept_pages import kept_pages
from infra.instance import VERSION, this_instance
from shared import health
from shared.archive_fields import EXTRACTION_VERSION
from shared.boards import GLOBAL
from shared.context import Services
from shared.errors import NotFound
from shared.health import Check
from shared.metrics import Metric
from shared.models import WINDOW_DAYS, iso, parse_time
from shared.settings import Settings
from shared.system_state import Reading, SystemState
from shared.telemetry import CacheReads

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

resource = Resource("system")

_SUFFIXES: Mapping[str, str] = {"s": "_seconds", "USD": "_usd", "By": "_bytes", "1": "_ratio"}
"""Of names by unit, as Prometheus and OpenTelemetry's translation into it have them."""


class Versions(Shape):
    """What runs here."""

    software: str
    python: str
    extraction: int


class InstanceShown(Shape):
    """This copy of it. ``function`` and ``revision`` are null off the platform."""

    id: str
    pid: int
    function: str | None
    revision: str | None
    started_at: Time
    uptime_seconds: int
    most_memory_mb: int
    threads: int


class CacheShown(Shape):
    """A cache of this instance, since it began."""

    name: str
    entries: int
    hits: int
    misses: int


class Freshness(Shape):
    """The global board of a window."""

    window: str
    as_of: Time
    published_at: Time
    age_seconds: int


class Detail(Shape):
    """An instance from within. Of settings that are secret it says whether they are set."""

    status: Literal["ready", "not_ready"]
    versions: Versions
    instance: InstanceShown
    settings: dict[str, JsonValue]
    checks: dict[str, Part]
    caches: list[CacheShown]
    queues: dict[str, int] | None
    freshness: list[Freshness] | None
    pushes_telemetry: bool
    reports_errors: bool


class DetailAnswer(Envelope[Detail, Nothing, Links]):
    """An instance from within."""


@resource.operation("GET", "/api/v1/health/detailed", scope=ADMIN)
def show_detail(call: Call) -> Reply[DetailAnswer]:
    """This instance from within: versions, settings, dependencies, caches, queues, freshness.

    What does not answer within two seconds is null, and its check says so.
    """
    services = call.services
    looks: dict[str, Check] = {**health.checks_of(services), "boards": _freshness}
    found = surroundings().probes.look(services, looks)
    boards, depths = found.pop("boards").answer, found["tasks"].answer
    checks = parts(found, services.now())
    data = Detail(
        status="not_ready" if missing(checks) else "ready",
        versions=Versions(
            software=VERSION, python=platform.python_version(), extraction=EXTRACTION_VERSION
        ),
        instance=_instance(services),
        settings=shown_settings(services.settings),
        checks=checks,
        caches=list(_caches(call)),
        queues=dict(depths) if isinstance(depths, Mapping) else None,
        freshness=boards if isinstance(boards, list) else None,
        pushes_telemetry=services.telemetry.on,
        reports_errors=services.settings.sentry_dsn is not None,
    )
    return Reply(DetailAnswer(data=data, meta=Nothing(), links=here()))


@resource.get("/metrics")
def show_metrics() -> Response:
    """How the whole system stands, as Prometheus reads it. Open where costs are, else by key."""
    services = services_here()
    if services.settings.backend != "local":
        admitted(services, identified(services), READ)
    text, media_type = exposition(surroundings().state.get(services))
    response = Response(text, content_type=media_type)
    response.headers["Cache-Control"] = "no-store"
    return response


def exposition(state: SystemState) -> tuple[bytes, str]:
    """The numbers in Prometheus' text format, and its media type."""
    # Imported when asked for: nothing else needs it.
    from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, generate_latest
    from prometheus_client.metrics_core import GaugeMetricFamily
    from prometheus_client.registry import Collector

    class State(Collector):
        def collect(self) -> Iterator[Family]:
            for metric, readings in groupby(_sorted(state), lambda each: each.metric):
                family = GaugeMetricFamily(_name(metric), metric.what, labels=metric.labels)
                for reading in readings:
                    labels = [reading.labels[name] for name in metric.labels]
                    family.add_metric(labels, reading.value)
                yield family
            unreadable = GaugeMetricFamily(
                "leaderboard_unreadable", "1 for a part that could not be read", labels=["part"]
            )
            for part in state.unreadable:
                unreadable.add_metric([part], 1)
            yield unreadable

    registry = CollectorRegistry()
    registry.register(State())
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


def shown_settings(settings: Settings) -> dict[str, JsonValue]:
    """Every setting, those that are secret as ``(set)`` or null."""
    values: dict[str, JsonValue] = settings.model_dump(mode="json")
    secret = {name for name, field in Settings.model_fields.items() if not field.repr}
    return {
        name: ("(set)" if value else None) if name in secret else value
        for name, value in values.items()
    }


def _sorted(state: SystemState) -> list[Reading]:
    return sorted(state.readings, key=lambda each: each.metric.name)


def _name(metric: Metric) -> str:
    return metric.name.replace(".", "_") + _SUFFIXES.get(metric.unit, "")


def _instance(services: Services) -> InstanceShown:
    found = this_instance()
    # Kilobytes, but on macOS, where they are bytes.
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return InstanceShown(
        id=found.id,
        pid=found.pid,
        function=found.function,
        revision=found.revision,
        started_at=iso(found.started_at),
        uptime_seconds=max(int((services.now() - found.started_at).total_seconds()), 0),
        most_memory_mb=usage.getrusage(usage.RUSAGE_SELF).ru_maxrss // unit,
        threads=threading.active_count(),
    )


def _caches(call: Call) -> Iterator[CacheShown]:
    kept: Iterable[tuple[CacheReads, int]] = (
        *call.services.boards.caches,
        *call.known.caches,
        *call.lists.caches,
        *call.ranges.caches,
        *kept_pages().caches,
    )
    for reads, entries in kept:
        yield CacheShown(name=reads.name, entries=entries, hits=reads.hits, misses=reads.misses)


def _freshness(services: Services) -> list[Freshness]:
    found = []
    for window in WINDOW_DAYS:
        try:
            head = services.boards.head(GLOBAL, window)
        except NotFound:
            continue
        age = services.now() - parse_time(head.as_of)
        found.append(
            Freshness(
                window=window,
                as_of=head.as_of,
                published_at=head.published_at,
                age_seconds=int(age.total_seconds()),
            )
        )
    return found
