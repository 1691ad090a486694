"""What somebody tells of themselves, made fit to be kept: checked, shortened, with its source.

All of it is untrusted text. Nothing here makes it safe to show: pages escape it like any other.
"""

from __future__ import annotations

import ipaddress
import unicodedata
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, HttpUrl, TypeAdapter, ValidationError

from shared.github import Profile, SocialAccount
from shared.models import iso

GITHUB = "github"
"""The source of what GitHub's API tells."""

LONGEST: Mapping[str, int] = {
    "name": 100, "company": 100, "location": 100, "bio": 300, "fediverse": 200, "provider": 30,
}  # fmt: skip
"""Characters that are kept of a text; what is longer is cut."""

LONGEST_ADDRESS = 300
MOST_SOCIAL = 20
"""GitHub itself allows four."""

_JOINER = "\u200d"
"""Holds several pictures together as one; the only invisible character that is kept."""

_ADDRESS = TypeAdapter(HttpUrl)


class Noted(BaseModel):
    """A field's value, who told it, and when (RFC 3339 in UTC)."""

    model_config = ConfigDict(frozen=True)

    value: str | int
    source: str
    at: str


class SocialLink(BaseModel):
    """An account elsewhere, who told of it, and when. ``provider`` is GitHub's word for it."""

    model_config = ConfigDict(frozen=True)

    provider: str
    url: str
    source: str
    at: str


def fields_of(profile: Profile, mail_digest: str | None, at: str) -> dict[str, Noted]:
    """The fields of a profile that say something. Of the e-mail address only its HMAC is kept."""
    values: dict[str, str | int | None] = {
        "name": text(profile.name, LONGEST["name"]),
        "company": text(profile.company, LONGEST["company"]),
        "location": text(profile.location, LONGEST["location"]),
        "bio": text(profile.bio, LONGEST["bio"]),
        "website": address(profile.website),
        "mail": mail_digest,
        "followers": profile.followers,
        "account_created_at": iso(profile.created_at),
    }
    return {
        name: Noted(value=value, source=GITHUB, at=at)
        for name, value in values.items()
        if value is not None
    }


def social_of(profile: Profile, at: str) -> tuple[SocialLink, ...]:
    """The accounts elsewhere whose addresses can be followed, each once, in the order given."""
    found: dict[str, SocialLink] = {}
    for account in profile.social:
        link = _link(account, at)
        if link is not None and len(found) < MOST_SOCIAL:
            found.setdefault(link.url, link)
    return tuple(found.values())


def text(given: str | None, longest: int) -> str | None:
    """One line without control and invisible characters, cut to ``longest``; None if empty.

    Among the invisible ones are those that turn the direction of what follows them.
    """
    if given is None:
        return None
    spaced = " ".join(given[: 10 * longest].split())
    normal = unicodedata.normalize("NFC", spaced)
    plain = "".join(
        letter
        for letter in normal
        if letter == _JOINER or unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
    )
    line = " ".join(plain.split())
    return (line if len(line) <= longest else line[: longest - 1].rstrip() + "…") or None


def address(given: str | None) -> str | None:
    """A web address as browsers write it, None for anything else.

    Only http and https, hosts with a public kind of name, no user in it. Without a scheme it is
    taken for https: GitHub lets people write their website so.
    """
    wanted = (given or "").strip()
    if not wanted or len(wanted) > LONGEST_ADDRESS or not wanted.isprintable() or " " in wanted:
        return None
    with_scheme = wanted if "://" in wanted else f"https://{wanted}"
    try:
        found = _ADDRESS.validate_python(with_scheme)
    except ValidationError:
        return None
    shown = str(found)
    if found.username or found.password or len(shown) > LONGEST_ADDRESS:
        return None
    return shown if _is_public_name(found.host or "") else None


def _is_public_name(host: str) -> bool:
    """True for a name with a dot in it that is no number: neither ``localhost`` nor 10.0.0.1."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        last = host.rstrip(".").rpartition(".")
        return bool(last[0]) and last[2] not in {"local", "localhost", "internal", "onion"}
    return False


def _link(account: SocialAccount, at: str) -> SocialLink | None:
    url = address(account.url)
    provider = text(account.provider, LONGEST["provider"])
    if url is None or provider is None:
        return None
    return SocialLink(provider=provider.lower(), url=url, source=GITHUB, at=at)
