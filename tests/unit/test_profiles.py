"""What people write of themselves, made fit to be kept."""

from __future__ import annotations

import unicodedata
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.github import SocialAccount
from shared.profiles import LONGEST_ADDRESS, MOST_SOCIAL, address, fields_of, social_of, text
from tests.support.fake_profiles import full, profile

AT = "2025-03-20T12:00:00.000000Z"
PERSON = "\U0001f469\u200d\U0001f4bb"


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (None, None),
        ("", None),
        (" \t\n\u200b\u202e ", None),
        ("  Ana\n\n Núñez\x00\x1b[31m ", "Ana Núñez[31m"),
        ("a\u202eb\u2066c\ufeff", "abc"),
        ("N\u0303", "\u00d1"),
        (PERSON, PERSON),
        ("<script>alert(1)", "<script>alert(1)"),
        ("x" * 20, "x" * 20),
        ("x" * 21, "x" * 19 + "…"),
        ("x" * 18 + "  " + "y" * 9, "x" * 18 + "…"),
    ],
)
def test_a_text_is_one_line_of_visible_characters(told: str | None, kept: str | None) -> None:
    assert text(told, 20) == kept


@given(st.text(), st.integers(1, 40))
def test_whatever_is_told_stays_short_and_visible(told: str, longest: int) -> None:
    kept = text(told, longest)
    if kept is not None:
        assert 0 < len(kept) <= longest
        assert kept == kept.strip()
        hidden = {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert not {unicodedata.category(c) for c in kept if c != "\u200d"} & hidden


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (None, None),
        ("", None),
        ("https://example.org", "https://example.org/"),
        (" http://example.org/a?b#c ", "http://example.org/a?b#c"),
        ("example.org/me", "https://example.org/me"),
        ("https://b\u00fccher.example", "https://xn--bcher-kva.example/"),
        ("javascript:alert(1)", None),
        ("java\tscript:alert(1)", None),
        ("data:text/html,x", None),
        ("ftp://example.org", None),
        ("mailto:ana@example.org", None),
        ("https://github.com@evil.example", None),
        ("https://user:pass@example.org", None),  # pragma: allowlist secret
        ("https://localhost/x", None),
        ("http://10.0.0.1/x", None),
        ("http://0x7f.1/x", None),
        ("http://[::1]/x", None),
        ("https://box.local", None),
        ("https://exa mple.org", None),
        ("https://example.org/\u202egpj", None),
        ("https://example.org/" + "x" * LONGEST_ADDRESS, None),
        ("not an address", None),
    ],
)
def test_only_addresses_of_the_public_web_are_kept(told: str | None, kept: str | None) -> None:
    assert address(told) == kept


@given(st.text() | st.from_regex(r"https?://\S+", fullmatch=True))
def test_whatever_is_kept_as_an_address_leads_to_a_web_page(told: str) -> None:
    kept = address(told)
    if kept is not None:
        parts = urlsplit(kept)
        assert parts.scheme in {"http", "https"}
        assert parts.hostname
        assert "@" not in parts.netloc
        assert len(kept) <= LONGEST_ADDRESS
        assert kept.isascii()


def test_every_field_has_its_source_and_time_and_the_mail_is_a_hash() -> None:
    noted = fields_of(full(11, "ana"), "5eed", AT)
    assert {(field.source, field.at) for field in noted.values()} == {("github", AT)}
    assert {name: field.value for name, field in noted.items()} == {
        "name": "Ana <b>Núñez</b>",
        "company": "@octo",
        "location": "Lima",
        "bio": "Engines and wheels",
        "website": "https://ana.example.org/",
        "mail": "5eed",
        "followers": 1234,
        "account_created_at": "2015-06-01T00:00:00.000000Z",
    }
    assert set(fields_of(profile(11, "ana"), None, AT)) == {"followers", "account_created_at"}


def test_social_accounts_are_kept_once_and_only_where_they_can_be_followed() -> None:
    kept = social_of(full(11, "ana"), AT)
    assert [link.provider for link in kept] == ["twitter", "linkedin", "mastodon"]
    many = tuple(SocialAccount("GENERIC", f"https://example.org/{n}") for n in range(99))
    kept = social_of(profile(11, "ana", social=(*many[:1], *many)), AT)
    assert len(kept) == MOST_SOCIAL
    assert len({link.url for link in kept}) == MOST_SOCIAL
    assert kept[0].provider == "generic"
