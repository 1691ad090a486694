"""Asking hosts that strangers name: where it leads, how long, and how much comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.public_pages import MOST_BYTES, PublicPages, addresses_of, is_public
from shared.errors import Rejected, RetryLater
from tests.support.fediverse import Fediverse, certified, fediverse

JSON = "application/json"


@pytest.fixture
def there() -> Iterator[Fediverse]:
    with fediverse() as running:
        yield running


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "93.184.216.34"])
def test_public_addresses_may_be_connected_to_at_the_port_of_https(address: str) -> None:
    assert is_public(address, 443)
    assert not is_public(address, 22)
    assert not is_public(address, 80)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1",
        "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "fe80::1", "fe80::1%eth0", "fd00::1",
        "fec0::1", "ff02::1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::",
        "2001:0:1::1", "2001:db8::1",
    ],
)  # fmt: skip
def test_private_local_reserved_and_translated_addresses_may_not(address: str) -> None:
    assert not is_public(address, 443)


@pytest.mark.parametrize(
    "found", [["127.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["169.254.169.254"], ["::1"], []]
)
def test_a_host_with_any_address_that_is_not_public_is_not_asked(found: list[str]) -> None:
    pages = PublicPages(resolve=lambda _host, _port: found)
    with pytest.raises(Rejected, match="not a public one"):
        pages.read("https://evil.example/x", JSON)


@pytest.mark.parametrize(
    "address",
    [
        "http://example.org/", "file:///etc/passwd", "https://user@example.org/", "https:///x",
        "gopher://example.org/", "https://[::", "",
    ],
)  # fmt: skip
def test_only_https_addresses_without_a_user_are_asked(address: str) -> None:
    def resolve(_host: str, _port: int) -> list[str]:
        raise AssertionError("nothing is looked up")

    with pytest.raises(Rejected):
        PublicPages(resolve=resolve).read(address, JSON)


def test_the_name_is_looked_up_once_and_the_checked_address_is_the_one_that_is_asked(
    there: Fediverse,
) -> None:
    looked_up: list[tuple[str, int]] = []

    def resolve(host: str, port: int) -> list[str]:
        looked_up.append((host, port))
        return ["127.0.0.1"] if len(looked_up) == 1 else ["10.0.0.1"]

    there.says("acct:a@b", {"fine": True})
    address = f"http://changing.example:{there.port}/?resource=acct:a@b"
    assert there.pages(resolve=resolve).read(address, JSON) == b'{"fine": true}'
    assert looked_up == [("changing.example", there.port)]
    assert there.asked == [("changing.example", "acct:a@b")]
    (headers,) = there.headers
    assert headers["accept"] == JSON
    assert headers["user-agent"] == "contributor-leaderboard"
    assert not {"authorization", "cookie", "referer"} & headers.keys()


def test_the_certificate_has_to_be_that_of_the_host_that_was_named(tmp_path: Path) -> None:
    server, client = certified("h.example", tmp_path)
    with fediverse(server) as there:
        there.says("", {"fine": True})
        pages = there.pages(scheme="https", trusted=client)
        assert pages.read(f"https://h.example:{there.port}/", JSON) == b'{"fine": true}'
        for other, trusting in (("evil.example", client), ("h.example", None)):
            pages = there.pages(scheme="https", trusted=trusting)
            with pytest.raises(RetryLater, match="ConnectError"):
                pages.read(f"https://{other}:{there.port}/", JSON)
    assert len(there.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(there: Fediverse, status: int) -> None:
    there.says("", b"", status, Location=f"http://127.0.0.1:{there.port}/?resource=inside")
    assert there.pages().read(there.origin("h.example"), JSON) is None
    assert len(there.asked) == 1


@pytest.mark.parametrize("status", [204, 400, 401, 404, 410])
def test_other_answers_are_final(there: Fediverse, status: int) -> None:
    there.says("", b"", status)
    assert there.pages().read(there.origin("h.example"), JSON) is None


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_pass_says_so(there: Fediverse, status: int) -> None:
    there.says("", b"", status)
    with pytest.raises(RetryLater, match=str(status)):
        there.pages().read(there.origin("h.example"), JSON)


def test_an_answer_is_bounded_in_size(there: Fediverse) -> None:
    there.says("", b"x" * MOST_BYTES)
    assert len(there.pages().read(there.origin("h.example"), JSON) or b"") == MOST_BYTES
    there.says("", b"x" * (MOST_BYTES + 1))
    with pytest.raises(Rejected, match="too long"):
        there.pages().read(there.origin("h.example"), JSON)


@pytest.mark.parametrize("drips", [298, 299])
@pytest.mark.parametrize("secure", [True, False])
def test_a_host_that_drips_is_left_after_a_while(tmp_path: Path, drips: int, secure: bool) -> None:
    server, client = certified("h.example", tmp_path)
    with fediverse(server if secure else None) as there:
        there.says("", b"", drips)
        scheme = "https" if secure else "http"
        pages = there.pages(scheme=scheme, trusted=client, seconds=0.5)
        with pytest.raises(RetryLater):
            pages.read(f"{scheme}://h.example:{there.port}/", JSON)
        assert len(there.asked) == 1


def test_nobody_there_may_pass() -> None:
    with fediverse() as gone:
        pages, origin = gone.pages(), gone.origin("h.example")
    with pytest.raises(RetryLater, match="ConnectError"):
        pages.read(origin, JSON)


def test_a_name_that_leads_nowhere_may_pass_and_one_that_is_none_is_refused() -> None:
    assert addresses_of("127.0.0.1", 443) == ["127.0.0.1"]
    with pytest.raises(Rejected):
        addresses_of("x" * 64 + ".example", 443)
