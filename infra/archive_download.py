"""Fetching archive files: resumed where a connection broke, tried again where a server failed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from infra.archive_lines import ArchiveLines, Progress
from shared.errors import Rejected, RetryLater

Pause = Callable[[float], None]
"""Waits that many seconds."""

ATTEMPTS = 5

_FIRST_PAUSE = 0.5
_PASSING = frozenset({408, 416, 425, 429})


class _Failed(Exception):
    """This attempt brought nothing whole; another one may."""


def download(
    client: httpx.Client,
    url: str,
    target: Path,
    *,
    progress: Progress | None = None,
    pause: Pause = time.sleep,
) -> Path | None:
    """Fetch an archive file to ``target`` and return it; None where the server has none (404).

    A target that exists is taken as it is. The file grows as ``<target>.part`` and gets its name
    when it is whole, so that what exists is never half a file; a part that was left is resumed if
    the server's file is still the same. A missing hour is a hole, not a failure. Raises
    RetryLater after ATTEMPTS, Rejected where the server refuses.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    reason = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            pause(_FIRST_PAUSE * 2 ** (attempt - 1))
        try:
            return target if _Part(target).complete(client, url, progress) else None
        except (_Failed, httpx.TransportError) as error:
            reason = str(error) or type(error).__name__
    raise RetryLater(
        f"Could not fetch {url} in {ATTEMPTS} attempts: {reason}. What came is kept and resumed.",
        details={"url": url},
    )


class _Part:
    """The part of a file that is here, and the validator of the server's file it is a part of."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._path = target.with_name(f"{target.name}.part")
        self._note = target.with_name(f"{target.name}.part.json")

    def complete(self, client: httpx.Client, url: str, progress: Progress | None) -> bool:
        """Fetch what is missing and give the file its name. False where the server has none."""
        # Identity: a length or a range of something compressed once more would mean nothing.
        headers = {"Accept-Encoding": "identity", **self._conditions()}
        with client.stream("GET", url, headers=headers, follow_redirects=True) as response:
            if response.status_code == httpx.codes.NOT_FOUND:
                self._forget()
                return False
            self._check(response)
            size = self._receive(response, progress)
        here = self._path.stat().st_size
        if size is not None and here != size:
            raise _Failed(f"{here} of {size} bytes came")
        if size is None and _is_damaged(self._path):
            self._forget()
            raise _Failed("the file that came is no whole gzip")
        self._path.replace(self._target)
        self._forget()
        return True

    def _conditions(self) -> dict[str, str]:
        """Ask for the rest only, provided that it is the rest of the same file."""
        try:
            validator = json.loads(self._note.read_text())["validator"]
            length = self._path.stat().st_size
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return {"Range": f"bytes={length}-", "If-Range": str(validator)} if length else {}

    def _check(self, response: httpx.Response) -> None:
        status = response.status_code
        if status in _PASSING or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            if status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                self._forget()
            raise _Failed(f"the server answered {status}")
        if status not in {httpx.codes.OK, httpx.codes.PARTIAL_CONTENT}:
            raise Rejected(
                f"{response.url} answered {status}. Check the address of the archive.",
                details={"url": str(response.url), "status": status},
            )

    def _receive(self, response: httpx.Response, progress: Progress | None) -> int | None:
        """Write what comes; return the size that the whole file should have, where it is told."""
        offset, size = self._span(response)
        if not offset:
            self._forget()
            if validator := _validator(response):
                self._note.write_text(json.dumps({"validator": validator}))
        with self._path.open("r+b" if offset else "wb") as file:
            file.seek(offset)
            file.truncate()
            for (
                data
            ) in response.iter_raw():  # as it comes: a piece of fixed size would be lost in a cut
                file.write(data)
                if progress:
                    progress(file.tell(), size or 0)
        return size

    def _span(self, response: httpx.Response) -> tuple[int, int | None]:
        """Where the answer begins in the file, and the file's size."""
        if response.status_code == httpx.codes.PARTIAL_CONTENT:
            span, _, size = response.headers.get("Content-Range", "").partition("/")
            begin = span.removeprefix("bytes ").partition("-")[0]
            if not begin.isdecimal() or int(begin) != self._path.stat().st_size:
                self._forget()
                raise _Failed("the server sent another range than was asked for")
            return int(begin), int(size) if size.isdecimal() else None
        length = response.headers.get("Content-Length", "")
        return 0, int(length) if length.isdecimal() else None

    def _forget(self) -> None:
        self._path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)


def _validator(response: httpx.Response) -> str | None:
    """What tells one state of the server's file from another; a weak tag does not (RFC 9110)."""
    tag: str = response.headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        return tag
    modified: str | None = response.headers.get("Last-Modified")
    return modified


def _is_damaged(path: Path) -> bool:
    lines = ArchiveLines(path)
    for _ in lines:
        pass
    return lines.truncated
