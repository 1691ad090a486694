"""Kept answers, given without the way through the application.

That way takes several times as long as to look up what was answered to the same question in the
same form. The application answers first; it answers whoever has a key or asks for anything unusual,
and whenever what is kept is no longer true.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Hashable
from dataclasses import dataclass
from wsgiref.types import WSGIEnvironment

import structlog
from flask import Flask, Response, g, request
from werkzeug.http import parse_etags, quote_etag, remove_entity_headers

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


def remember(response: Response, path: str) -> None:
    """Note what is sent now for whoever asks the same in the same form. ``path`` is for the log."""
    rendered: Rendered | None = g.get("rendered")
    if rendered is None or request.method != "GET" or response.status_code != 200:
        return
    if len(rendered.sent) >= _MOST_FORMS:
        return
    headers = [each for each in response.headers if each[0].lower() not in _OF_ONE_REQUEST]
    unchanged = [each for each in headers if each[0] != "ETag"]
    remove_entity_headers(unchanged)
    unchanged.append(("ETag", quote_etag(rendered.etag)))
    sent = Sent(headers, unchanged, response.get_data(), path)
    rendered.sent.setdefault(_form(request.environ), sent)


@dataclass(frozen=True, slots=True)
class Direct:
    """A whole answer as a WSGI server takes it; it adds the time itself."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


def answer(app: Flask, environ: WSGIEnvironment) -> Direct | None:
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
    used = limiting.count_stranger(environ, services)
    if used is not None and not used.fits:
        return None
    name = request_id(environ.get("HTTP_X_REQUEST_ID", ""))
    own = [("X-Request-ID", name), *limiting.standing(used).items()]
    known = environ.get("HTTP_IF_NONE_MATCH")
    if known is not None and parse_etags(known).contains_weak(rendered.etag):
        direct = Direct("304 NOT MODIFIED", [*sent.unchanged, *own], b"")
    else:
        direct = Direct("200 OK", [*sent.headers, *own], sent.body)
    log.info(
        "request_answered",
        method="GET",
        path=sent.path,
        status=int(direct.status[:3]),
        duration_ms=int((time.monotonic() - began) * 1000),
        request_id=name,
    )
    return direct


def _form(environ: WSGIEnvironment) -> Hashable:
    """What an answer depends on beside its address."""
    return environ.get("HTTP_ACCEPT_ENCODING"), environ.get("HTTP_ORIGIN")
