"""Asking hosts that strangers name, without being led to where only we can go.

The host's addresses are looked up once, all of them have to be public ones, and the connection is
made to the very address that was checked: a name that answers differently a second time gains
nothing. Redirects are not followed; time and size are bounded.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import httpx

from infra.tls import trusted
from shared.errors import Rejected, RetryLater

SECONDS = 10.0
"""For a whole answer once the host's name is looked up; a third of it for each wait within."""

MOST_BYTES = 64 * 1024

_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/32")
"""Addresses that stand for IPv4 ones, which may be private (RFC 6052, RFC 8215)."""

Resolve = Callable[[str, int], Sequence[str]]
Permits = Callable[[str, int], bool]


class PublicPages:
    """Reads from public hosts by https at its usual port.

    ``resolve`` gives the addresses of a host; ``permits`` says whether an address and port may be
    connected to; ``scheme`` is the only one that is taken. ``trusted`` holds other authorities than
    the usual ones.
    """

    def __init__(
        self,
        *,
        resolve: Resolve | None = None,
        permits: Permits | None = None,
        scheme: str = "https",
        seconds: float = SECONDS,
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        self._resolve = resolve or addresses_of
        self._permits = permits or is_public
        self._scheme = scheme
        self._seconds = seconds
        self._trusted = trusted

    def read(self, address: str, accept: str) -> bytes | None:
        """The body of an answer with status 200, None for any other final answer.

        Raises Rejected for what may not be asked or is too long, RetryLater for what may pass: no
        such host, no answer in time, 429, 500 and more.
        """
        url = self._checked(address)
        port = url.port or {"https": 443}.get(url.scheme, 80)
        found = self._resolve(url.host, port)
        if not found or not all(self._permits(each, port) for each in found):
            raise Rejected("The host is not a public one.")
        end = time.monotonic() + self._seconds
        wire = _Wire()
        headers = {
            "Host": url.netloc.decode("ascii"),
            "Accept": accept,
            "Accept-Encoding": "identity",
            "User-Agent": "contributor-leaderboard",
        }
        try:
            with (
                wire.cut_after(self._seconds),
                httpx.Client(
                    timeout=self._seconds / 3, trust_env=False, verify=self._trusted or trusted()
                ) as client,
                client.stream(
                    "GET",
                    url.copy_with(host=found[0]),
                    headers=headers,
                    extensions={"sni_hostname": url.host, "trace": wire.trace},
                ) as answer,
            ):
                if answer.status_code == 429 or answer.status_code >= 500:
                    raise RetryLater(f"The host answered {answer.status_code}.")
                return _body(answer, end) if answer.status_code == 200 else None
        except httpx.HTTPError as error:
            raise RetryLater(f"The host did not answer: {type(error).__name__}.") from error

    def _checked(self, address: str) -> httpx.URL:
        try:
            url = httpx.URL(address)
        except httpx.InvalidURL as error:
            raise Rejected("The address cannot be read.") from error
        if url.scheme != self._scheme or not url.host or url.userinfo:
            raise Rejected(f"Only {self._scheme} addresses without a user are asked.")
        return url


def is_public(address: str, port: int) -> bool:
    """True for port 443 of an address that anybody on the internet may reach."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and (
        found.sixtofour
        or found.teredo
        or found.ipv4_mapped
        or found.is_site_local
        or found in _TRANSLATED
    ):
        return False
    reserved = found.is_private or found.is_multicast or found.is_reserved
    return port == 443 and found.is_global and not reserved


def addresses_of(host: str, port: int) -> Sequence[str]:
    """The addresses of a host. Raises RetryLater where it has none now, Rejected for no name."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise RetryLater("The host's name leads nowhere.") from error
    except UnicodeError as error:
        raise Rejected("This is not the name of a host.") from error
    return [str(address[0]) for *_, address in found]


class _Wire:
    """The connection of one request. Timeouts bound each wait only: a host may drip for hours."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take note of the connection; after TLS it is another object."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._socket = info["return_value"].get_extra_info("socket")

    @contextmanager
    def cut_after(self, seconds: float) -> Iterator[None]:
        """End the connection for whoever still reads from it then."""
        timer = threading.Timer(seconds, self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # it is closed already
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _body(answer: httpx.Response, end: float) -> bytes:
    """What comes within the size and the time; a body that was cut is none."""
    body = bytearray()
    for piece in answer.iter_raw():
        body += piece
        if len(body) > MOST_BYTES:
            raise Rejected("The answer is too long.")
    if time.monotonic() >= end:
        raise RetryLater("The answer took too long.")
    return bytes(body)
