"""GitHub, as far as an OAuth app and the browser that it sends there ask it, on loopback."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from http.server import ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from infra.github.sign_in import make
from shared.calls import SignIn
from shared.settings import Settings
from tests.support.loopback_http import LoopbackHandler

SECRET = "the app's secret"
ACCOUNT = 583231


class OAuth(ThreadingHTTPServer):
    """``codes`` are taken with their challenge. ``callback`` is where it sends browsers back."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.codes: dict[str, str] = {}
        self.callback = ""
        self.failing = False
        self.url = f"http://127.0.0.1:{self.server_port}"

    def flow(self) -> SignIn:
        """The port of an app that is registered here."""
        made = make(
            Settings(
                github_oauth_client_id="client",
                github_oauth_client_secret=SECRET,
                github_url=self.url,
                github_api_url=self.url,
            )
        )
        assert made is not None
        return made


class _Handler(LoopbackHandler):
    server: OAuth

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        given = {name: values[0] for name, values in parse_qs(body).items()}
        digest = hashlib.sha256(given["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        known = self.server.codes.pop(given["code"], None)
        if given["client_secret"] == SECRET and known == challenge:
            self._answer({"access_token": "gho_token", "scope": "", "token_type": "bearer"})
        else:
            self._answer({"error": "bad_verification_code"})

    def do_GET(self) -> None:
        there = urlsplit(self.path)
        if there.path == "/login/oauth/authorize":
            asked = {name: values[0] for name, values in parse_qs(there.query).items()}
            self.server.codes["a-code"] = asked["code_challenge"]
            back = urlencode({"code": "a-code", "state": asked["state"]})
            self._say(
                f"<!doctype html><link rel=icon href=data:,>"
                f"<a href='{escape(self.server.callback)}?{escape(back)}'>Authorize</a>",
                "text/html",
            )
        else:
            assert self.headers["Authorization"] == "Bearer gho_token"
            self._answer({"login": "octocat", "id": ACCOUNT})

    def _answer(self, told: Any) -> None:
        self._say(json.dumps(told), "application/json")

    def _say(self, words: str, content_type: str) -> None:
        content = words.encode()
        self.send_response(502 if self.server.failing else 200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def oauth_server() -> Iterator[OAuth]:
    """A running one, for as long as the block runs."""
    server = OAuth()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
