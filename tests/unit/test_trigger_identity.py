"""Tokens of callers: those of the platform's own accounts are let in, all others are not."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.auth import exceptions

from infra.gcp import ports
from infra.gcp.identity import REMOVED, Cached, TokenCallers
from shared.errors import Forbidden, Rejected, RetryLater
from shared.settings import Settings
from tests.support.manual_clock import ManualClock
from tests.support.tokens import ACCOUNT, AUDIENCE, Answer, Issuer

NOW = datetime.now(UTC)
"""Google's library has a clock of its own."""

ISSUER, STRANGER = Issuer(), Issuer()


@dataclass
class Certificates:
    """Stands for Google's address, and counts how often it is asked."""

    answer: Answer = field(default_factory=ISSUER.certificates)
    asked: int = 0

    def __call__(self, url: str, method: str = "GET", **_: Any) -> Answer:
        self.asked += 1
        return self.answer


def callers(*, behind_iam: bool = False, fetch: Any = None) -> TokenCallers:
    return TokenCallers(
        audience=AUDIENCE,
        accounts=(ACCOUNT, "other@p.iam.gserviceaccount.com"),
        behind_iam=behind_iam,
        fetch=fetch or Certificates(),
        now=lambda: NOW,
    )


def header(**claims: Any) -> str:
    return f"Bearer {ISSUER.token(NOW, **claims)}"


def removed(token: str) -> str:
    """As Cloud Run hands it on."""
    return token.rsplit(".", 1)[0] + "." + REMOVED


WRONG: Mapping[str, Mapping[str, Any]] = {
    "expired": {"exp": int((NOW - timedelta(minutes=1)).timestamp())},
    "not valid yet": {"iat": int((NOW + timedelta(minutes=5)).timestamp())},
    "for another function": {"aud": "https://example.org/other"},
    "for nobody": {"aud": None},
    "of another issuer": {"iss": "https://accounts.example.org"},
    "of another account": {"email": "somebody@example.org"},
    "of an account not verified": {"email_verified": False},
    "of no issuer": {"iss": None},
    "without an end": {"exp": None},
    "of no account": {"email": None},
    "of several accounts": {"email": [ACCOUNT]},
    "of several issuers": {"iss": ["https://accounts.google.com"]},
}


@pytest.mark.parametrize("behind_iam", [False, True])
@pytest.mark.parametrize("issuer", ["https://accounts.google.com", "accounts.google.com"])
def test_a_signed_token_of_the_platform_is_let_in(behind_iam: bool, issuer: str) -> None:
    callers(behind_iam=behind_iam).check(header(iss=issuer))
    callers(behind_iam=behind_iam).check(header(email="other@p.iam.gserviceaccount.com"))


@pytest.mark.parametrize("claims", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("form", ["signed", "removed"])
def test_a_wrong_token_is_refused(claims: Mapping[str, Any], form: str) -> None:
    token = ISSUER.token(NOW, **claims)
    if form == "removed":
        token = removed(token)
    certificates = Certificates()
    with pytest.raises(Forbidden):
        callers(behind_iam=form == "removed", fetch=certificates).check(f"Bearer {token}")
    assert certificates.asked == 0


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic abc",
        "Bearer a.b",
        "Bearer a.b.c",
        f"Bearer {REMOVED}",
        f"Bearer .{REMOVED}",
        f"Bearer ..{REMOVED}",
        f"Bearer a.bnVsbA.{REMOVED}",
        f"Bearer a.W10.{REMOVED}",
        f"Bearer a.b.c.{REMOVED}",
        "Bearer " + "a" * 10_000,
    ],
)
@pytest.mark.parametrize("behind_iam", [False, True])
def test_what_is_no_token_is_refused(text: str | None, behind_iam: bool) -> None:
    with pytest.raises(Forbidden):
        callers(behind_iam=behind_iam).check(text)


