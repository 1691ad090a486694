"""The certificates that connections trust."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trusted() -> ssl.SSLContext:
    """Those of certifi, or of ``SSL_CERT_FILE``: read once a process, since it takes 30 ms.

    httpx reads them for every client, also for one that only asks by HTTP.
    """
    return httpx.create_ssl_context()
