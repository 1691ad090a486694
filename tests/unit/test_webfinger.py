"""Which address in the fediverse a host confirms for an account that a profile names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.profile_lookups import LOOKUPS, lookups
from infra.webfinger import WebFinger
from shared.errors import Rejected, RetryLater
from shared.github import SocialAccount
from shared.settings import Settings
from tests.support.fake_profiles import profile
from tests.support.fediverse import Fediverse, fediverse

PAGE = "https://m.example/@ana"


@pytest.fixture
def there() -> Iterator[Fediverse]:
    with fediverse() as running:
        yield running


def found(there: Fediverse, *accounts: str, provider: str = "mastodon") -> str | None:
    social = tuple(SocialAccount(provider, url) for url in accounts)
    finger = WebFinger(there.pages(), there.origin)
    return finger.look_up(profile(11, "ana", social=social)).get("fediverse")


def test_the_host_of_the_page_confirms_the_account(there: Fediverse) -> None:
    there.knows("acct:ana@m.example", "acct:ana@m.example", PAGE)
    assert found(there, PAGE) == "ana@m.example"
    assert found(there, "https://m.example/users/ana") is None
    there.knows("acct:ana@m.example", "acct:ana@m.example", PAGE, "https://m.example/users/ana")
    assert found(there, "https://m.example/users/ana") == "ana@m.example"
    assert set(there.asked) == {("m.example", "acct:ana@m.example")}
    assert there.headers[0]["accept"].startswith("application/jrd+json")


def test_an_account_of_another_domain_is_confirmed_by_that_domain(there: Fediverse) -> None:
    there.knows("acct:ana@m.example", "acct:ana@example", PAGE)
    assert found(there, PAGE) is None
    there.knows("acct:ana@example", "acct:ana@example", PAGE)
    assert found(there, PAGE) == "ana@example"
    assert there.asked[-2:] == [
        ("m.example", "acct:ana@m.example"),
        ("example", "acct:ana@example"),
    ]


def test_nobody_can_claim_an_account_elsewhere(there: Fediverse) -> None:
    evil = "https://evil.example/@ana"
    there.knows("acct:ana@evil.example", "acct:boss@m.example", evil)
    there.knows("acct:boss@m.example", "acct:boss@m.example", "https://m.example/@boss")
    assert found(there, evil) is None


def test_hosts_that_send_on_and_on_are_left_after_the_second(there: Fediverse) -> None:
    there.knows("acct:ana@m.example", "acct:ana@two.example", PAGE)
    there.knows("acct:ana@two.example", "acct:ana@three.example", PAGE)
    assert found(there, PAGE) is None
    assert len(there.asked) == 2


@pytest.mark.parametrize(
    "url",
    [
        "http://m.example/@ana", "https://m.example:8443/@ana", "https://u@m.example/@ana",
        "https://m.example/", "https://m.example/@ana/1", "https://m.example/@a%2F..",
        "https://m.example/@ana?x=1&resource=y/", "https:///@ana",
    ],
)  # fmt: skip
def test_other_addresses_are_not_asked(there: Fediverse, url: str) -> None:
    found(there, url)
    assert [asked for asked in there.asked if asked != ("m.example", "acct:ana@m.example")] == []
    assert found(there, PAGE, provider="twitter") is None


def test_at_most_two_accounts_are_asked_about(there: Fediverse) -> None:
    assert found(there, *(f"https://m{number}.example/@ana" for number in range(5))) is None
    assert len(there.asked) == 2


@pytest.mark.parametrize(
    "body",
    [
        [], "text", None, {}, {"subject": 7}, {"subject": "acct:ana@m.example"},
        {"subject": "acct:ana@m.example", "aliases": PAGE, "links": {"rel": "self"}},
        {"subject": "acct:a b@m.example", "aliases": [PAGE]},
        {"subject": "acct:ana@m.example/..", "aliases": [PAGE]},
        {"subject": "https://m.example/@ana", "aliases": [PAGE]},
        {"subject": "acct:ana@m.example", "links": [{"rel": "avatar", "href": PAGE}, 7, None]},
    ],
)  # fmt: skip
def test_an_answer_that_confirms_nothing_gives_nothing(there: Fediverse, body: object) -> None:
    there.says("acct:ana@m.example", body)
    assert found(there, PAGE) is None


@pytest.mark.parametrize("body", [b"<html>", b"\xff\xfe", b"[" * 60_000])
def test_an_answer_that_is_no_json_is_refused(there: Fediverse, body: bytes) -> None:
    there.says("acct:ana@m.example", body)
    with pytest.raises(Rejected):
        found(there, PAGE)


def test_a_host_that_is_down_may_pass(there: Fediverse) -> None:
    there.says("acct:ana@m.example", b"", 503)
    with pytest.raises(RetryLater):
        found(there, PAGE)


def test_no_lookup_is_made_unless_it_is_switched_on() -> None:
    assert lookups(Settings()) == ()
    chosen = Settings.model_validate({"enrich_lookups": ["webfinger", "webfinger"]})
    assert [each.name for each in lookups(chosen)] == ["webfinger"]
    assert {name: make().name for name, make in LOOKUPS.items()} == {"webfinger": "webfinger"}
