"""Which telemetry this process has, by its settings."""

from __future__ import annotations

import atexit
from contextlib import AbstractContextManager

from infra.instance import this_instance
from infra.sentry import Reports, reports_of
from shared.metrics import Metric
from shared.settings import Settings
from shared.telemetry import NOTHING, SILENT, About, Kind, Span, Telemetry


def telemetry_of(settings: Settings) -> Telemetry:
    """OTLP where a collector is set, else nothing; with Sentry's errors sent at the same time."""
    telemetry: Telemetry = SILENT
    if settings.otlp_endpoint is not None:
        from infra.otlp import Otlp

        telemetry = otlp = Otlp(settings, this_instance())
        atexit.register(otlp.close)
    reports = reports_of(settings)
    return telemetry if reports is None else _AndReports(telemetry, reports)


class _AndReports:
    """A telemetry whose flush also sends the errors that were captured."""

    def __init__(self, telemetry: Telemetry, reports: Reports) -> None:
        self._telemetry = telemetry
        self._reports = reports

    @property
    def on(self) -> bool:
        return self._telemetry.on

    def measure(self, metric: Metric, value: float = 1, /, **labels: str) -> None:
        self._telemetry.measure(metric, value, **labels)

    def span(
        self,
        name: str,
        about: About = NOTHING,
        *,
        kind: Kind = "internal",
        parent: str | None = None,
    ) -> AbstractContextManager[Span]:
        return self._telemetry.span(name, about, kind=kind, parent=parent)

    def traceparent(self) -> str | None:
        return self._telemetry.traceparent()

    def flush(self) -> None:
        self._telemetry.flush()
        self._reports.flush()
