"""Blobs in a bucket of Cloud Storage."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import requests
from google.api_core import exceptions

from infra.blob_rules import check_filename, check_name, check_put, disposition, seconds_of_link
from infra.clock import Clock
from infra.gcp.clients import Once
from infra.gcp.failures import CALL_SECONDS, PATIENCE_SECONDS, as_our_errors
from infra.gcp.signing import signer
from shared.blobs import LINK_LASTS, Blob
from shared.errors import Conflict, NotFound, Rejected, RetryLater
from shared.models import iso, parse_time
from shared.ports import ABSENT

_SERVICE = "Cloud Storage"
_EXPIRES = "expires-at"
_PIECE = 1 << 20
"""What is sent or fetched by one call, and so held in memory: a multiple of 256 KiB."""


class CloudBlobs:
    """The port ``Blobs`` on a bucket that removes by itself what is older than a day.

    Content goes up in pieces, and the blob is there once the last one is. Links are signed by the
    service account that this runs as, which asks IAM to: there is no key file. ``emulator_host``
    is ``host:port`` of what stands in for Cloud Storage and IAM.
    """

    def __init__(
        self,
        project: str,
        bucket: str,
        *,
        now: Clock,
        emulator_host: str | None = None,
        patience: float = PATIENCE_SECONDS,
        piece: int = _PIECE,
    ) -> None:
        self._project = project
        self._bucket_name = bucket
        self._now = now
        self._emulator_host = emulator_host
        self._patience = patience
        self._piece = piece
        self._client = Once(self._connect)
        self._signer = Once(lambda: signer(emulator_host))

    def close(self) -> None:
        """End the connection. A later call opens another."""
        client = self._client.take()
        if client is not None:
            client.close()

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
        with _as_our_errors(name):
            blob = self._bucket().blob(name, chunk_size=self._piece)
            blob.metadata = {_EXPIRES: iso(expires_at), "created-at": iso(self._now())}
            blob.cache_control = "private, no-store"
            blob.upload_from_file(
                _Stream(content),
                content_type=content_type,
                if_generation_match=_generation(if_version),
                **self._options(),
            )
            return _known(blob)

    def read(self, name: str) -> Iterator[bytes]:
        found = self._there(name)
        with _as_our_errors(name):
            # The generation that was found is named, so that every piece is of that one.
            reader = found.open("rb", chunk_size=self._piece, **self._options())
        return _pieces(reader, self._piece, name)

    def about(self, name: str) -> Blob | None:
        found = self._find(name)
        return None if found is None else _known(found)

    def remove(self, name: str) -> None:
        check_name(name)
        with _as_our_errors(name):
            try:
                self._bucket().delete_blob(name, **self._options())
            except exceptions.NotFound:
                return

    def link(self, name: str, *, filename: str, lasts: timedelta = LINK_LASTS) -> str:
        check_filename(filename)
        found = self._there(name)
        seconds = seconds_of_link(_known(found), lasts, self._now())
        with _as_our_errors(name):
            signed: str = found.generate_signed_url(
                version="v4",
                method="GET",
                expiration=seconds,
                response_disposition=disposition(filename),
                credentials=self._signer(),
            )
        return signed

    def sweep(self, limit: int) -> int:
        removed = 0
        with _as_our_errors("what has expired"):
            for found in self._client().list_blobs(self._bucket_name, **self._options()):
                if removed == limit:
                    break
                if _known(found).expires_at <= self._now():
                    removed += self._remove_version(found)
        return removed

    # --- parts ------------------------------------------------------------------------------

    def _remove_version(self, found: Any) -> int:
        """1 unless it is gone, or another was put in its place meanwhile."""
        try:
            found.delete(if_generation_match=found.generation, **self._options())
        except (exceptions.NotFound, exceptions.PreconditionFailed):
            return 0
        return 1

    def _find(self, name: str) -> Any:
        """The blob as Google's client knows it, None where there is none or it has expired."""
        check_name(name)
        with _as_our_errors(name):
            found = self._bucket().get_blob(name, **self._options())
        if found is None or _known(found).expires_at <= self._now():
            return None
        found.chunk_size = self._piece
        return found

    def _there(self, name: str) -> Any:
        found = self._find(name)
        if found is None:
            raise _not_there(name)
        return found

    def _bucket(self) -> Any:
        return self._client().bucket(self._bucket_name)

    def _options(self) -> dict[str, Any]:
        from google.cloud.storage.retry import DEFAULT_RETRY

        repeated = DEFAULT_RETRY.with_timeout(self._patience).with_delay(0.1, 2.0, 2.0)
        return {"timeout": CALL_SECONDS, "retry": repeated}

    def _connect(self) -> Any:
        # Imported here and above: most functions hand out no files, and start sooner without.
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.storage import Client

        # Else the client asks about the bucket in the background, for traces that nobody takes.
        os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
        if self._emulator_host is None:
            return Client(project=self._project)
        return Client(
            project=self._project,
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": f"http://{self._emulator_host}"},
        )


class _Stream(io.RawIOBase):
    """Pieces as a file that is read from its beginning to its end.

    It can be set back by what was read last, which is all that an upload repeats.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._kept = b""
        self._begin = 0
        self._position = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or not self._begin <= offset <= self._begin + len(self._kept):
            raise io.UnsupportedOperation(f"{offset} is not what was read last")
        self._position = offset
        return offset

    def read(self, size: int = -1) -> bytes:
        """Exactly ``size`` bytes, fewer only at the end: a short piece would end the upload."""
        kept = bytearray(self._kept[self._position - self._begin :])
        while size < 0 or len(kept) < size:
            piece = next(self._pieces, None)
            if piece is None:
                size = len(kept)
                break
            kept += piece
        self._kept, self._begin = bytes(kept), self._position
        self._position += size
        return self._kept[:size]


def _pieces(reader: Any, size: int, name: str) -> Iterator[bytes]:
    while True:
        with _as_our_errors(name):
            try:
                piece: bytes = reader.read(size)
            except exceptions.NotFound:
                raise _not_there(name) from None
        if not piece:
            return
        yield piece


def _known(found: Any) -> Blob:
    noted = found.metadata or {}
    return Blob(
        name=found.name,
        size=found.size,
        content_type=found.content_type,
        created_at=parse_time(noted["created-at"]),
        expires_at=parse_time(noted[_EXPIRES]),
        version=str(found.generation),
    )


def _generation(if_version: str | None) -> int | None:
    """The condition as Google's client wants it: 0 is that there is none."""
    if if_version is None:
        return None
    return 0 if if_version == ABSENT else int(if_version)


def _not_there(name: str) -> NotFound:
    return NotFound(f"There is no {name}.", details={"name": name})


@contextmanager
def _as_our_errors(name: str) -> Iterator[None]:
    from google.cloud.storage.exceptions import DataCorruption

    try:
        with as_our_errors(_SERVICE):
            yield
    except Rejected as error:
        if isinstance(error.__cause__, exceptions.PreconditionFailed):
            raise Conflict(f"{name} was put by somebody else.", details=error.details) from error
        raise
    except (requests.RequestException, DataCorruption) as error:
        raise RetryLater(
            f"{_SERVICE} did not answer as it should: {type(error).__name__}.",
            details={"service": _SERVICE, "reason": type(error).__name__},
        ) from error
