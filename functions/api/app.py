"""The Flask application behind the function: resources, errors, a line of log a request."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from functions import edge, live_routes, measuring
from functions.api import (
    activity,
    audit_trail,
    comparison,
    config,
    contributors,
    costs,
    coverage,
    dead_letters,
    differences,
    enrichment,
    exports,
    flags,
    form,
    health,
    jobs,
    keys,
    leaderboard,
    limiting,
    openapi,
    people,
    pipeline,
    repositories,
    shortcut,
    system,
)
from functions.api.access import anonymous
from functions.api.parsing import MOST_BODY_BYTES, check_length
from functions.api.resource import Surroundings, surroundings
from functions.dashboard import actions, operations, pages, people_pages
from functions.outside import routes as outside
from shared import audit
from shared.context import Services
from shared.errors import LeaderboardError, Rejected, RetryLater
from shared.settings import Settings
from shared.telemetry import SILENT, Telemetry

log = structlog.get_logger()

RESOURCES = (
    repositories.resource,
    leaderboard.resource,
    people.resource,
    contributors.resource,
    enrichment.resource,
    activity.resource,
    comparison.resource,
    differences.resource,
    config.resource,
    costs.resource,
    audit_trail.resource,
    exports.resource,
    jobs.resource,
    dead_letters.resource,
    pipeline.resource,
    coverage.resource,
    flags.resource,
    keys.resource,
    health.resource,
    system.resource,
    openapi.resource,
)

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def create_app(services: Callable[[], Services] = edge.started) -> Flask:
    """The application. ``services`` is called when the first request needs them."""
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BODY_BYTES
    app.url_map.strict_slashes = False
    app.extensions["leaderboard"] = Surroundings(services)
    for resource in RESOURCES:
        app.register_blueprint(resource)
    for each in (
        pages.blueprint,
        people_pages.blueprint,
        operations.blueprint,
        actions.blueprint,
        outside.blueprint,
    ):
        app.register_blueprint(each)
    live_routes.attach(app, services)
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_forget)
    app.register_error_handler(Exception, _failed)
    return app


def _begin() -> None:
    g.request_id = shortcut.request_id(request.headers.get("X-Request-ID", ""))
    g.started = time.monotonic()
    g.bound = structlog.contextvars.bind_contextvars(request_id=g.request_id)
    measuring.begin(_telemetry())
    check_length(request)
    limiting.admit()


def _finish(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    limiting.tell(response)
    if request.method not in _READING and response.status_code // 100 != 4:
        surroundings().lists.forget()
    if (settings := _settings()) is not None:
        form.share(response, settings)
    form.pack(response)
    # The server tells the time, and would not look whether it was told already.
    response.headers.pop("Date", None)
    path = _path()
    shortcut.remember(response, path)
    log.info(
        "request_answered",
        method=request.method,
        path=path,
        status=response.status_code,
        duration_ms=int((time.monotonic() - g.started) * 1000),
    )
    measuring.end(response)
    return response


def _path() -> str:
    """The path for the log; where a person is named in it, that of all such addresses."""
    named = {"login", "account"} & (request.view_args or {}).keys()
    return request.url_rule.rule if named and request.url_rule else request.path


def _settings() -> Settings | None:
    """The settings, None where they are wrong: that is said by the answer to any question."""
    try:
        return surroundings().services().settings
    except LeaderboardError:
        return None


def _telemetry() -> Telemetry:
    try:
        return surroundings().services().telemetry
    except LeaderboardError:
        return SILENT


def _forget(_error: BaseException | None) -> None:
    measuring.close()
    structlog.contextvars.reset_contextvars(**g.pop("bound", {}))


def _failed(error: Exception) -> Response | AnyResponse:
    """Every error in one shape, and no trace of the inside. People lost off the API see a page."""
    if isinstance(error, HTTPException) and error.code is not None and error.code < 400:
        return error.get_response()
    accepted = request.accept_mimetypes.best_match(("application/json", "text/html"))
    if accepted == "text/html" and not request.path.startswith("/api/"):
        return pages.error_response(error)
    failure = edge.failure_of(error, _now_of(error))
    if failure.is_ours:
        level = log.warning if isinstance(error, RetryLater) else log.exception
        level(
            "request_failed",
            error=failure.code,
            reason=str(error)[:500],
            route=measuring.route_of(request),
        )
        if not isinstance(error, RetryLater):
            _put_on_trail(error)
    elif isinstance(error, Rejected):
        log.info("validation_error", field=error.details.get("field"), reason=error.message)
    body = json.dumps(failure.body(g.request_id), default=str)
    response = Response(body, failure.status, failure.headers, mimetype="application/json")
    response.headers["Cache-Control"] = "no-store"
    return response


def _put_on_trail(error: Exception) -> None:
    """A defect is on the audit trail by its kind and route; what it says may name anybody."""
    try:
        services = surroundings().services()
        caller = g.who.caller if "who" in g else anonymous(request, g.request_id, services.settings)
        route = "none" if request.url_rule is None else request.url_rule.rule
        noted = audit.record(
            services,
            caller,
            "error.in_request",
            ("route", f"{request.method} {route}"),
            type(error).__name__,
        )
        services.documents.write([noted])
    except Exception:
        log.warning("error_not_on_trail", exc_info=True)


def _now_of(error: Exception) -> datetime | None:
    """The time, for an error that names a later one."""
    named = isinstance(error, RetryLater) and error.not_before is not None
    return surroundings().services().now() if named else None
