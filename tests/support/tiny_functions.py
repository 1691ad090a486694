"""A deployment in small, as ``main.py`` exports it: two HTTP functions and one for events."""

from __future__ import annotations

import base64
import json
import os
import signal
from pathlib import Path
from typing import Any

import functions_framework
from cloudevents.http import CloudEvent
from flask import Request

from tests.support.tiny_state import seen

__all__ = ["api", "changed", "work"]


@functions_framework.http
def api(request: Request) -> Any:
    """Says what arrived so far, on any path."""
    return {"path": request.path, "pid": os.getpid(), "seen": seen, "port": os.environ["PORT"]}


@functions_framework.http
def work(request: Request) -> Any:
    """Notes a task; refuses strangers; kills its own process once if the task says so."""
    if request.headers.get("X-Leaderboard-Internal") != os.environ["INTERNAL_SECRET"]:
        return "stranger", 403
    body = request.get_json()
    if "die_once" in body and not Path(body["die_once"]).exists():
        Path(body["die_once"]).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    seen.append({"function": "work", "body": body})
    return "", 204


@functions_framework.cloud_event
def changed(event: CloudEvent) -> None:
    """Notes an event as the framework hands it over."""
    message = event.data["message"]
    seen.append(
        {
            "function": "changed",
            "type": event["type"],
            "source": event["source"],
            "id": event["id"],
            "messageId": message["messageId"],
            "data": json.loads(base64.b64decode(message["data"])),
            "attributes": message["attributes"],
        }
    )
