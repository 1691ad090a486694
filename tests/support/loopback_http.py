"""What the stand-ins that speak HTTP are made of."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from typing import Any


class LoopbackHandler(BaseHTTPRequestHandler):
    """Keeps connections, sends an answer as one piece, and logs nothing."""

    protocol_version = "HTTP/1.1"
    # Head and body as two small packets would wait for each other: 40 ms an answer.
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass
