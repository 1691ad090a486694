"""The public REST API: an HTTP function around a Flask application."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from io import BytesIO
from typing import IO
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import functions_framework
from flask import Flask, Request, Response

from functions.api import shortcut
from functions.api.app import create_app
from functions.api.parsing import MOST_BODY_BYTES

_MOST_DROPPED_BYTES = 32 << 20
"""What the platform itself takes; of a longer body the connection ends before the answer."""


@functions_framework.http
def api(request: Request) -> Response:
    """Answer any request to the public addresses.

    They are the same wherever the function is mounted: where ``/api`` was taken off the path for
    the function's name, it is put back.
    """
    environ = dict(request.environ)
    if environ["PATH_INFO"].startswith("/v1/"):
        environ["PATH_INFO"] = "/api" + environ["PATH_INFO"]
        environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "").removesuffix("/api")
    body, length = _read(request.stream)
    environ |= {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(length)}
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    # The framework reads the request once more when it is answered.
    request.stream = BytesIO()
    app = _app()
    if (direct := shortcut.answer(app, environ)) is not None:
        return Response(direct.body, direct.status, direct.headers)
    with app.request_context(environ):
        try:
            return app.full_dispatch_request()
        except Exception as error:  # noqa: BLE001 - the framework would show its text to the caller
            return app.handle_exception(error)


def front(behind: WSGIApplication) -> WSGIApplication:
    """The kept answers, given before ``behind`` is asked, where the server lets anything be first.

    The way through the framework takes longer than all that is done for such an answer.
    """

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        direct = shortcut.answer(_app(), environ)
        if direct is None:
            return behind(environ, start_response)
        start_response(direct.status, direct.headers)
        return [direct.body]

    return call


@cache
def _app() -> Flask:
    return create_app()


def _read(stream: IO[bytes]) -> tuple[bytes, int]:
    """The body as far as it may be long, and how long it is.

    What is too much is read and dropped, so that its sender gets to see the answer.
    """
    body = stream.read(MOST_BODY_BYTES)
    length = len(body)
    while length < _MOST_DROPPED_BYTES and (piece := stream.read(1 << 16)):
        length += len(piece)
    return body, length
