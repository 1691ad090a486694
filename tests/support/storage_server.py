"""A loopback server that answers Google's client as Cloud Storage's JSON interface does.

It keeps objects with generations, takes multipart and resumable uploads, honours conditions on the
generation, hands out ranges, and signs for IAM: a signed link opens the object here, where
Google's own would. A test can let calls fail, or lose their answers.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import google_crc32c

from tests.support.loopback_http import Fault, Faults, LoopbackHandler, LoopbackServer


class StorageError(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Stored:
    """An object: its resource as the interface shows it, and its content."""

    resource: dict[str, Any]
    data: bytes


@dataclass
class Upload:
    """A resumable upload under way. ``done`` once it was finished: it may be asked about still."""

    asked: dict[str, str]
    resource: dict[str, Any]
    data: bytearray = field(default_factory=bytearray)
    done: dict[str, Any] | None = None


class StorageServer:
    """One bucket. ``host`` is its ``host:port``; ``calls`` are methods and paths as they came."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self.objects: dict[str, Stored] = {}
        self.uploads: dict[str, Upload] = {}
        self.calls: list[tuple[str, str]] = []
        self.most_sent = 0
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self.faults = Faults()
        self._http = LoopbackServer(_Handler, self)

    @property
    def host(self) -> str:
        return self._http.host

    def stop(self) -> None:
        self._http.stop()

    def fail(self, status: int, *, method: str = "", path: str = "", times: int = 1) -> None:
        """Let the next calls of that method and with ``path`` in their address fail."""
        self.faults.add(Fault(status, method, path, times))

    # --- objects ----------------------------------------------------------------------------

    def found(self, name: str, asked: dict[str, str]) -> Stored:
        stored = self.objects.get(name)
        if (
            stored is None
            or asked.get("generation", stored.resource["generation"])
            != (stored.resource["generation"])
        ):
            raise StorageError(404, f"No such object: {self.bucket}/{name}")
        self._check(name, asked)
        return stored

    def put(self, asked: dict[str, str], resource: dict[str, Any], data: bytes) -> dict[str, Any]:
        name = resource["name"]
        checksum: Any = google_crc32c.Checksum(data)  # type: ignore[no-untyped-call]
        crc32c = base64.b64encode(checksum.digest()).decode()
        if resource.get("crc32c", crc32c) != crc32c:
            raise StorageError(400, "The checksum is not that of the content")
        with self._lock:
            self._check(name, asked)
            kept = {
                **resource,
                "bucket": self.bucket,
                "generation": str(1_700_000_000_000_000 + next(self._numbers)),
                "size": str(len(data)),
                "crc32c": crc32c,
                "md5Hash": base64.b64encode(hashlib.md5(data).digest()).decode(),
            }
            self.objects[name] = Stored(kept, data)
        return kept

    def remove(self, name: str, asked: dict[str, str]) -> None:
        with self._lock:
            self.found(name, asked)
            del self.objects[name]

    def begin(self, asked: dict[str, str], resource: dict[str, Any]) -> str:
        id_ = f"upload-{next(self._numbers)}"
        self.uploads[id_] = Upload(asked, resource)
        return id_

    def _check(self, name: str, asked: dict[str, str]) -> None:
        wanted = asked.get("ifGenerationMatch")
        stored = self.objects.get(name)
        there = "0" if stored is None else stored.resource["generation"]
        if wanted is not None and wanted != there:
            raise StorageError(412, "At least one of the pre-conditions you specified did not hold")


