"""Measurements and traces on their way to a collector that may be away or slow."""

from __future__ import annotations

import threading
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from structlog.testing import capture_logs

from infra.instance import VERSION, this_instance
from infra.otlp import MOST_SPANS, PAUSE_SECONDS, Otlp
from shared.metrics import (
    BUDGET_USED,
    JOBS,
    METRICS,
    REQUEST_SECONDS,
    REQUESTS,
    SPANS_DROPPED,
)
from shared.settings import Settings
from tests.support.collector import METRICS as PUSHED
from tests.support.collector import TRACES, Collector, collector
from tests.support.eventually import eventually

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
"""The platform says so of most requests: do not keep it."""


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def told() -> Iterator[Collector]:
    with collector() as running:
        yield running


def otlp(told: Collector, clock: Clock, **settings: object) -> Otlp:
    given = {"otlp_endpoint": told.url, "telemetry_timeout_seconds": 5, **settings}
    return Otlp(Settings.model_validate(given), this_instance(), clock)


def test_each_kind_of_metric_arrives_with_its_unit(told: Collector) -> None:
    telemetry = otlp(told, Clock())
    telemetry.measure(JOBS, type="full_scrape", outcome="failed")
    telemetry.measure(JOBS, 2, type="full_scrape", outcome="failed")
    telemetry.measure(REQUEST_SECONDS, 0.02, route="/x", status="2xx")
    telemetry.measure(REQUEST_SECONDS, 3, route="/x", status="2xx")
    telemetry.measure(BUDGET_USED, 0.5, period="day")
    telemetry.measure(BUDGET_USED, 0.25, period="day")
    telemetry.flush()
    assert told.value(JOBS, type="full_scrape", outcome="failed") == 3
    assert told.recorded(REQUEST_SECONDS, route="/x") == (2, 3.02)
    assert told.value(BUDGET_USED, period="day") == 0.25
    counter, histogram = told.descriptor(JOBS), told.descriptor(REQUEST_SECONDS)
    assert (counter.unit, histogram.unit) == ("{job}", "s")
    assert counter.sum.is_monotonic
    cumulative = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    assert counter.sum.aggregation_temporality == cumulative
    assert tuple(histogram.histogram.data_points[0].explicit_bounds) == REQUEST_SECONDS.bounds


def test_names_are_unique_and_every_histogram_has_its_bounds() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    assert len(METRICS) > 20
    for metric in METRICS:
        assert bool(metric.bounds) == (metric.kind == "histogram")


def test_the_version_is_that_of_the_project() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["version"] == VERSION


def test_between_two_pushes_passes_the_time_that_is_set(told: Collector) -> None:
    clock = Clock()
    telemetry = otlp(told, clock, telemetry_every_seconds=5)
    for _ in range(3):
        telemetry.measure(REQUESTS, method="GET", route="/", status="2xx")
        telemetry.flush()
    assert len(told.under.calls(PUSHED)) == 1
    clock.now += 5
    telemetry.flush()
    assert told.value(REQUESTS, route="/") == 3


def test_what_is_left_when_the_process_ends_is_pushed(told: Collector) -> None:
    telemetry = otlp(told, Clock())
    telemetry.flush()
    telemetry.measure(JOBS, type="export", outcome="completed")
    telemetry.flush()
    assert told.value(JOBS) is None
    telemetry.close()
    assert told.value(JOBS) == 1


def test_what_comes_while_a_push_is_under_way_follows_it(told: Collector) -> None:
    telemetry = otlp(told, Clock(), telemetry_every_seconds=0)
    telemetry.measure(JOBS, type="export", outcome="completed")
    first = threading.Thread(target=telemetry.flush)
    with told.under.holding():
        first.start()
        eventually(lambda: told.under.calls(PUSHED))
        telemetry.measure(JOBS, type="export", outcome="completed")
        telemetry.flush()
    first.join()
    assert eventually(lambda: told.value(JOBS) == 2)


def test_headers_go_along_with_what_is_pushed(told: Collector) -> None:
    telemetry = otlp(told, Clock(), otlp_headers=("api-key=a=b c",))
    with telemetry.span("work"):
        telemetry.measure(REQUESTS, method="GET", route="/", status="2xx")
    telemetry.flush()
    for path in (PUSHED, TRACES):
        (call,) = told.under.calls(path)
        assert call.headers["api-key"] == "a=b c"


def test_spans_stand_in_each_other_and_in_the_trace_that_is_given(told: Collector) -> None:
    telemetry = otlp(told, Clock())
    assert telemetry.traceparent() is None
    with telemetry.span("outer", {"a": 1}, kind="server", parent=PARENT):
        passed_on = telemetry.traceparent()
        with telemetry.span("inner") as span:
            span.note({"b": "c"})
            span.fail("not_found")
    telemetry.flush()
    inner, outer = told.spans()
    assert (outer.trace, outer.parent) == tuple(PARENT.split("-")[1:3])
    assert (inner.trace, inner.parent) == (outer.trace, outer.id)
    assert passed_on == f"00-{outer.trace}-{outer.id}-01"
    assert outer.about == {"a": 1}
    assert inner.about == {"b": "c", "error.type": "not_found"}
    assert (inner.failed, outer.failed) == (True, False)


