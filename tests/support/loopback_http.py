"""What the stand-ins that speak HTTP are made of."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class LoopbackHandler(BaseHTTPRequestHandler):
    """Keeps connections, sends an answer as one piece, and logs nothing."""

    protocol_version = "HTTP/1.1"
    # Head and body as two small packets would wait for each other: 40 ms an answer.
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        self.answer("GET")

    def do_POST(self) -> None:
        self.answer("POST")

    def do_PUT(self) -> None:
        self.answer("PUT")

    def do_PATCH(self) -> None:
        self.answer("PATCH")

    def do_DELETE(self) -> None:
        self.answer("DELETE")

    def answer(self, method: str) -> None:
        """Answer the call, of whatever method it is."""
        self.send_error(501, f"There is no {method} here")


@dataclass
class Fault:
    """How the next calls go wrong: ``status`` 0 does the work and drops the answer.

    They are those of ``method`` and with ``path`` in their address.
    """

    status: int
    method: str
    path: str
    times: int
    reason: str = ""


class Faults:
    """What is still to go wrong."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def clear(self) -> None:
        self._waiting.clear()

    def of(self, method: str, path: str) -> Fault | None:
        """What is to go wrong with this call, which counts among those it was meant for."""
        for fault in self._waiting:
            if fault.method in method and fault.path in path:
                fault.times -= 1
                if not fault.times:
                    self._waiting.remove(fault)
                return fault
        return None


class LoopbackServer(ThreadingHTTPServer):
    """Listens from the beginning, until it is stopped. ``behind`` is what handlers answer for."""

    daemon_threads = True

    def __init__(self, handler: type[LoopbackHandler], behind: Any) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.behind = behind
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """Its host and port."""
        return f"127.0.0.1:{self.server_port}"

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no concern of the server's."""
