"""WebFinger (RFC 7033): the address in the fediverse of a Mastodon account that a profile names.

It is the question that servers ask each other about accounts, answered to everybody. Nothing but
the answer is read, and only of hosts that somebody names in their own profile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from urllib.parse import quote, urlsplit

from infra.public_pages import PublicPages
from shared.errors import Rejected
from shared.github import Profile
from shared.lookups import LookedUp

PROVIDERS = frozenset({"mastodon", "hometown"})
"""GitHub's words for accounts on servers that answer it."""

MOST_ACCOUNTS = 2

_ACCEPT = "application/jrd+json, application/json"
_PATH = re.compile(r"/(?:@|users/)([A-Za-z0-9_.-]{1,64})/?")
_SUBJECT = re.compile(r"acct:([A-Za-z0-9_.-]{1,64})@([a-z0-9.-]{1,253})")
_PAGES = frozenset({"self", "http://webfinger.net/rel/profile-page"})


class WebFinger:
    """The adapter ``webfinger``. ``origin`` gives the address of a host."""

    def __init__(
        self,
        pages: PublicPages | None = None,
        origin: Callable[[str], str] = "https://{}".format,
    ) -> None:
        self._pages = pages or PublicPages()
        self._origin = origin

    @property
    def name(self) -> str:
        return "webfinger"

    def look_up(self, profile: Profile) -> Mapping[LookedUp, str]:
        """``fediverse``: user@host of the first account that its host knows."""
        accounts = [a.url for a in profile.social if a.provider.lower() in PROVIDERS]
        for url in accounts[:MOST_ACCOUNTS]:
            confirmed = self._confirmed(url)
            if confirmed is not None:
                return {"fediverse": confirmed}
        return {}

    def _confirmed(self, url: str) -> str | None:
        """The account's address, if the host in it says that the page is this account's.

        A host may name an account elsewhere; then the other one has the word, as its own host.
        """
        parts = urlsplit(url)
        user = _PATH.fullmatch(parts.path)
        if parts.scheme != "https" or parts.netloc != parts.hostname or user is None:
            return None
        asked, host = user[1], parts.netloc
        for _ in range(2):
            subject = self._ask(asked, host, url)
            if subject is None or subject == (asked, host):
                break
            asked, host = subject
        else:
            return None
        return None if subject is None else f"{asked}@{host}"

    def _ask(self, user: str, host: str, page: str) -> tuple[str, str] | None:
        """User and host by which a host knows an account, None unless the page belongs to it."""
        resource = quote(f"acct:{user}@{host}", safe="")
        address = f"{self._origin(host)}/.well-known/webfinger?resource={resource}"
        body = self._pages.read(address, _ACCEPT)
        return None if body is None else _read(body, page)


def _read(body: bytes, page: str) -> tuple[str, str] | None:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Rejected("The answer is not JSON.") from error
    if not isinstance(told, dict):
        return None
    links, aliases = told.get("links"), told.get("aliases")
    pages = [str(alias) for alias in (aliases if isinstance(aliases, list) else [])]
    pages += [
        str(link.get("href"))
        for link in (links if isinstance(links, list) else [])
        if isinstance(link, dict) and link.get("rel") in _PAGES
    ]
    subject = _SUBJECT.fullmatch(str(told.get("subject")))
    if subject is None or page.rstrip("/").lower() not in {p.rstrip("/").lower() for p in pages}:
        return None
    return subject[1], subject[2]
