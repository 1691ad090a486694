"""As whom GitHub is asked; and that no secret is ever shown, whatever goes wrong."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from structlog.testing import capture_logs

from infra import services
from infra.github.client import make
from infra.github.credentials import Installation, Nobody, Token, credentials_of
from infra.local.documents import SqliteDocuments
from shared.breaker import Breaker
from shared.errors import AllowanceWaits, LeaderboardError, Rejected, RetryLater
from shared.github import AccessRefused
from shared.ports import Query
from shared.settings import Settings
from tests.support.fast_folder import fast_folder
from tests.support.github_answers import rest_repository
from tests.support.github_wire import TOKEN, Wire, reply
from tests.support.manual_clock import ManualClock

NAME = "octo/engine"
INSTALLED = "/app/installations/77/access_tokens"


@pytest.fixture(scope="module")
def key() -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


class App:
    """GitHub, as an App sees it: gives tokens by number, and takes the last of them."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.given = 0
        self.revoked = False
        self.refuse = reply({"message": "Bad credentials"}, 401)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == INSTALLED:
            self.given += 1
            self.revoked = False
            ends = self.wire.clock() + timedelta(hours=1)
            told = {"token": self.token, "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}
            return reply(told, 201)
        right = request.headers["authorization"] == f"Bearer {self.token}"
        return reply(rest_repository()) if right and not self.revoked else self.refuse

    @property
    def token(self) -> str:
        return f"ghs_installation{self.given}"


@pytest.fixture
def wire() -> Iterator[Wire]:
    with fast_folder() as folder:
        yield Wire(folder)


@pytest.fixture
def app(wire: Wire, key: str) -> App:
    wire.client = wire.another(Installation("12345", 77, key, now=wire.clock))
    app = App(wire)
    wire.answers(app)
    return app


def claims(request: httpx.Request) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of the token in a request."""
    parts = request.headers["authorization"].removeprefix("Bearer ").split(".")[:2]
    header, body = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in parts)
    return header, body


# --- a GitHub App -------------------------------------------------------------------------------


def test_an_app_vouches_for_itself_and_asks_as_its_installation(wire: Wire, app: App) -> None:
    assert wire.client.reads_contributions
    assert wire.client.repository(NAME).id == 42
    asked_for, asked = wire.asked
    header, said = claims(asked_for)
    assert (asked_for.method, asked_for.url.path, header["alg"]) == ("POST", INSTALLED, "RS256")
    assert said["iss"] == "12345"
    moment = wire.clock().timestamp()
    assert said["iat"] < moment < said["exp"] <= said["iat"] + 600
    assert asked.headers["authorization"] == "Bearer ghs_installation1"


def test_an_installations_token_is_kept_until_five_minutes_before_its_end(
    wire: Wire, app: App
) -> None:
    for minutes, given in ((0, 1), (54, 1), (1, 2), (54, 2)):
        wire.clock.advance(timedelta(minutes=minutes))
        wire.client.repository(NAME)
        assert app.given == given


def test_a_token_that_is_refused_is_renewed_once(wire: Wire, app: App) -> None:
    wire.client.repository(NAME)
    app.revoked = True
    assert wire.client.repository(NAME).id == 42
    assert app.given == 2
    wire.answers(lambda request: app(request) if request.method == "POST" else app.refuse)
    with pytest.raises(AccessRefused, match="GITHUB_APP_ID"):
        wire.client.repository(NAME)
    assert app.given == 3


def test_the_budget_of_an_installation_outlives_its_tokens(wire: Wire, app: App) -> None:
    for _ in range(3):
        wire.client.repository(NAME)
        wire.clock.advance(timedelta(minutes=19))
        app.revoked = True
    (document,) = wire.documents.query(Query("request_budgets")).documents
    # A refused request was answered, and so it was paid.
    assert document.fields["remaining"] == 5000 - 5


def test_a_key_may_have_its_lines_written_in_one(wire: Wire, key: str) -> None:
    one_line = key.replace("\n", "\\n")
    wire.client = wire.another(Installation("12345", 77, one_line, now=wire.clock))
    wire.answers(App(wire))
    assert wire.client.repository(NAME).id == 42


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply(status=404), AccessRefused), (reply(status=401), AccessRefused),
        (reply(status=500), RetryLater), (httpx.ConnectTimeout(""), RetryLater),
        (reply({}, 201), RetryLater), (reply([], 201), RetryLater),
        (reply(status=403, headers={"retry-after": "9"}), AllowanceWaits),
    ],
)  # fmt: skip
def test_an_app_that_gets_no_token_says_why(
    wire: Wire, app: App, answer: httpx.Response | Exception, kind: type[LeaderboardError]
) -> None:
    wire.answers(answer)
    with pytest.raises(LeaderboardError) as caught:
        wire.client.repository(NAME)
    assert type(caught.value) is kind


def test_a_token_for_an_installation_is_asked_for_again_where_that_may_help(
    wire: Wire, app: App
) -> None:
    wire.answers(reply(status=502), httpx.ReadTimeout(""), app)
    assert wire.client.repository(NAME).id == 42
    assert wire.slept == [1, 2]


# --- which credentials are meant ----------------------------------------------------------------


def settings(**changed: Any) -> Settings:
    return Settings(**changed)


def test_a_token_goes_before_an_app_and_without_both_there_is_nobody(key: str) -> None:
    now = ManualClock()
    whole = {"github_app_id": "1", "github_app_installation": 2, "github_app_private_key": key}
    assert isinstance(credentials_of(settings(), now), Nobody)
    assert isinstance(credentials_of(settings(**whole), now), Installation)
    assert isinstance(credentials_of(settings(github_token=TOKEN, **whole), now), Token)


def test_an_app_that_is_named_in_part_is_refused_by_name() -> None:
    with pytest.raises(Rejected, match="GITHUB_APP_INSTALLATION and GITHUB_APP_PRIVATE_KEY"):
        credentials_of(settings(github_app_id="1"), ManualClock())


@pytest.mark.parametrize(
    ("changed", "there", "reads"),
    [
        ({}, False, False),
        ({"backend": "gcp"}, True, False),
        ({"github_token": TOKEN}, True, True),
        ({"backend": "gcp", "github_token": TOKEN}, True, True),
        ({"github_token": TOKEN, "github_access": "off"}, False, False),
        ({"backend": "gcp", "github_access": "off"}, False, False),
    ],
)  # fmt: skip
def test_settings_say_whether_github_is_asked_at_all(
    tmp_path: Path, changed: dict[str, Any], there: bool, reads: bool
) -> None:
    clock = ManualClock()
    documents = SqliteDocuments(tmp_path / "documents.sqlite")
    found = make(settings(**changed), documents, Breaker(documents, now=clock), clock)
    assert (found is not None, found is not None and found.reads_contributions) == (there, reads)


def test_the_services_of_a_process_have_the_client(tmp_path: Path) -> None:
    assert services.build(settings(data_dir=tmp_path)).github is None
    built = services.build(settings(data_dir=tmp_path, github_token=TOKEN))
    assert built.github is not None
    assert built.github.reads_contributions


# --- nothing is shown ---------------------------------------------------------------------------


def test_two_tokens_have_budgets_of_their_own_that_do_not_tell_them() -> None:
    one, other = Token(TOKEN), Token(TOKEN[::-1])
    assert one.fingerprint != other.fingerprint
    assert TOKEN not in one.fingerprint


@pytest.mark.parametrize("token", [f"{TOKEN}\nX: y", f"{TOKEN[:20]} {TOKEN}", TOKEN + "é"])
def test_a_token_that_cannot_be_sent_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(Rejected, match="GITHUB_TOKEN") as caught:
        Token(token)
    assert TOKEN[:20] not in shown(caught.value)


def test_space_around_a_token_does_no_harm(wire: Wire) -> None:
    wire.answers(reply(rest_repository()))
    wire.another(Token(f" {TOKEN}\n")).repository(NAME)
    assert wire.last.headers["authorization"] == f"Bearer {TOKEN}"


def shown(error: BaseException) -> str:
    """All that a log could show of an error: its words, details, and what led to it."""
    details = error.details if isinstance(error, LeaderboardError) else {}
    return "".join(traceback.format_exception(error)) + repr(error) + repr(details)


def echo(request: httpx.Request) -> httpx.Response:
    """An answer, and an error, that repeat the header they were sent."""
    return reply({"message": request.headers["authorization"]}, 418)


def broken(request: httpx.Request) -> httpx.Response:
    raise httpx.LocalProtocolError(request.headers["authorization"], request=request)


FAILURES: list[httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]] = [
    *(reply({"message": "no"}, status) for status in (401, 403, 404, 410, 422, 429, 451, 500)),
    reply(status=301, headers={"location": "https://elsewhere.test/"}),
    reply(status=301, headers={"location": "http://[::"}),
    reply(status=403, headers={"retry-after": "5"}),
    httpx.ConnectError("no route"), httpx.Response(200, text="<html>"), reply({"data": None}),
    echo, broken,
]  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("kind", ["token", "app"])
def test_no_failure_shows_a_token_a_key_or_a_header(
    wire: Wire, key: str, failure: Any, kind: str
) -> None:
    app = App(wire)
    if kind == "app":
        wire.client = wire.another(Installation("12345", 77, key, now=wire.clock))

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == INSTALLED:
            return app(request)
        if isinstance(failure, Exception):
            raise failure
        if callable(failure):
            answered: httpx.Response = failure(request)
            return answered
        assert isinstance(failure, httpx.Response)
        return httpx.Response(failure.status_code, headers=failure.headers, content=failure.content)

    wire.answers(answer)
    seen = repr(wire.client) + repr(vars(wire.client))
    with capture_logs() as logged:
        for call in (
            lambda: wire.client.repository(NAME),
            lambda: wire.client.pulls("R_42", None),
        ):
            with pytest.raises(LeaderboardError) as caught:
                call()
            seen += shown(caught.value)
    seen += repr(logged)
    sent = {request.headers["authorization"].split()[1] for request in wire.asked}
    assert sent
    for secret in (*sent, TOKEN, "ghs_", "Bearer", key, "PRIVATE KEY-----"):
        assert secret not in seen


@pytest.mark.parametrize(
    "key_", ["secret-key-text", f"-----BEGIN RSA {'PRIVATE'} KEY-----\nc2VjcmV0"]
)
def test_a_key_that_cannot_be_read_is_refused_without_being_shown(wire: Wire, key_: str) -> None:
    client = wire.another(Installation("12345", 77, key_, now=wire.clock))
    with pytest.raises(Rejected, match="GITHUB_APP_PRIVATE_KEY") as caught:
        client.repository(NAME)
    assert "secret-key-text" not in shown(caught.value)
    assert "c2VjcmV0" not in shown(caught.value)
    assert wire.asked == []


def test_a_token_that_ends_is_told_by_the_clock_that_was_given(key: str) -> None:
    clock = ManualClock(datetime(2030, 1, 1, tzinfo=UTC))
    told = {"token": "ghs_x", "expires_at": "2030-01-01T00:04:00Z"}
    installation, given = Installation("1", 2, key, now=clock), []

    def exchange(path: str, authorization: str) -> dict[str, object]:
        given.append(path)
        return dict(told)

    for _ in range(2):
        assert installation.authorization(exchange) == "Bearer ghs_x"
    assert given == ["/app/installations/2/access_tokens"] * 2
