"""The form of answers: which pages of other origins may read them, and how they are packed."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping

import brotli
from flask import Response, g, request

from functions.api.access import KEY_HEADER
from functions.api.kept_answers import Rendered
from shared.settings import Settings

LEAST_BYTES = 1024
"""Below this packing saves nothing."""

_TEXTS = frozenset(
    {
        "application/json",
        "application/javascript",
        "image/svg+xml",
        "text/css",
        "text/csv",
        "text/html",
        "text/javascript",
        "text/plain",
    }
)

_PACKERS: Mapping[str, Callable[[bytes], bytes]] = {
    # Levels that take less time than they save on the way.
    "br": lambda body: brotli.compress(body, quality=4),
    "gzip": lambda body: gzip.compress(body, compresslevel=5, mtime=0),
}
"""The better one first, which is taken where a reader likes both alike."""

_EXPOSED = (
    "ETag, Location, Link, Retry-After, Deprecation, Sunset, X-Request-ID, X-RateLimit-Limit, "
    "X-RateLimit-Remaining, X-RateLimit-Reset"
)
_SENT = f"Content-Type, If-None-Match, X-Request-ID, {KEY_HEADER}"
_REMEMBERED_SECONDS = "600"


def share(response: Response, settings: Settings) -> None:
    """Let pages of the origins that the settings name read the answer (CORS).

    Cookies are never let through: who asks for more than may be read by all sends a key.
    """
    if not settings.cors_origins or not _is_for_programs(request.path):
        return
    origin = request.headers.get("Origin")
    anybody = "*" in settings.cors_origins
    if not anybody:
        response.vary.add("Origin")
    if origin is None or not (anybody or origin in settings.cors_origins):
        return
    response.headers["Access-Control-Allow-Origin"] = "*" if anybody else origin
    response.headers["Access-Control-Expose-Headers"] = _EXPOSED
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        response.headers["Access-Control-Allow-Methods"] = ", ".join(sorted(response.allow))
        response.headers["Access-Control-Allow-Headers"] = _SENT
        response.headers["Access-Control-Max-Age"] = _REMEMBERED_SECONDS


def pack(response: Response) -> None:
    """Pack a text for a reader who takes it packed.

    The same entity is sent in several forms, so its tag becomes a weak one. What is streamed from a
    file, or packed already, is sent as it is.
    """
    if response.mimetype not in _TEXTS:
        return
    response.vary.add("Accept-Encoding")
    if (
        response.direct_passthrough
        or response.is_streamed
        or "Content-Encoding" in response.headers
    ):
        return
    encoding = _chosen()
    if encoding is None or response.status_code in (204, 304):
        return
    body = response.get_data()
    if len(body) < LEAST_BYTES:
        return
    rendered: Rendered | None = g.get("rendered")
    if rendered is not None and rendered.body is body:
        packed = rendered.packed(encoding, _PACKERS[encoding])
    else:
        packed = _PACKERS[encoding](body)
    response.set_data(packed)
    response.headers["Content-Encoding"] = encoding
    tag, _ = response.get_etag()
    if tag is not None:
        response.set_etag(tag, weak=True)


def _chosen() -> str | None:
    """What the reader likes best of what there is. Being silent is no wish for anything packed."""
    wanted = request.accept_encodings
    liked = max(_PACKERS, key=lambda name: wanted[name])
    return liked if wanted[liked] > 0 and wanted[liked] >= wanted["identity"] else None


def _is_for_programs(path: str) -> bool:
    return path.startswith(("/api/", "/health/")) or path == "/openapi.json"
