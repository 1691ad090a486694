"""Calls of addresses outside, by httpx."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from infra.tls import trusted
from shared.errors import Rejected, RetryLater

TIMEOUT_SECONDS = 10.0
_MAY_PASS = frozenset({408, 425, 429})


class HttpOutward:
    """The port ``Outward``. The address of a call is named in errors by its host only."""

    def __init__(self, timeout: float = TIMEOUT_SECONDS) -> None:
        self._timeout = timeout

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        try:
            host = httpx.URL(url).host
            answer = httpx.post(
                url,
                content=body,
                headers=dict(headers),
                timeout=self._timeout,
                trust_env=False,
                verify=trusted(),
            )
        except httpx.InvalidURL as error:
            raise Rejected("The address of the call cannot be read.") from error
        except httpx.HTTPError as error:
            raise RetryLater(f"{host} did not answer: {type(error).__name__}.") from error
        status = answer.status_code
        if answer.is_success:
            return
        if status >= 500 or status in _MAY_PASS:
            raise RetryLater(f"{host} answered {status}.", details={"status": status})
        raise Rejected(f"{host} answered {status}.", details={"status": status})
