"""A stand-in for GitHub's API: REST and GraphQL over a history, on loopback, in its own process.

It answers with GitHub's shapes, headers and words, keeps GitHub's accounts of requests and points
by a clock that tests set, and logs what it was asked. Below ``/_control/`` tests tell it what
happens next (``github_bench.py``). Started with a pickled history and options on its input; it
writes its port, and ends with its input.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from email.message import Message
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.github_graphql import Query
from tests.support.github_history import History
from tests.support.github_limits import (
    ANONYMOUS,
    TIMED_OUT,
    Allowance,
    Allowances,
    Callers,
    Fault,
    Faults,
    Options,
)
from tests.support.github_rest import Answer, Rest, refusal
from tests.support.github_times import read, written
from tests.support.loopback_http import LoopbackHandler

RATE_LIMITED = "API rate limit {} for {}."


@dataclass
class Request:
    """A line of the log. ``who`` is a hash of the token, ``key`` one of all that was asked."""

    at: str
    method: str
    path: str
    operation: str | None
    variables: dict[str, Any] | None
    who: str
    key: str
    resource: str = "core"
    cost: int = 0
    status: int = 0
    refused: str | None = None
    """Why nothing was done: ``primary``, ``fault``, ``credentials``."""


class GitHub:
    """The stand-in without its sockets."""

    def __init__(self, history: History, options: Options, url: str) -> None:
        self.history, self.options = history, options
        self.now = read(options.now)
        self.rest = Rest(history, url, options)
        self.callers, self.faults = Callers(options), Faults()
        self.allowances = Allowances(options)
        self.log: list[Request] = []
        self.lock = threading.Lock()

    # --- requests ---------------------------------------------------------------------------

    def answer(
        self, method: str, target: str, headers: Message, body: bytes
    ) -> tuple[Answer, Fault | None]:
        """What is answered, and what goes wrong on the way. Nothing here waits."""
        path = urlsplit(target).path
        query = _query(body) if path == "/graphql" else None
        who = self.callers.who(headers.get("Authorization"), self.now)
        key = hashlib.sha256(f"{method} {target}".encode() + body).hexdigest()[:16]
        asked = Request(
            *(written(self.now), method, target, query.name if query else None),
            *(dict(query.variables) if query else None, who or "unknown", key),
            resource="graphql" if query else "core",
        )
        self.log.append(asked)
        fault = self.faults.next(target, asked.operation or "", self.now)
        if fault is not None and fault.status is not None:
            asked.refused = "fault"
            told = fault.answer()
        elif path.startswith("/app/installations/"):
            told = self._installation(method, path, headers.get("Authorization"))
        elif who is None or "User-Agent" not in headers:
            asked.refused = "credentials"
            told = refusal(401, "Bad credentials") if who is None else _NO_AGENT
        else:
            told = self._counted(asked, path, query, headers)
        asked.status = told.status
        book = self.allowances.of(who or ANONYMOUS, asked.resource, self.now)
        return Answer(told.status, told.body, {**_limits(book, asked), **told.headers}), fault

    def _installation(self, method: str, path: str, authorization: str | None) -> Answer:
        match path.strip("/").split("/"):
            case ["app", "installations", id_, "access_tokens"] if method == "POST":
                return self.callers.installed(int(id_), authorization, self.now)
        return refusal(404, "Not Found")

    def _counted(self, asked: Request, path: str, query: Query | None, headers: Message) -> Answer:
        """An answer that is paid for, or the refusal where nothing is left."""
        book = self.allowances.of(asked.who, asked.resource, self.now)
        if path == "/graphql" and query is None:
            return refusal(400, "Problems parsing JSON")
        if path == "/rate_limit":
            return self._rate_limit(asked.who)
        if query is not None and asked.who == ANONYMOUS:
            return refusal(401, "This endpoint requires you to be authenticated.")
        asked.cost = query.priced.cost if query else 1
        if book.remaining < asked.cost:
            asked.cost, asked.refused = 0, "primary"
            return self._exhausted(asked)
        book.used += asked.cost
        if query is not None:
            return self._graphql(query, book)
        told = self.rest.answer(path, dict(parse_qsl(urlsplit(asked.path).query)))
        if asked.method != "GET":
            return refusal(404, "Not Found")
        return self._tagged(told, headers, asked, book)

    def _graphql(self, query: Query, book: Allowance) -> Answer:
        most = self.options.most_nodes
        if most is not None and query.priced.nodes > most:
            return Answer(502, TIMED_OUT)
        limit = {
            "cost": query.priced.cost,
            "limit": book.limit,
            "nodeCount": query.priced.nodes,
            "remaining": book.remaining,
            "resetAt": written(book.reset),
            "used": book.used,
        }
        return Answer(200, query.run(self.history, limit))

    def _tagged(self, told: Answer, headers: Message, asked: Request, book: Allowance) -> Answer:
        """With an ETag; 304 where the caller has it, which costs who is authorised nothing."""
        if told.status != 200:
            return told
        tag = f'W/"{hashlib.sha256(json.dumps(told.body).encode()).hexdigest()}"'
        if tag not in headers.get("If-None-Match", ""):
            return Answer(200, told.body, {**told.headers, "ETag": tag})
        if asked.who != ANONYMOUS:
            book.used, asked.cost = book.used - 1, 0
        return Answer(304, None, {"ETag": tag})

    def _exhausted(self, asked: Request) -> Answer:
        who = "127.0.0.1" if asked.who == ANONYMOUS else "user ID 1"
        word = "exceeded" if asked.resource == "core" else "already exceeded"
        told = RATE_LIMITED.format(word, who)
        if asked.resource == "core":
            return refusal(self.options.at_zero, told)
        error = {"type": "RATE_LIMIT", "code": "graphql_rate_limit", "message": told}
        status = self.options.graphql_at_zero
        return Answer(200, {"errors": [error]}) if status == 200 else refusal(status, told)

    def _rate_limit(self, who: str) -> Answer:
        core = self.allowances.of(who, "core", self.now).shown()
        graphql = self.allowances.of(who, "graphql", self.now).shown()
        search = {"limit": 30, "used": 0, "remaining": 30, "reset": core["reset"]}
        resources = {"core": core, "graphql": graphql, "search": search}
        return Answer(200, {"resources": resources, "rate": core})


_NO_AGENT = refusal(403, "Request forbidden by administrative rules. It has no User-Agent.")


def _query(body: bytes) -> Query | None:
    """The query in a body, None where it is no JSON or has none."""
    try:
        told = json.loads(body)
        text = str(told["query"])
    except (ValueError, KeyError, TypeError):
        return None
    return Query(text, told.get("variables") or {}, told.get("operationName"))


def _limits(book: Allowance, asked: Request) -> dict[str, str]:
    shown = {f"X-RateLimit-{name.title()}": str(value) for name, value in book.shown().items()}
    return shown | {"X-RateLimit-Resource": asked.resource}


def _clock(github: GitHub, now: str | None = None, advance: float = 0) -> str:
    github.now = (read(now) if now else github.now) + timedelta(seconds=advance)
    return written(github.now)


def _options(github: GitHub, **told: Any) -> None:
    for name, value in told.items():
        setattr(github.options, name, value)


CONTROL: Mapping[str, Callable[..., Any]] = {
    "tell": lambda github, verb, args, told: getattr(github.history, verb)(*args, **told),
    "clock": _clock,
    "options": _options,
    "leave": lambda github, resource, remaining: github.allowances.leave(
        resource, remaining, github.now
    ),
    "fault": lambda github, **told: github.faults.add(told),
    "secondary": lambda github, until, retry_after=None: github.faults.secondary(
        until, retry_after
    ),
    "recover": lambda github: github.faults.clear(),
    "revoke": lambda github: github.callers.revoke(),
    "requests": lambda github: [asdict(each) for each in github.log],
    "forget": lambda github: github.log.clear(),
}
"""What tests may do, by the name below ``/_control/``; JSON's members are the arguments.

``tell`` lets a verb of ``History`` happen; ``clock`` sets (``now``) or advances (seconds) the time;
``options`` are those of ``Options``; ``leave`` so much of a resource (``core``, ``graphql``) to
everybody; ``fault`` has the fields of ``Fault``; ``secondary`` refuses all until a time;
``recover`` ends all faults; ``revoke`` ends the tokens of installations; ``requests`` is the log.
"""


class _Handler(LoopbackHandler):
    server_version, sys_version = "github.com", ""
    server: _Server

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(self.server.github.now.timestamp())

    def _answer(self, body: bytes) -> None:
        github = self.server.github
        fault: Fault | None = None
        try:
            with github.lock:
                if self.path.startswith("/_control/"):
                    verb = self.path.removeprefix("/_control/")
                    told = CONTROL[verb](github, **json.loads(body or b"{}"))
                    answer = Answer(200, json.dumps(told))
                else:
                    answer, fault = github.answer(self.command, self.path, self.headers, body)
        except Exception as error:  # noqa: BLE001 - a mistake of a test's, or of the stand-in's
            sys.stderr.write(traceback.format_exc())
            answer = refusal(599, f"The stand-in failed: {error!r}")
        if fault is not None and fault.hold:
            github.faults.released.wait(fault.hold)
        self._send(answer, fault)

    def _send(self, answer: Answer, fault: Fault | None) -> None:
        if fault is not None and fault.drop:
            self.close_connection = True
            return
        content = b"" if answer.status == 304 else _content(answer.body)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("X-GitHub-Request-Id", "0000:0000")
        if answer.status != 304:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if fault is not None and fault.cut:
            content, self.close_connection = content[: len(content) // 2], True
        self.wfile.write(content)


def _content(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    github: GitHub

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no concern of the server's."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _end_with(pipe: Any) -> None:
    pipe.read()
    os._exit(0)


def main() -> None:
    history, options = pickle.load(sys.stdin.buffer)
    server = _Server(("127.0.0.1", 0), _Handler)
    port = server.server_address[1]
    server.github = GitHub(history, options, f"http://127.0.0.1:{port}")
    threading.Thread(target=_end_with, args=(sys.stdin.buffer,), daemon=True).start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
