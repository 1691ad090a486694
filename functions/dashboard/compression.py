"""Pages and static files compressed for those who take it."""

from __future__ import annotations

import gzip

from flask import Response, request

SMALLEST = 1000
"""Bytes below which nothing is won."""

_LEVEL = 5
_TEXTS = ("text/", "image/svg+xml", "application/javascript")


def compressed(response: Response) -> Response:
    """The response, compressed if the reader takes gzip."""
    if response.status_code != 200 or not (response.mimetype or "").startswith(_TEXTS):
        return response
    response.vary.add("Accept-Encoding")
    if request.accept_encodings.quality("gzip") <= 0:
        return response
    # Files are passed through, and small enough to be read whole; a stream has no end.
    if response.is_streamed and not response.direct_passthrough:
        return response
    response.direct_passthrough = False
    if len(response.get_data()) < SMALLEST:
        return response
    packed = gzip.compress(response.get_data(), _LEVEL, mtime=0)
    etag, _ = response.get_etag()
    response.set_data(packed)
    response.headers["Content-Encoding"] = "gzip"
    if etag is not None:
        # The same page in other bytes.
        response.set_etag(etag, weak=True)
    return response
