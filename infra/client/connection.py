"""Questions and answers over HTTP: repeats, redirects, errors, and where the key goes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, Self, TypeVar, cast

import httpx

from infra.client.errors import ServerError, Unreachable, checked
from infra.client.shapes import Json

Value = str | int | float | date | datetime | None
"""What a parameter may be. None is left out."""

Found = TypeVar("Found")

_API = "/api/v1"
_WAITS = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each repeat of a question that got no answer, or one that names no time."""


class Connection:
    """The API at an address. Closed by ``close`` or as a context manager.

    429 and 503 are asked again when ``Retry-After`` says, for ``patience`` seconds a question at
    most; so are questions without an answer that may be repeated. The key goes to that address
    alone: redirects and links to other servers are not followed with it.
    """

    def __init__(
        self,
        url: str = "http://localhost:8080",
        key: str | None = None,
        *,
        timeout: float = 30.0,
        patience: float = 60.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._patience = patience
        self._sleep = sleep
        self._key = {} if key is None else {"X-API-Key": key}
        self._http = httpx.Client(
            base_url=url,
            headers={"Accept": "application/json", "User-Agent": "leaderboard-client/1"},
            timeout=timeout,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connections."""
        self._http.close()

    def get(self, path: str, **parameters: Value) -> Json:
        """The answer of an address below /api/v1. ``class_`` and ``from_`` lose the underscore."""
        return cast("Json", self.answered("GET", path, None, parameters).json())

    def call(self, method: str, path: str, body: Json | None = None, **parameters: Value) -> Json:
        """As ``get`` with any method and a JSON body."""
        return cast("Json", self.answered(method, path, body, parameters).json())

    def items(self, path: str, **parameters: Value) -> Iterator[Json]:
        """The entries of a list, page after page."""
        answer = self.get(path, **parameters)
        while True:
            yield from answer["data"]
            following = answer["links"]["next"]
            if following is None:
                return
            answer = self._send("GET", self._here(following), None).json()

    # --- how --------------------------------------------------------------------------------

    def answered(
        self, method: str, path: str, body: Json | None, parameters: Mapping[str, Value]
    ) -> httpx.Response:
        """The answer as it came, of a status below 400. Raises ApiError, Unreachable."""
        given = {n.rstrip("_"): text_of(v) for n, v in parameters.items() if v is not None}
        address = str(httpx.URL(_API + path).copy_merge_params(given))
        answer = self._send(method, address, body)
        if method == "GET" and answer.status_code in (301, 307, 308):  # its name has changed
            answer = self._send(method, self._here(answer.headers["Location"]), None)
        return answer

    def _here(self, address: str) -> str:
        """A link of this server, whole. Raises ServerError for any other: it would get the key."""
        base = self._http.base_url
        found = base.join(address)
        if (found.scheme, found.host, found.port) != (base.scheme, base.host, base.port):
            raise ServerError(502, "foreign_link", "The answer leads to another server.", {}, "-")
        return str(found)

    def _send(self, method: str, address: str, body: Json | None) -> httpx.Response:
        """Any answer below 400. Raises ApiError, Unreachable."""
        waited = 0.0
        for number in range(len(_WAITS) + 1):
            answer, wait = self._once(method, address, body, _WAITS[min(number, len(_WAITS) - 1)])
            if wait is None and answer is not None:
                return checked(answer)
            if number == len(_WAITS) or wait is None or waited + wait > self._patience:
                break
            self._sleep(wait)
            waited += wait
        if answer is None:
            raise Unreachable(f"No answer to {method} {address.partition('?')[0]}")
        return checked(answer)

    def _once(
        self, method: str, address: str, body: Json | None, pause: float
    ) -> tuple[httpx.Response | None, float | None]:
        """An answer, None if none came; and after how long to ask again, None for never.

        A POST may have done its work before the connection broke.
        """
        try:
            answer = self._http.request(method, address, json=body, headers=self._key)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            return None, pause
        except httpx.TransportError:
            return None, None if method == "POST" else pause
        again = answer.status_code in (429, 503)
        return answer, _retry_after(answer, pause) if again else None

    def fetched(self, link: str) -> bytes:
        """What a signed link leads to, which takes no key."""
        return checked(self._http.get(link)).content

    def watched(self, look: Callable[[], Found], within: float, every: float) -> Iterator[Found]:
        """What is seen now, and every so many seconds."""
        yield look()
        for _ in range(int(within / every)):
            self._sleep(every)
            yield look()


def text_of(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _retry_after(answer: httpx.Response, otherwise: float) -> float:
    given = answer.headers.get("Retry-After", "")
    return float(given) if given.isascii() and given.isdigit() else otherwise
