"""What every page carries: security headers, validators, addresses of static files."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from flask import Response, g, request, url_for

from functions.api.resource import surroundings
from functions.dashboard.compression import compressed

STATIC = Path(__file__).parent / "static"

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

AVATARS = "https://avatars.githubusercontent.com"
"""Where pictures of people are, by their account's number."""

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def finish(response: Response) -> Response:
    """Add the headers; answer 304 to a reader who has this very page."""
    response.headers.update(HEADERS)
    policy = _POLICY
    if "connects_to" in g:
        policy = policy.replace("connect-src 'self'", f"connect-src 'self' {g.connects_to}")
    if avatars():
        policy = policy.replace("img-src 'self'", f"img-src 'self' {AVATARS}")
    response.headers["Content-Security-Policy"] = policy
    if request.endpoint == "dashboard.static":
        if request.args.get("v"):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return compressed(response)
    kept_nowhere = response.cache_control.no_store
    if "session_found" in g:
        response.vary.add("Cookie")
    if not kept_nowhere:
        private = g.get("session_found") is not None
        response.headers["Cache-Control"] = "private, no-cache" if private else "no-cache"
    if response.status_code == 200 and request.method in ("GET", "HEAD"):
        response.add_etag()
        response.make_conditional(request)
    return compressed(response)


def avatars() -> bool:
    """Whether pictures of people are shown; not where the settings cannot be read."""
    try:
        return surroundings().services().settings.avatars
    except Exception:  # noqa: BLE001 - the page that tells of this must not fail of it, too
        return False


def asset(name: str) -> str:
    """The address of a static file; it changes with the content, so it may be cached for good."""
    return url_for("dashboard.static", filename=name, v=_digest(name))


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
