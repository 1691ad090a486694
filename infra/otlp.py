"""Measurements and traces by OpenTelemetry, pushed by OTLP over HTTP when a request ends.

Only ``infra/telemetry.py`` imports this, and only where there is a collector to push to: the
libraries take a while to load.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import requests
import structlog
from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Counter, Histogram, Meter
from opentelemetry.metrics import _Gauge as Gauge
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from infra.instance import VERSION, Instance
from shared.metrics import METRICS, SPANS_DROPPED, Metric
from shared.settings import Settings
from shared.telemetry import NOTHING, About, Kind, Span

PAUSE_SECONDS = 60.0
"""How long a collector that did not answer is left alone, so that it slows one request a minute."""

MOST_SPANS = 2048
"""Spans that wait to be sent; of more the oldest are dropped, and counted."""

_KINDS: Mapping[Kind, SpanKind] = {
    "server": SpanKind.SERVER,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}
_W3C = TraceContextTextMapPropagator()
_NAME = "leaderboard"

log = structlog.get_logger()

# Its libraries log each failure to send, with the address; this module says it once.
logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)


class Otlp:
    """The port ``Telemetry``. Counters are cumulative, each instance a series of its own."""

    on = True

    def __init__(
        self, settings: Settings, instance: Instance, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if settings.otlp_endpoint is None:
            raise ValueError("there is no collector")
        self._clock = clock
        self._every = settings.telemetry_every_seconds
        self._timeout = settings.telemetry_timeout_seconds
        resource = Resource(_about(instance))
        self._reader = InMemoryMetricReader()
        meters = MeterProvider([self._reader], resource, shutdown_on_exit=False)
        meter = meters.get_meter(_NAME, VERSION)
        self._instruments = {metric.name: _instrument(meter, metric) for metric in METRICS}
        self._finished = _Finished(lambda count: self.measure(SPANS_DROPPED, count))
        tracers = TracerProvider(
            # By the trace's id alone, so that all of a trace is kept or none of it. The platform
            # marks most of what it passes on as not to be kept.
            TraceIdRatioBased(settings.otlp_traces),
            resource,
            shutdown_on_exit=False,
        )
        tracers.add_span_processor(self._finished)
        self._tracer = tracers.get_tracer(_NAME, VERSION)
        self._metric_exporter = OTLPMetricExporter(
            endpoint=_address(settings.otlp_endpoint, "metrics"),
            headers=_headers(settings),
            timeout=self._timeout,
            session=_session(),
        )
        self._span_exporter = OTLPSpanExporter(
            endpoint=_address(settings.otlp_endpoint, "traces"),
            headers=_headers(settings),
            timeout=self._timeout,
            session=_session(),
        )
        self._lock = threading.Lock()
        self._sending = False
        self._again = False
        self._not_before = self._clock()
        self._failing = False

    def measure(self, metric: Metric, value: float = 1, /, **labels: str) -> None:
        instrument, value = self._instruments[metric.name], float(value)
        if isinstance(instrument, Counter):
            instrument.add(value, labels)
        elif isinstance(instrument, Histogram):
            instrument.record(value, labels)
        else:
            instrument.set(value, labels)

    @contextmanager
    def span(
        self,
        name: str,
        about: About = NOTHING,
        *,
        kind: Kind = "internal",
        parent: str | None = None,
    ) -> Iterator[Span]:
        around = None
        if parent is not None and not trace.get_current_span().get_span_context().is_valid:
            around = _W3C.extract({"traceparent": parent}, contexts.get_current())
        with self._tracer.start_as_current_span(
            name,
            around,
            _KINDS[kind],
            dict(about),
            # What is thrown may name people.
            record_exception=False,
            set_status_on_exception=False,
        ) as opened:
            span = _Open(opened)
            try:
                yield span
            except Exception as error:
                span.fail(type(error).__name__)
                raise

    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        _W3C.inject(carrier)
        return carrier.get("traceparent")

    def flush(self) -> None:
        with self._lock:
            now = self._clock()
            if now < self._not_before:
                return
            # What came after the push under way began goes with one that follows it.
            self._again = self._sending
            if self._sending:
                return
            self._sending = True
            self._not_before = now + self._every
        sent = threading.Event()
        # A thread, because neither the look-up of a name nor a slow trickle keeps to a timeout.
        sender = threading.Thread(target=self._send_all, args=(sent,), name="otlp", daemon=True)
        try:
            sender.start()
        except RuntimeError:  # no thread is to be had
            self._sending = False
            return
        if not sent.wait(self._timeout):
            self._leave_alone()

    def close(self) -> None:
        """Send what has gathered since the last time, unless the collector did not answer then."""
        if not self._failing:
            # Here: when the interpreter ends, it begins no thread any more.
            self._send()

    # --- how ------------------------------------------------------------------------------------

    def _send_all(self, first: threading.Event) -> None:
        while True:
            self._send()
            first.set()
            with self._lock:
                if self._failing or not self._again:
                    self._sending = False
                    return
                self._again = False

    def _send(self) -> None:
        sent = False
        try:
            measured = self._reader.get_metrics_data()
            sent = measured is None or (
                self._metric_exporter.export(measured) is MetricExportResult.SUCCESS
            )
            # Those of a collector that does not answer are kept, up to a bound, for the next time.
            left = len(self._finished)
            while sent and left > 0 and (spans := self._finished.take()):
                left -= len(spans)
                sent = self._exported(spans)
        except Exception:  # noqa: BLE001 - whatever it is, requests are answered all the same
            sent = False
        if sent:
            self._failing = False
        else:
            self._leave_alone()

    def _exported(self, spans: list[ReadableSpan]) -> bool:
        """True if the collector has them; else they wait for the next time."""
        taken = False
        try:
            taken = self._span_exporter.export(spans) is SpanExportResult.SUCCESS
        finally:
            if not taken:
                self._finished.put_back(spans)
        return taken

    def _leave_alone(self) -> None:
        with self._lock:
            known, self._failing = self._failing, True
            self._not_before = self._clock() + PAUSE_SECONDS
        if not known:
            log.warning("telemetry_not_sent", pause_seconds=PAUSE_SECONDS)


class _Finished(SpanProcessor):
    """Spans that have ended and wait to be sent, the oldest first. ``dropped`` is told how many
    there was no room for.
    """

    def __init__(self, dropped: Callable[[int], None]) -> None:
        self._spans: deque[ReadableSpan] = deque()
        self._dropped = dropped
        self._lock = threading.Lock()

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is None or not span.context.trace_flags.sampled:
            return
        with self._lock:
            full = len(self._spans) >= MOST_SPANS
            if full:
                self._spans.popleft()
            self._spans.append(span)
        if full:
            self._dropped(1)

    def __len__(self) -> int:
        return len(self._spans)

    def take(self, most: int = 512) -> list[ReadableSpan]:
        with self._lock:
            return [self._spans.popleft() for _ in range(min(most, len(self._spans)))]

    def put_back(self, spans: list[ReadableSpan]) -> None:
        """Have spans that were taken wait again: the newest of them, where others came between."""
        with self._lock:
            room = MOST_SPANS - len(self._spans)
            kept = spans[max(len(spans) - room, 0) :]
            self._spans.extendleft(reversed(kept))
        if len(kept) < len(spans):
            self._dropped(len(spans) - len(kept))


class _Open:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def note(self, about: About) -> None:
        self._span.set_attributes(dict(about))

    def fail(self, code: str) -> None:
        self._span.set_attribute("error.type", code)
        self._span.set_status(Status(StatusCode.ERROR))


def _about(instance: Instance) -> dict[str, str]:
    """By OpenTelemetry's conventions for resources."""
    named = {"faas.name": instance.function, "faas.version": instance.revision}
    return {
        "service.name": _NAME,
        "service.version": VERSION,
        "service.instance.id": instance.id,
        **{name: value for name, value in named.items() if value is not None},
    }


def _instrument(meter: Meter, metric: Metric) -> Counter | Histogram | Gauge:
    if metric.kind == "counter":
        return meter.create_counter(metric.name, metric.unit, metric.what)
    if metric.kind == "gauge":
        return meter.create_gauge(metric.name, metric.unit, metric.what)
    return meter.create_histogram(
        metric.name, metric.unit, metric.what, explicit_bucket_boundaries_advisory=metric.bounds
    )


def _address(endpoint: str, signal: str) -> str:
    return f"{endpoint.rstrip('/')}/v1/{signal}"


def _headers(settings: Settings) -> dict[str, str]:
    return dict(header.split("=", 1) for header in settings.otlp_headers)


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session