@pytest.mark.parametrize("parent", ["", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_a_parent_that_cannot_be_read_begins_a_trace(told: Collector, parent: str) -> None:
    telemetry = otlp(told, Clock())
    with telemetry.span("work", parent=parent):
        pass
    telemetry.flush()
    (span,) = told.spans()
    assert span.parent == ""


def test_what_is_thrown_marks_the_span_and_is_not_quoted(told: Collector) -> None:
    telemetry = otlp(told, Clock())
    with pytest.raises(ValueError, match="ana@example"), telemetry.span("work"):
        raise ValueError("ana@example.org")
    telemetry.flush()
    (span,) = told.spans()
    assert span.failed
    assert span.about == {"error.type": "ValueError"}
    assert b"example.org" not in told.under.calls(TRACES)[0].body


def test_no_trace_is_recorded_where_none_is_wanted(told: Collector) -> None:
    telemetry = otlp(told, Clock(), otlp_traces=0)
    with telemetry.span("work", parent=PARENT):
        telemetry.measure(REQUESTS, method="GET", route="/", status="2xx")
    telemetry.flush()
    assert told.value(REQUESTS) == 1
    assert told.spans() == []


def test_a_collector_that_is_away_is_left_alone_and_told_all_later(told: Collector) -> None:
    clock = Clock()
    telemetry = otlp(told, clock, telemetry_timeout_seconds=0.5)
    told.under.die()
    with telemetry.span("early"), capture_logs() as logs:
        telemetry.measure(JOBS, type="export", outcome="completed")
        for _ in range(2):
            telemetry.flush()
            clock.now += PAUSE_SECONDS
    assert [line["event"] for line in logs] == ["telemetry_not_sent"]
    told.under.start()
    telemetry.flush()  # a minute has passed
    assert told.value(JOBS, type="export") == 1
    assert [span.name for span in told.spans()] == ["early"]


@pytest.mark.parametrize("status", [400, 503])
def test_spans_that_the_collector_refused_go_with_the_next_push(
    told: Collector, status: int
) -> None:
    clock = Clock()
    telemetry = otlp(told, clock, telemetry_timeout_seconds=0.5)
    for name in ("first", "second"):
        with telemetry.span(name):
            pass
    told.under.answer(TRACES, status)
    telemetry.flush()
    with telemetry.span("third"):
        pass
    told.under.answer(TRACES, 200)
    clock.now += PAUSE_SECONDS
    before = len(told.spans())
    telemetry.flush()
    assert [span.name for span in told.spans()][before:] == ["first", "second", "third"]
    assert told.value(SPANS_DROPPED) is None


def test_of_spans_that_wait_the_newest_are_kept_and_the_others_counted(told: Collector) -> None:
    clock = Clock()
    telemetry = otlp(told, clock, telemetry_every_seconds=0)
    with telemetry.span("refused"):
        pass
    told.under.answer(TRACES, 400)
    telemetry.flush()
    for number in range(MOST_SPANS + 1):
        with telemetry.span(f"span-{number}"):
            pass
    told.under.answer(TRACES, 200)
    clock.now += PAUSE_SECONDS
    before = len(told.spans())
    telemetry.flush()
    names = [span.name for span in told.spans()][before:]
    assert names == [f"span-{number}" for number in range(1, MOST_SPANS + 1)]
    assert told.value(SPANS_DROPPED) == 2


def test_what_is_put_back_makes_room_for_what_came_meanwhile(told: Collector) -> None:
    clock = Clock()
    telemetry = otlp(told, clock, telemetry_every_seconds=0)
    for number in range(3):
        with telemetry.span(f"old-{number}"):
            pass
    under_way = threading.Thread(target=telemetry.flush)
    told.under.answer(TRACES, 400)
    with told.under.holding(TRACES):
        under_way.start()
        eventually(lambda: told.under.calls(TRACES))
        for number in range(MOST_SPANS - 1):
            with telemetry.span(f"new-{number}"):
                pass
    under_way.join()
    told.under.answer(TRACES, 200)
    clock.now += PAUSE_SECONDS
    before = len(told.spans())
    telemetry.flush()
    names = [span.name for span in told.spans()][before:]
    assert names == ["old-2", *(f"new-{number}" for number in range(MOST_SPANS - 1))]
    assert told.value(SPANS_DROPPED) == 2


def test_an_error_of_the_collector_is_a_failure_and_raises_nothing(told: Collector) -> None:
    clock = Clock()
    telemetry = otlp(told, clock)
    told.under.answer(PUSHED, 400)
    telemetry.measure(JOBS, type="export", outcome="completed")
    telemetry.flush()
    clock.now += PAUSE_SECONDS - 1
    telemetry.flush()
    assert len(told.under.calls(PUSHED)) == 1
    clock.now += 1
    telemetry.flush()
    assert len(told.under.calls(PUSHED)) == 2


def test_a_collector_that_hangs_delays_nobody_beyond_the_bound(told: Collector) -> None:
    clock = Clock()
    telemetry = otlp(told, clock, telemetry_timeout_seconds=0.1, telemetry_every_seconds=0)
    telemetry.measure(JOBS, type="export", outcome="completed")
    with told.under.holding():
        began = time.monotonic()
        for _ in range(20):
            telemetry.flush()
        # One waits for the tenth of a second; a slow machine may need more to get to it.
        assert time.monotonic() - began < 1.0
    assert len(told.under.calls(PUSHED)) == 1