def test_a_token_that_somebody_else_signed_is_refused() -> None:
    forged = f"Bearer {STRANGER.token(NOW)}"
    for behind_iam in (False, True):
        with pytest.raises(Forbidden):
            callers(behind_iam=behind_iam).check(forged)


def test_a_token_without_any_algorithm_is_refused() -> None:
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": "k"}).encode()).decode()
    claims = ISSUER.token(NOW).split(".")[1]
    for signature in ("", REMOVED[:-1]):
        with pytest.raises(Forbidden):
            callers(behind_iam=True).check(f"Bearer {head.rstrip('=')}.{claims}.{signature}")


def test_a_removed_signature_is_taken_only_where_the_platform_has_checked_it() -> None:
    token = f"Bearer {removed(ISSUER.token(NOW))}"
    certificates = Certificates()
    callers(behind_iam=True, fetch=certificates).check(token)
    assert certificates.asked == 0
    with pytest.raises(Forbidden):
        callers(behind_iam=False).check(token)


def test_without_certificates_the_call_is_to_come_again() -> None:
    def unreachable(url: str, method: str = "GET", **_: Any) -> Any:
        raise exceptions.TransportError("no way")  # type: ignore[no-untyped-call]

    for fetch in (unreachable, Certificates(Answer(503, b"", {}))):
        with pytest.raises(RetryLater):
            callers(fetch=fetch).check(header())


def test_certificates_are_fetched_once_until_they_are_no_longer_fresh() -> None:
    clock, certificates = ManualClock(NOW), Certificates()
    cached = Cached(certificates, now=clock)
    guard = callers(fetch=cached)
    for _ in range(5):
        guard.check(header())
    assert certificates.asked == 1
    clock.advance(timedelta(seconds=599))
    guard.check(header())
    assert certificates.asked == 1
    clock.advance(timedelta(seconds=1))
    guard.check(header())
    assert certificates.asked == 2


@pytest.mark.parametrize(
    ("control", "fresh"),
    [
        ("public, max-age=60", timedelta(seconds=60)),
        ("max-age=99999999", timedelta(hours=24)),
        ("no-store", timedelta(hours=1)),
        ("max-age=soon", timedelta(hours=1)),
    ],
)
def test_how_long_an_answer_is_kept_is_said_by_it(control: str, fresh: timedelta) -> None:
    clock = ManualClock(NOW)
    certificates = Certificates(Answer(200, b"{}", {"Cache-Control": control}))
    cached = Cached(certificates, now=clock)
    cached("u")
    clock.advance(fresh - timedelta(seconds=1))
    cached("u")
    assert certificates.asked == 1
    clock.advance(timedelta(seconds=1))
    cached("u")
    assert certificates.asked == 2


def test_failures_to_fetch_are_not_kept() -> None:
    certificates = Certificates(Answer(500, b"", {}))
    cached = Cached(certificates, now=lambda: NOW)
    cached("u")
    cached("u")
    assert certificates.asked == 2


def test_settings_say_who_may_call_which_function() -> None:
    chosen = Settings(
        backend="gcp",
        google_cloud_project="p",
        invoker_service_accounts=(ACCOUNT,),
        function_url="https://example.org/{function}",
    )
    token = ISSUER.token(NOW, aud="https://example.org/run_pipeline")
    guard = ports.callers(chosen, "run_pipeline", lambda: NOW)
    guard.check(f"Bearer {removed(token)}")
    with pytest.raises(Forbidden):
        ports.callers(chosen, "sweep_jobs", lambda: NOW).check(f"Bearer {removed(token)}")
    unsigned = chosen.model_copy(update={"trigger_identity": "token"})
    with pytest.raises(Forbidden):
        ports.callers(unsigned, "run_pipeline", lambda: NOW).check(f"Bearer {token[:-9]}.{REMOVED}")
    with pytest.raises(Rejected, match="INVOKER_SERVICE_ACCOUNTS"):
        ports.callers(Settings(backend="gcp", google_cloud_project="p"), "f", lambda: NOW)
