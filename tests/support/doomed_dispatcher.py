"""A dispatcher to be killed: leases what is due in the file named, says so, never delivers."""

from __future__ import annotations

import sys
import threading
from datetime import timedelta
from pathlib import Path

import httpx

from infra.clock import utc_now
from infra.local.deliveries import DeliveryStore
from infra.local.dispatch import Dispatcher
from infra.local.tasks import SqliteTasks


class Stuck(httpx.BaseTransport):
    """Reports the call that would be made now, and makes none."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        sys.stdout.write(f"leased {request.url.path}\n")
        sys.stdout.flush()
        threading.Event().wait()
        raise AssertionError


if __name__ == "__main__":
    store = DeliveryStore(Path(sys.argv[1]), utc_now)
    Dispatcher(
        store,
        (SqliteTasks(store),),
        base_url="http://127.0.0.1:9",
        secret="",
        transport=Stuck(),
    ).drain(timedelta(minutes=5))
