"""GitHub's port with profiles only: what a test says, and who was asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from shared.errors import NotFound
from shared.github import Actor, GitHub, Profile, SocialAccount

SINCE = datetime(2015, 6, 1, tzinfo=UTC)


class Profiles:
    """``known`` maps logins to a profile, or to what asking for it raises."""

    def __init__(self, *, token: bool = True) -> None:
        self.known: dict[str, Profile | BaseException] = {}
        self.asked: list[str] = []
        self.reads_contributions = token

    def profile(self, login: str) -> Profile:
        self.asked.append(login)
        found = self.known.get(login, NotFound(f"GitHub knows no {login}."))
        if isinstance(found, BaseException):
            raise found
        return found

    @property
    def port(self) -> GitHub:
        """As the port: no other verb of it may be used."""
        return cast("GitHub", self)


def profile(id_: int, login: str, **told: Any) -> Profile:
    """A profile in which somebody tells of themselves what is given, and else nothing."""
    plain: dict[str, Any] = {
        "name": None, "company": None, "location": None, "bio": None, "website": None,
        "mail": None, "social": (), "followers": 0, "created_at": SINCE,
    }  # fmt: skip
    return Profile(account=Actor(id_, login, "User"), **{**plain, **told})


def full(id_: int, login: str) -> Profile:
    """A profile in which everything is told."""
    return profile(
        id_,
        login,
        name="Ana <b>Núñez</b>",
        company="@octo",
        location="Lima",
        bio="Engines\nand wheels",
        website="ana.example.org",
        mail=" Ana@Example.org ",
        social=(
            SocialAccount("twitter", "https://twitter.com/ana"),
            SocialAccount("linkedin", "https://www.linkedin.com/in/ana"),
            SocialAccount("mastodon", "https://mastodon.example.org/@ana"),
            SocialAccount("generic", "javascript:alert(1)"),
        ),
        followers=1234,
    )
