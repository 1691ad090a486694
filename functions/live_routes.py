"""The addresses of the live log: server-sent events and, where the server allows, a WebSocket.

``attach`` makes them part of an app: of the API's, and of that behind ``functions/live.py``.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, g, redirect, request, url_for
from flask_sock import Sock
from simple_websocket import ConnectionClosed, Server
from werkzeug.routing import Rule
from werkzeug.wrappers import Response as AnyResponse

from functions.api.access import Who
from functions.live_messages import Message, Pace, Wanted, follow
from shared import flag_config
from shared.context import Services
from shared.errors import LeaderboardError, NotFound
from shared.flags import WEBSOCKET
from shared.live_feed import Feed, Reader

STREAM = "/dashboard/logs/stream"
SOCKET = "/dashboard/ws/logs"

_LOOK_UP = 1.0
"""Seconds after which a socket looks whether its reader is still there."""

_TAKEN_ELSEWHERE = 1013
_GONE_QUIET = 1008
_HEADERS = {
    # Pages may be at another address than the function that streams; anybody may read it anyway.
    "Access-Control-Allow-Origin": "*",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}

blueprint = Blueprint("live", __name__)
_sock = Sock()


@dataclass
class Live:
    """What an app keeps for its streams. The feed is made when somebody first asks."""

    services: Callable[[], Services]
    pace: Pace
    elsewhere: bool = True
    _feed: Feed | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def feed(self) -> Feed:
        with self._lock:
            if self._feed is None:
                services = self.services()
                self._feed = Feed(services.documents, services.settings.live_streams)
            return self._feed


def attach(
    app: Flask, services: Callable[[], Services], *, pace: Pace | None = None, here: bool = False
) -> None:
    """Give an app the addresses. ``here``: the streams are served, wherever STREAM_URL points."""
    app.extensions["live"] = Live(services, pace or Pace(), elsewhere=not here)
    # A frame is some words and no more.
    app.config.setdefault("SOCK_SERVER_OPTIONS", {"max_message_size": 4096})
    app.register_blueprint(blueprint)


def admit_upgrades(app: Flask) -> None:
    """Let requests for a WebSocket through to a function; the framework routes only others."""
    app.url_map.add(Rule("/", defaults={"path": ""}, endpoint="run", websocket=True))
    app.url_map.add(Rule("/<path:path>", endpoint="run", websocket=True))


@blueprint.app_template_global("live_stream")
def address() -> str:
    """Where a page that is being made finds the stream, which it may then connect to."""
    there = _live().services().settings.stream_url
    if there is None:
        return url_for("live.stream")
    parts = urlsplit(there)
    g.connects_to = f"{parts.scheme}://{parts.netloc}"
    return there


@blueprint.get(STREAM)
def stream() -> AnyResponse:
    """The live log as server-sent events, for ten minutes at most.

    Takes up where ``Last-Event-ID`` (or ``after``, a time) says. Where a function of its own serves
    the log, leads there.
    """
    live = _live()
    wanted = Wanted.read(request.args, request.headers.get("Last-Event-ID"))
    services = live.services()
    if live.elsewhere and services.settings.stream_url is not None:
        query = request.query_string.decode("ascii", "ignore")
        return redirect(f"{services.settings.stream_url}?{query}".rstrip("?"), 307)
    if request.method == "HEAD":
        return Response(mimetype="text/event-stream", headers=_HEADERS)
    reader = live.feed().join()
    messages = follow(services, reader, wanted, live.pace, look_up=live.pace.heartbeat)
    response = Response(_events(messages), mimetype="text/event-stream", headers=_HEADERS)
    response.call_on_close(reader.close)
    return response


@_sock.route(SOCKET, bp=blueprint)  # type: ignore[untyped-decorator]
def socket(connection: Server) -> None:
    """The same messages by WebSocket. Whoever answers no ping for a minute is let go."""
    live = _live()
    services = live.services()
    try:
        # A function of its own asks for no keys: there the flag is as for anybody.
        who: Who | None = g.get("who")
        if not flag_config.is_on(services, WEBSOCKET, caller=who.caller if who else None):
            raise NotFound("There is no WebSocket here: the flag enable_websocket_logs is off.")
        wanted = Wanted.read(request.args, None)
        reader = live.feed().join()
    except LeaderboardError as error:
        connection.close(_TAKEN_ELSEWHERE, error.message[:120])
        return
    try:
        _converse(connection, services, reader, wanted, live.pace)
    except ConnectionClosed:
        pass
    finally:
        reader.close()


def _converse(
    connection: Server, services: Services, reader: Reader, wanted: Wanted, pace: Pace
) -> None:
    heard = time.monotonic()
    for message in follow(services, reader, wanted, pace, look_up=_LOOK_UP):
        while connection.receive(timeout=0) is not None:
            heard = time.monotonic()
        if time.monotonic() - heard > pace.stale:
            connection.close(_GONE_QUIET, "no answer to pings")
            return
        if message is not None:
            connection.send(_json(message))


def _events(messages: Iterable[Message | None]) -> Iterator[str]:
    """Messages in the form of server-sent events. The id of a line is its time."""
    yield "retry: 3000\n\n"
    for message in messages:
        if message is None:
            continue
        data = message.get("data")
        id_ = f"id: {data['at']}\n" if isinstance(data, dict) else ""
        yield f"event: {message['event']}\n{id_}data: {_json(message)}\n\n"


def _json(message: Message) -> str:
    # Escaped to ASCII: no line of a log can end a line of the stream.
    return json.dumps(message)


def _live() -> Live:
    found = current_app.extensions["live"]
    assert isinstance(found, Live)  # noqa: S101 - put there by attach
    return found
