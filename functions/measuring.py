"""What is measured of requests and deliveries, and sent before they are answered.

A function gets no time of its own after its answer, so what has gathered is pushed before.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from flask import Request, Response, g, request

from infra.instance import this_instance
from shared.metrics import DELIVERY_SECONDS, REQUEST_SECONDS, REQUESTS
from shared.telemetry import SILENT, TRACEPARENT, Span, Telemetry

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OTHER = "other"
"""What callers make up is no label of its own."""


def begin(telemetry: Telemetry) -> None:
    """Open the span of the request that is answered now."""
    g.telemetry = telemetry
    if not telemetry.on:
        return
    method, route = _method(), route_of(request)
    span = telemetry.span(
        f"{method} {route}",
        {"http.request.method": method, "http.route": route, "request.id": g.request_id},
        kind="server",
        parent=request.headers.get(TRACEPARENT),
    )
    g.opened = ExitStack()
    g.span = g.opened.enter_context(span)


def end(response: Response) -> None:
    """Count the request, close its span, and push what is due."""
    telemetry: Telemetry = g.get("telemetry", SILENT)
    if telemetry.on:
        status = f"{response.status_code // 100}xx"
        route = route_of(request)
        telemetry.measure(REQUESTS, method=_method(), route=route, status=status)
        took = time.monotonic() - g.started
        telemetry.measure(REQUEST_SECONDS, took, route=route, status=status)
        g.span.note({"http.response.status_code": response.status_code})
        if response.status_code >= 500:
            g.span.fail(str(response.status_code))
    close()
    telemetry.flush()


def close() -> None:
    """Close the span of a request that ended otherwise. Safe to repeat."""
    opened: ExitStack | None = g.pop("opened", None)
    if opened is not None:
        opened.close()


def route_of(of: Request) -> str:
    """The template of the address, which names nobody."""
    return of.url_rule.rule if of.url_rule is not None else _OTHER


def function_of(of: Request) -> str:
    """The function that is called: the one of this process, or the one served at that address."""
    return this_instance().function or of.script_root.strip("/") or _OTHER


class Outcome:
    """What became of a delivery: failed until something better is said."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self.word = "failed"

    def is_(self, word: str, code: str | None = None) -> None:
        """Say what became of it. ``code`` is that of an error."""
        self.word = word
        if code is not None:
            self._span.fail(code)


@contextmanager
def delivery(telemetry: Telemetry, function: str, parent: str | None) -> Iterator[Outcome]:
    """Measure the delivery of a task, message or set time around the block, and push what is due.

    ``parent`` is the traceparent of what asked for it.
    """
    began = time.monotonic()
    try:
        with telemetry.span(function, kind="consumer", parent=parent) as span:
            outcome = Outcome(span)
            try:
                yield outcome
            finally:
                span.note({"outcome": outcome.word})
                took = time.monotonic() - began
                telemetry.measure(DELIVERY_SECONDS, took, function=function, outcome=outcome.word)
    finally:
        telemetry.flush()


def _method() -> str:
    return request.method if request.method in _METHODS else _OTHER
