"""The live log as a function of its own: an open stream bills its instance, so not the API's."""

from __future__ import annotations

import json
from functools import cache

import functions_framework
from flask import Flask, Request, Response, current_app, has_app_context

from functions import edge, live_routes

_FUNCTION = "stream_logs"


@functions_framework.http
def stream_logs(request: Request) -> Response:
    """Stream the log: by WebSocket at that address, as server-sent events at any other."""
    environ = dict(request.environ)
    if environ["PATH_INFO"] != live_routes.SOCKET:
        environ["PATH_INFO"] = live_routes.STREAM
    app = _app()
    with app.request_context(environ):
        return app.full_dispatch_request()


@cache
def _app() -> Flask:
    app = Flask(__name__, static_folder=None)
    live_routes.attach(app, edge.started, here=True)
    app.register_error_handler(Exception, _failed)
    return app


def _failed(error: Exception) -> Response:
    """An error in the API's form."""
    failure = edge.failure_of(error)
    body = json.dumps(failure.body(""), default=str)
    headers = {**failure.headers, "Access-Control-Allow-Origin": "*", "Cache-Control": "no-store"}
    return Response(body, failure.status, headers, mimetype="application/json")


# The platform imports this within the app that it makes for the function.
if has_app_context() and current_app.name == _FUNCTION:
    live_routes.admit_upgrades(current_app._get_current_object())  # type: ignore[attr-defined]
