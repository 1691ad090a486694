"""Kept answers, given without the way through the application.

That way takes several times as long as to look up what was answered to the same question in the
same form. The application answers first; it answers whoever has a key or asks for anything unusual,
and whenever what is kept is no longer true.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Hashable, Mapping
from typing import Any

import structlog
from flask import Flask, Response, g, request
from werkzeug.datastructures import Headers
from werkzeug.http import http_date, quote_etag, remove_entity_headers

from functions.api import limiting
from functions.api.access import KEY_HEADER
from functions.api.kept_answers import Rendered, Sent
from functions.api.resource import address_of, surroundings_of
from shared.errors import LeaderboardError

log = structlog.get_logger()

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")
_UNUSUAL = frozenset(
    "HTTP_" + name.upper().replace("-", "_")
    for name in (KEY_HEADER, "If-Match", "If-Range", "Range", "Transfer-Encoding")
)
_OF_ONE_REQUEST = frozenset({"x-request-id", "date", *map(str.lower, limiting.STANDING)})
_MOST_FORMS = 8
"""Callers could make up any number of them."""


def request_id(given: str) -> str:
    """What the caller calls the request, where that is a name, else a new one."""
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def remember(response: Response) -> None:
    """Note what is sent now for whoever asks the same in the same form."""
    rendered: Rendered | None = g.get("rendered")
    if rendered is None or request.method != "GET" or response.status_code != 200:
        return
    if len(rendered.sent) >= _MOST_FORMS:
        return
    headers = tuple(
        (name, value) for name, value in response.headers if name.lower() not in _OF_ONE_REQUEST
    )
    rendered.sent.setdefault(_form(request.environ), Sent(headers, response.get_data()))


def answer(app: Flask, environ: Mapping[str, Any]) -> Response | None:
    """The answer to a request, as the application would give it, or None: then it has to."""
    began = time.monotonic()
    if environ["REQUEST_METHOD"] != "GET" or environ.get("CONTENT_LENGTH") not in ("", "0", None):
        return None
    if not _UNUSUAL.isdisjoint(environ):
        return None
    kept = surroundings_of(app)
    try:
        rendered = kept.answers.again(address_of(environ))
        services = kept.services()
    except LeaderboardError:
        return None
    sent = None if rendered is None else rendered.sent.get(_form(environ))
    if rendered is None or sent is None or services.telemetry.on:
        return None
    asked = app.request_class(dict(environ))
    used = limiting.count_stranger(asked, services)
    if used is not None and not used.fits:
        return None
    headers = Headers(sent.headers)
    unchanged = asked.if_none_match.contains_weak(rendered.etag)
    if unchanged:
        remove_entity_headers(headers)
        headers["ETag"] = quote_etag(rendered.etag)
    name = request_id(environ.get("HTTP_X_REQUEST_ID", ""))
    headers.update({"Date": http_date(), "X-Request-ID": name, **limiting.standing(used)})
    response = Response(None if unchanged else sent.body, 304 if unchanged else 200, headers)
    log.info(
        "request_answered",
        method="GET",
        path=asked.path,
        status=response.status_code,
        duration_ms=int((time.monotonic() - began) * 1000),
        request_id=name,
    )
    return response


def _form(environ: Mapping[str, Any]) -> Hashable:
    """What an answer depends on beside its address."""
    return environ.get("HTTP_ACCEPT_ENCODING"), environ.get("HTTP_ORIGIN")
