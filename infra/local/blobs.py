"""Blobs as files: one a blob, which begins with a line of JSON that says what it is.

A file is written beside the others and then renamed, so that what it says and what it holds are
replaced together. Links are signed with a secret that is made once and kept beside the files.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import hmac
import json
import os
import secrets
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote, urlencode

from infra.blob_rules import check_filename, check_name, check_put, seconds_of_link
from infra.clock import Clock
from shared.blobs import LINK_LASTS, Blob
from shared.errors import Conflict, NotFound, RetryLater
from shared.models import iso, parse_time
from shared.ports import ABSENT

ROUTE = "/blobs"
"""Where the embedded server hands blobs out."""

_PIECE = 256 * 1024
_WRITERS_GRACE = timedelta(hours=1)
"""Longer than a put takes: an older unfinished file is a dead writer's."""


class LocalBlobs:
    """The port ``Blobs`` in a folder. Safe in any number of processes."""

    def __init__(self, folder: Path, *, now: Clock) -> None:
        self._folder = folder
        self._unfinished = folder / "unfinished"
        self._now = now

    # --- the port ---------------------------------------------------------------------------

    def put(
        self,
        name: str,
        content: Iterable[bytes],
        *,
        content_type: str,
        expires_at: datetime,
        if_version: str | None = None,
    ) -> Blob:
        check_put(name, content_type, expires_at, self._now())
        blob = Blob(name, 0, content_type, self._now(), expires_at, uuid.uuid4().hex)
        with _as_our_errors():
            self._unfinished.mkdir(parents=True, exist_ok=True)
        path = self._unfinished / blob.version
        try:
            size = _write(path, blob, content)
            with _as_our_errors(), self._locked():
                self._check(name, if_version)
                path.replace(self._path(name))
        finally:
            path.unlink(missing_ok=True)
        self.sweep(100)
        return replace(blob, size=size)

    def read(self, name: str) -> Iterator[bytes]:
        opened = self.opened(name)
        if opened is None:
            raise NotFound(f"There is no {name}.", details={"name": name})
        return _pieces(opened[1])

    def about(self, name: str) -> Blob | None:
        opened = self.opened(name)
        if opened is None:
            return None
        opened[1].close()
        return opened[0]

    def remove(self, name: str) -> None:
        check_name(name)
        with _as_our_errors():
            self._path(name).unlink(missing_ok=True)

    def link(self, name: str, *, filename: str, lasts: timedelta = LINK_LASTS) -> str:
        check_filename(filename)
        found = self.about(name)
        if found is None:
            raise NotFound(f"There is no {name}.", details={"name": name})
        now = self._now()
        expires = int(now.timestamp()) + seconds_of_link(found, lasts, now)
        signature = self._signature(name, filename, str(expires))
        query = urlencode({"expires": expires, "filename": filename, "signature": signature})
        return f"{ROUTE}/{quote(name)}?{query}"

    def sweep(self, limit: int) -> int:
        removed = 0
        with _as_our_errors():
            for path in sorted(self._folder.glob("*.blob")):
                if removed == limit:
                    return removed
                removed += self._remove_expired(path)
            oldest = (self._now() - _WRITERS_GRACE).timestamp()
            for path in self._unfinished.glob("*"):
                with contextlib.suppress(FileNotFoundError):  # whose writer has ended meanwhile
                    if path.stat().st_mtime < oldest:
                        path.unlink()
        return removed

    # --- for the server ---------------------------------------------------------------------

    def opened(self, name: str) -> tuple[Blob, IO[bytes]] | None:
        """What is known of a blob, and its file where the content begins. The caller closes it."""
        check_name(name)
        with _as_our_errors():
            found = _open(self._path(name))
        if found is None:
            return None
        if found[0].expires_at <= self._now():
            found[1].close()
            return None
        return found

    def is_signed(self, name: str, filename: str, expires: str, signature: str) -> bool:
        """Whether a link is one that was made here, and works still. Takes the same time always."""
        expected = self._signature(name, filename, expires)
        fits = hmac.compare_digest(expected.encode(), signature.encode())
        return fits and self._now().timestamp() < int(expires)

    # --- parts ------------------------------------------------------------------------------

    def _path(self, name: str) -> Path:
        return self._folder / f"{quote(name, safe='')}.blob"

    def _check(self, name: str, if_version: str | None) -> None:
        if if_version is None:
            return
        found = self.about(name)
        if (ABSENT if found is None else found.version) != if_version:
            raise Conflict(f"{name} was put by somebody else.", details={"name": name})

    def _remove_expired(self, path: Path) -> int:
        with self._locked():
            found = _open(path)
            if found is None:
                return 0
            found[1].close()
            if found[0].expires_at > self._now():
                return 0
            path.unlink(missing_ok=True)
            return 1

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody else looks at a blob and then changes it."""
        with (self._folder / "lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _signature(self, name: str, filename: str, expires: str) -> str:
        message = f"{name}\n{filename}\n{expires}".encode()
        return hmac.new(self._secret(), message, hashlib.sha256).hexdigest()

    def _secret(self) -> bytes:
        path = self._folder / "secret"
        with _as_our_errors():
            if not path.exists():
                self._unfinished.mkdir(parents=True, exist_ok=True)
                fresh = self._unfinished / f"secret-{uuid.uuid4().hex}"
                fresh.touch(mode=0o600)
                fresh.write_bytes(secrets.token_bytes(32))
                # Of several who make one, that of the first holds.
                with contextlib.suppress(FileExistsError):
                    os.link(fresh, path)
                fresh.unlink()
            return path.read_bytes()


def _write(path: Path, blob: Blob, content: Iterable[bytes]) -> int:
    """The size of the content. What making it raises passes through as it is."""
    note = {
        "content_type": blob.content_type,
        "created_at": iso(blob.created_at),
        "expires_at": iso(blob.expires_at),
        "version": blob.version,
    }
    size = 0
    with path.open("wb") as file:
        with _as_our_errors():
            file.write(json.dumps(note).encode() + b"\n")
        for piece in content:
            with _as_our_errors():
                file.write(piece)
            size += len(piece)
        with _as_our_errors():
            file.flush()
    return size


def _open(path: Path) -> tuple[Blob, IO[bytes]] | None:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    line = file.readline()
    note = json.loads(line)
    blob = Blob(
        name=unquote(path.stem),
        size=os.fstat(file.fileno()).st_size - len(line),
        content_type=note["content_type"],
        created_at=parse_time(note["created_at"]),
        expires_at=parse_time(note["expires_at"]),
        version=note["version"],
    )
    return blob, file


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while True:
            with _as_our_errors():
                piece = file.read(_PIECE)
            if not piece:
                return
            yield piece


@contextmanager
def _as_our_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = "The disk is full" if error.errno == errno.ENOSPC else "The files cannot be reached"
        raise RetryLater(f"{what}: {error.strerror}.", details={"service": "blobs"}) from error
