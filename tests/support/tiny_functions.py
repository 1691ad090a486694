"""A deployment in small, as ``main.py`` exports it: two HTTP functions and one for events."""

from __future__ import annotations

import base64
import json
import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import functions_framework
from cloudevents.http import CloudEvent
from flask import Request, Response

from tests.support.tiny_state import held, let_go, seen

__all__ = ["api", "changed", "work"]


@functions_framework.http
def api(request: Request) -> Any:
    """Says what arrived so far, on any path but two: one holds its readers, one lets all go."""
    if request.path == "/held":
        return Response(_until_let_go(), mimetype="text/plain")
    if request.path == "/let-go":
        let_go.set()
    return {
        "path": request.path,
        "pid": os.getpid(),
        "seen": seen,
        "held": len(held),
        "port": os.environ["PORT"],
    }


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
    if body.get("held"):
        held.append(None)
        let_go.wait()
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


def front(behind: WSGIApplication) -> WSGIApplication:
    """Answers one path before any function is asked."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/at-once":
            return behind(environ, start_response)
        start_response("200 OK", [("Content-Length", "7")])
        return [b"at once"]

    return call


def _until_let_go() -> Iterator[bytes]:
    held.append(None)
    yield b"begun"
    let_go.wait()