class _Handler(LoopbackHandler):
    server: LoopbackServer

    def answer(self, method: str) -> None:
        address = urllib.parse.urlsplit(self.path)
        asked = dict(urllib.parse.parse_qsl(address.query))
        data = self._body()
        storage: StorageServer = self.server.behind
        storage.calls.append((method, address.path))
        storage.most_sent = max(storage.most_sent, len(data))
        fault = storage.faults.of(method, address.path)
        if fault is not None and fault.status:
            return self._send(fault.status, _json({"error": {"message": "told to fail"}}))
        try:
            status, body, headers = self._route(method, address.path, asked, data)
        except StorageError as error:
            said = {"error": {"code": error.status, "message": str(error)}}
            status, body, headers = error.status, _json(said), {}
        if fault is not None:
            self.close_connection = True
            return None
        return self._send(status, body, headers)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _route(
        self, method: str, path: str, asked: dict[str, str], data: bytes
    ) -> tuple[int, bytes, dict[str, str]]:
        storage: StorageServer = self.server.behind
        objects = f"/storage/v1/b/{storage.bucket}/o"
        if method == "POST" and path.endswith(":signBlob"):
            message = base64.b64decode(json.loads(data)["payload"])
            return 200, _json({"signedBlob": base64.b64encode(_signed(message)).decode()}), {}
        if path == f"/upload{objects}":
            return self._upload(method, asked, data)
        if method == "GET" and path == objects:
            listed = [stored.resource for _, stored in sorted(storage.objects.items())]
            return 200, _json({"items": listed}), {}
        if found := re.fullmatch(f"(?:/download)?{objects}/(.+)", path):
            name = urllib.parse.unquote(found[1])
            if method == "DELETE":
                storage.remove(name, asked)
                return 204, b"", {}
            stored = storage.found(name, asked)
            if asked.get("alt") == "media":
                return self._range(stored)
            return 200, _json(stored.resource), {}
        if method == "GET" and path.startswith(f"/{storage.bucket}/"):
            return self._signed_link(path, asked)
        raise StorageError(501, f"The stand-in knows no {method} {path}")

    def _upload(
        self, method: str, asked: dict[str, str], data: bytes
    ) -> tuple[int, bytes, dict[str, str]]:
        storage: StorageServer = self.server.behind
        if method == "POST":
            assert asked["uploadType"] == "resumable"
            asked = {"name": "", **asked}
            resource = {"contentType": self.headers["X-Upload-Content-Type"], **json.loads(data)}
            id_ = storage.begin(asked, resource)
            address = (
                f"http://{storage.host}{urllib.parse.urlsplit(self.path).path}?upload_id={id_}"
            )
            return 200, b"", {"Location": address, "X-GUploader-UploadID": id_}
        upload = storage.uploads[asked["upload_id"]]
        if upload.done is not None:
            return 200, _json(upload.done), {}
        span, total = self.headers["Content-Range"].removeprefix("bytes ").split("/")
        if span != "*":
            begin = int(span.split("-")[0])
            assert begin <= len(upload.data), "a piece is missing"
            # What is there already is sent again by a client that did not hear so.
            upload.data += data[len(upload.data) - begin :]
        if total != "*" and int(total) == len(upload.data):
            upload.done = storage.put(upload.asked, upload.resource, bytes(upload.data))
            return 200, _json(upload.done), {}
        return 308, b"", {"Range": f"bytes=0-{len(upload.data) - 1}"} if upload.data else {}

    def _range(self, stored: Stored) -> tuple[int, bytes, dict[str, str]]:
        total = len(stored.data)
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        kind = {"Content-Type": stored.resource["contentType"]}
        if found is None:
            return 200, stored.data, kind
        first, last = int(found[1]), int(found[2] or total - 1)
        if first >= total:
            raise StorageError(416, "The requested range cannot be satisfied")
        part = stored.data[first : last + 1]
        return (
            206,
            part,
            {**kind, "Content-Range": f"bytes {first}-{first + len(part) - 1}/{total}"},
        )

    def _signed_link(self, path: str, asked: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        """What a browser gets: the object, if its signature is of exactly what is asked for."""
        storage: StorageServer = self.server.behind
        query = urllib.parse.urlsplit(self.path).query
        signed, _, signature = query.partition("&X-Goog-Signature=")
        canonical = "\n".join(
            ["GET", path, signed, f"host:{storage.host}", "", "host", "UNSIGNED-PAYLOAD"]
        )
        scope = "/".join(urllib.parse.unquote(asked["X-Goog-Credential"]).split("/")[1:])
        message = "\n".join(
            [
                "GOOG4-RSA-SHA256", asked["X-Goog-Date"], scope,
                hashlib.sha256(canonical.encode()).hexdigest(),
            ]
        )  # fmt: skip
        if _signed(message.encode()).hex() != signature:
            raise StorageError(403, "The request signature we calculated does not match")
        stored = storage.found(urllib.parse.unquote(path.split("/", 2)[2]), {})
        headers = {
            "Content-Type": stored.resource["contentType"],
            "Content-Disposition": asked["response-content-disposition"],
        }
        return 200, stored.data, headers


def _signed(message: bytes) -> bytes:
    return hashlib.sha256(b"the account's key" + message).digest()


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


@contextmanager
def storage(bucket: str) -> Iterator[StorageServer]:
    """A server of its own for a test."""
    server = StorageServer(bucket)
    try:
        yield server
    finally:
        server.stop()
