"""Handing out blobs of the embedded backend to whoever has a link."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.exceptions import Forbidden, HTTPException, NotFound
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import FileWrapper

from infra.blob_rules import disposition
from infra.local.blobs import LocalBlobs
from shared.errors import LeaderboardError, RetryLater

_HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class BlobServing:
    """A WSGI app for ``GET /{name}?expires=&filename=&signature=``, below ``/blobs``."""

    def __init__(self, blobs: LocalBlobs) -> None:
        self._blobs = blobs

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        try:
            answer: Response | HTTPException = self._answer(Request(environ))
        except HTTPException as refused:
            answer = refused
        return answer(environ, start_response)

    def _answer(self, request: Request) -> Response:
        if request.method not in {"GET", "HEAD"}:
            return Response("Links are for GET.", 405, {**_HEADERS, "Allow": "GET, HEAD"})
        name = request.path.removeprefix("/")
        given = [request.args.get(each, "") for each in ("filename", "expires", "signature")]
        try:
            if not self._blobs.is_signed(name, *given):
                raise Forbidden("This link is not valid, or not any more. Ask for another.")
            found = self._blobs.opened(name)
        except RetryLater as error:
            return Response(error.message, 503, {**_HEADERS, "Retry-After": "10"})
        except LeaderboardError as error:
            raise NotFound(error.message) from error
        if found is None:
            raise NotFound("This file is not kept any more.")
        blob, file = found
        headers = {
            **_HEADERS,
            "Content-Disposition": disposition(given[0]),
            "Content-Length": str(blob.size),
            "Content-Type": blob.content_type,
        }
        if request.method == "HEAD":
            file.close()
            return Response(status=200, headers=headers)
        return Response(FileWrapper(file, 1 << 16), headers=headers, direct_passthrough=True)
