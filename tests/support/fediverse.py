"""Hosts of the fediverse on loopback, which answer what a test says."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from infra.clock import utc_now
from infra.public_pages import PublicPages


@dataclass
class Fediverse:
    """``answers`` maps a resource (``acct:ana@host``) to status, body and headers."""

    port: int
    answers: dict[str, tuple[int, bytes, dict[str, str]]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """The host and the resource of every request."""
    headers: list[dict[str, str]] = field(default_factory=list)
    drip: threading.Event = field(default_factory=threading.Event)
    """Unset, the head of an answer with status 298 and the body of one with 299 never end."""

    def knows(self, asked: str, subject: str, *pages: str) -> None:
        """Who is asked for one account answers that it is ``subject``, with these pages."""
        links = [{"rel": "http://webfinger.net/rel/profile-page", "href": pages[0]}]
        self.says(asked, {"subject": subject, "aliases": list(pages[1:]), "links": links})

    def says(self, asked: str, body: Any, status: int = 200, **headers: str) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers[asked] = (status, raw, headers)

    def pages(self, **options: Any) -> PublicPages:
        """A reader that takes every host for one of these."""
        chosen: dict[str, Any] = {
            "resolve": lambda _host, _port: ["127.0.0.1"],
            "permits": lambda address, port: (address, port) == ("127.0.0.1", self.port),
            "scheme": "http",
            "seconds": 5.0,
        }
        return PublicPages(**{**chosen, **options})

    def origin(self, host: str) -> str:
        return f"http://{host}:{self.port}"


def certified(host: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The sides of a server and of a client that trusts it, for one host and an hour."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = utc_now()
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    kept = folder / "certificate.pem"
    kept.write_bytes(
        certificate.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(kept)
    return server, ssl.create_default_context(cafile=str(kept))


@contextmanager
def fediverse(tls: ssl.SSLContext | None = None) -> Iterator[Fediverse]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            resource = parse_qs(urlsplit(self.path).query).get("resource", [""])[0]
            there.asked.append((self.headers["Host"].rpartition(":")[0], resource))
            there.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, body, headers = there.answers.get(resource, (404, b"", {}))
            if status == 298:
                self.drip(b"HTTP/1.0 200 OK\r\n", b"X: y\r\n")
                return
            self.send_response(200 if status == 299 else status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.drip(body, b" " if status == 299 else b"")

        def drip(self, start: bytes, rest: bytes) -> None:
            try:
                self.wfile.write(start)
                while rest and not there.drip.wait(0.01):
                    self.wfile.write(rest)
            except OSError:
                return

        def log_message(self, *_: object) -> None:
            """Nothing on the screen."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    there = Fediverse(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield there
    finally:
        there.drip.set()
        server.shutdown()
        server.server_close()
        thread.join()
