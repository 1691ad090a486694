"""A web server on loopback that records what it is sent and answers as a test wants."""

from __future__ import annotations

import base64
import json
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Received:
    """One POST. Header names are in lower case."""

    function: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> dict[str, Any]:
        """The Pub/Sub message of a push, its data decoded."""
        message: dict[str, Any] = self.json["message"]
        return message | {"data": json.loads(base64.b64decode(message["data"]))}


class Receiver:
    """Answers 200 unless told otherwise, each function at ``{url}/{function}``."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.busy: Counter[str] = Counter()
        self.most_busy: Counter[str] = Counter()
        self._answers: defaultdict[str, deque[int]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._held: str | None = None
        self._open = threading.Event()
        self._open.set()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen, after ``die`` at the same port again."""
        self._server = _server(self, self._port)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def die(self) -> None:
        """Refuse connections from now on. Idempotent."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, function: str, *statuses: int) -> None:
        """Answer the next calls of a function with these statuses; 0 hangs up without one."""
        self._answers[function].extend(statuses)

    @contextmanager
    def holding(self, function: str | None = None) -> Iterator[None]:
        """Within the block calls, or those of one function, arrive and stay unanswered."""
        self._held = function
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def calls(self, function: str) -> list[Received]:
        with self._lock:
            return [received for received in self.received if received.function == function]

    def handle(self, received: Received) -> int:
        function = received.function
        with self._lock:
            self.received.append(received)
            self.busy[function] += 1
            self.most_busy[function] = max(self.most_busy[function], self.busy[function])
            status = self._answers[function].popleft() if self._answers[function] else 200
        if self._held in {None, function}:
            self._open.wait(30)
        with self._lock:
            self.busy[function] -= 1
        return status


def _server(receiver: Receiver, port: int) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:
                return  # Its sender was killed in the middle.
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = receiver.handle(Received(self.path.removeprefix("/"), headers, body))
            if status:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing: a test's output is its failures."""

    return _Server(("127.0.0.1", port), Handler)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: callers that go away are what many tests are about."""


@contextmanager
def receiver() -> Iterator[Receiver]:
    running = Receiver()
    try:
        yield running
    finally:
        running.die()
