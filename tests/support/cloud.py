"""Google Cloud on loopback: each function in a process of its own, behind what the platform does.

A function's process is started by its first call, as the platform does (from one that has loaded
the libraries, ``tests/support/warm_functions.py``). Calls of any but the
public function need a token for it; its signature is removed before the code sees it. Pub/Sub's
emulator sends no token, so what it pushes gets here the one that Pub/Sub would have sent.
"""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from infra.gcp.identity import REMOVED
from tests.support.eventually import eventually
from tests.support.loopback_http import LoopbackHandler

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "invoker@test-project.iam.gserviceaccount.com"
PUBLIC = "api"
EVENT_FUNCTIONS = {"recalculate_leaderboards", "record_dead_letter"}


@dataclass
class Platform:
    """Where the functions are called: ``url`` and the function's name."""

    url: str
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    _ports: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _starter: subprocess.Popen[bytes] | None = None

    def token(self, function: str) -> str:
        """What Scheduler, Tasks or Pub/Sub would carry."""
        now = time.time()
        claims = {
            "iss": "https://accounts.google.com", "aud": f"{self.url}/{function}",
            "email": ACCOUNT, "email_verified": True, "iat": now, "exp": now + 3600,
        }  # fmt: skip
        parts = [json.dumps(part).encode() for part in ({"alg": "RS256"}, claims)]
        return ".".join([*(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in parts), "x"])

    def schedule(self, function: str) -> httpx.Response:
        """Call a function as Cloud Scheduler does at its time."""
        return httpx.post(
            f"{self.url}/{function}",
            json={},
            headers={
                "Authorization": f"Bearer {self.token(function)}",
                "X-CloudScheduler-ScheduleTime": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            },
            timeout=120,
            trust_env=False,
            verify=False,
        )

    def address_of(self, function: str) -> str:
        """Where the function's own process listens; starts it if there is none."""
        with self._lock:
            if function not in self._ports:
                self._ports[function] = self._start(function)
        return f"http://127.0.0.1:{self._ports[function]}"

    def stop(self) -> None:
        if self._starter is not None:
            assert self._starter.stdin is not None
            self._starter.stdin.close()
            self._starter.wait(60)
            assert self._starter.stdout is not None
            self._starter.stdout.close()

    def _start(self, function: str) -> int:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        if self._starter is None:
            self._starter = _starter()
        log = self.log / f"{function}.log"
        told = {"FUNCTION_TARGET": function, "THREADS": "8", "WORKERS": "1"}
        asked = {
            "function": function, "signature": _signature(function), "port": port,
            "log": str(log), "environment": {**self.environment, **told},
        }  # fmt: skip
        assert self._starter.stdin is not None
        assert self._starter.stdout is not None
        self._starter.stdin.write(json.dumps(asked).encode() + b"\n")
        self._starter.stdin.flush()
        child = int(self._starter.stdout.readline())
        eventually(lambda: not _lives(child) or _listens(port), within=60)
        assert _lives(child), log.read_text()[-2000:]
        return port


def _starter() -> subprocess.Popen[bytes]:
    """What starts functions. It ends when its input does, and they with it."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.warm_functions"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def _lives(child: int) -> bool:
    """Whether that grandchild runs: one that ended waits to be noticed, and does not."""
    state = Path(f"/proc/{child}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    return state != "Z"


def _signature(function: str) -> str:
    return "cloudevent" if function in EVENT_FUNCTIONS else "http"


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


class _Front(LoopbackHandler):
    """What stands before a function: names, tokens, the removed signature."""

    platform: Platform

    def do_POST(self) -> None:
        self._forward()

    do_GET = do_DELETE = do_PUT = do_POST  # noqa: N815 - the base class calls them so

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        function, _, rest = self.path.removeprefix("/").partition("/")
        function = function.partition("?")[0]
        if not function:
            self._answer(404, {}, b"")
            return
        headers = {k: v for k, v in self.headers.items() if k.lower() not in {"host", "connection"}}
        if function == PUBLIC:
            target = f"/{rest}"
        else:
            target = "/"
            refused = self._guard(function, headers)
            if refused is not None:
                self._answer(403, {}, refused)
                return
        answer = httpx.request(
            self.command, self.platform.address_of(function) + target, content=body,
            headers=headers, timeout=120, trust_env=False, verify=False,
        )  # fmt: skip
        self._answer(answer.status_code, answer.headers, answer.content)

    def _guard(self, function: str, headers: dict[str, str]) -> bytes | None:
        """Check the token as IAM does. Gives why not, None to let the call in."""
        if "Authorization" not in headers and function in EVENT_FUNCTIONS:
            headers["Authorization"] = f"Bearer {self.platform.token(function)}"
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or token.count(".") != 2:
            return b"no token"
        payload = token.split(".")[1]
        claims: Mapping[str, Any] = json.loads(
            base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        )
        if claims.get("aud") != f"{self.platform.url}/{function}" or claims.get("email") != ACCOUNT:
            return b"not for this function"
        # Tasks' stand-in makes tokens with the claims that Cloud Tasks was told, and no others.
        whole = token if "exp" in claims else self.platform.token(function)
        headers["Authorization"] = f"Bearer {whole.rpartition('.')[0]}.{REMOVED}"
        return None

    def _answer(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() in {"content-type", "location", "etag", "retry-after"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def platform(log: Path) -> Iterator[Platform]:
    """The functions' front. Set ``environment`` before the first call."""
    log.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        handler = type("Front", (_Front,), {})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        made = Platform(f"http://127.0.0.1:{server.server_address[1]}", log)
        handler.platform = made  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        stack.callback(made.stop)
        yield made
