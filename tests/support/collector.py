"""A collector on loopback: takes what is pushed by OTLP, and what is reported to Sentry."""

from __future__ import annotations

import atexit
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import brotli
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from shared.context import Services
from shared.metrics import Metric
from tests.support.receiver import Received, Receiver, receiver

METRICS, TRACES, ERRORS = "v1/metrics", "v1/traces", "api/1/envelope/"


@dataclass(frozen=True, slots=True)
class SpanReceived:
    """A span: ids in hex, ``parent`` empty for a root."""

    name: str
    trace: str
    id: str
    parent: str
    about: Mapping[str, Any]
    failed: bool


class Collector:
    """What was received so far."""

    def __init__(self, under: Receiver) -> None:
        self.under = under

    @property
    def url(self) -> str:
        return self.under.url

    @property
    def dsn(self) -> str:
        return f"{self.url.replace('://', '://public@')}/1"

    def value(self, metric: Metric, **labels: str) -> float | None:
        """A counter's sum or a gauge's value as it was told last, None if it never was."""
        return next((p.as_double or p.as_int for p in self._points(metric, labels)), None)

    def recorded(self, metric: Metric, **labels: str) -> tuple[int, float] | None:
        """How often a histogram was recorded into, and the sum."""
        return next(((p.count, p.sum) for p in self._points(metric, labels)), None)

    def descriptor(self, metric: Metric) -> Any:
        """The metric as it was told last."""
        return next(each for each in self._metrics() if each.name == metric.name)

    def names(self) -> set[str]:
        return {each.name for each in self._metrics()}

    def labels(self) -> set[str]:
        """Every value of every label of the last push."""
        return {
            attribute.value.string_value
            for metric in self._metrics()
            for point in getattr(metric, metric.WhichOneof("data")).data_points
            for attribute in point.attributes
        }

    def spans(self) -> list[SpanReceived]:
        """In the order in which they ended."""
        found = []
        for received in self.under.calls(TRACES):
            message = ExportTraceServiceRequest.FromString(_unpacked(received))
            for of_resource in message.resource_spans:
                for scope in of_resource.scope_spans:
                    found += [_span(span) for span in scope.spans]
        return found

    def errors(self) -> list[dict[str, Any]]:
        """The events that were reported."""
        found = []
        for received in self.under.calls(ERRORS):
            _, _, *items = _unpacked(received).split(b"\n")
            found.append(json.loads(items[0]))
        return found

    def _metrics(self) -> list[Any]:
        calls = self.under.calls(METRICS)
        if not calls:
            return []
        message = ExportMetricsServiceRequest.FromString(_unpacked(calls[-1]))
        return [
            metric
            for of_resource in message.resource_metrics
            for scope in of_resource.scope_metrics
            for metric in scope.metrics
        ]

    def _points(self, metric: Metric, labels: Mapping[str, str]) -> Iterator[Any]:
        for each in self._metrics():
            if each.name == metric.name:
                for point in getattr(each, each.WhichOneof("data")).data_points:
                    about = {a.key: a.value.string_value for a in point.attributes}
                    if labels.items() <= about.items():
                        yield point


def _span(span: Any) -> SpanReceived:
    return SpanReceived(
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        about={a.key: a.value.string_value or a.value.int_value for a in span.attributes},
        failed=span.status.code == 2,
    )


def _unpacked(received: Received) -> bytes:
    unpack = {
        "": bytes,
        "gzip": gzip.decompress,
        "br": brotli.decompress,
        "deflate": zlib.decompress,
    }
    return bytes(unpack[received.headers.get("content-encoding", "")](received.body))


@contextmanager
def collector() -> Iterator[Collector]:
    """Listens while the block runs."""
    with receiver() as under:
        yield Collector(under)


def pushing_to(told: Collector) -> dict[str, Any]:
    """Settings of a process that pushes after every request, and waits long enough for a test."""
    return {
        "otlp_endpoint": told.url,
        "telemetry_every_seconds": 0,
        "telemetry_timeout_seconds": 10,
    }


def without_exit(services: Services) -> Services:
    """The services, which push nothing when the tests end: the collector is gone by then."""
    close = getattr(services.telemetry, "close", None)
    if close is not None:
        atexit.unregister(close)
    return services
