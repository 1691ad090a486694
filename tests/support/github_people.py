"""GraphQL's accounts: actors, users, and the people of git."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.support.github_connections import Arguments, connection
from tests.support.github_history import History
from tests.support.github_model import Account, Person
from tests.support.github_shapes import SITE

Object = dict[str, Any]
INT = 2**31 - 1


def pages(
    name: str, items: Sequence[Any], node: Callable[[Any], Any], arguments: Arguments
) -> Object:
    """Items in the order in which they are."""
    numbered = list(enumerate(items))
    return connection(name, numbered, lambda item: [item[0]], lambda i: node(i[1]), arguments)


def actor(found: Account | None) -> Object | None:
    """An account in its own type; a bot's login is without ``[bot]``, as GraphQL has it."""
    if found is None or found.deleted:
        return None
    told = user(found) or {}
    if found.type != "User":
        told |= {"__typename": found.type, "login": found.app or found.login}
        told |= {"description": found.bio}
    return told


def user(found: Account | None) -> Object | None:
    """An account where the schema has a User: bots stand there too, with their login in REST."""
    if found is None or found.deleted:
        return None
    page = f"/apps/{found.app}" if found.app else f"/{found.login}"
    return {
        "__typename": "User",
        "id": found.node_id,
        "databaseId": found.id,
        "login": found.login,
        "name": found.name,
        "company": found.company,
        "location": found.location,
        "bio": found.bio,
        "email": found.mail or "",
        "websiteUrl": found.website,
        "twitterUsername": next(
            (url.rpartition("/")[2] for kind, url in found.social if kind == "TWITTER"), None
        ),
        "socialAccounts": lambda _, **args: pages("socialAccounts", found.social, _social, args),
        "followers": lambda _, **args: {"totalCount": found.followers},
        "following": lambda _, **args: {"totalCount": 0},
        "createdAt": found.created_at,
        "updatedAt": found.created_at,
        "avatarUrl": f"https://avatars.githubusercontent.com/u/{found.id}?v=4",
        "url": SITE + page,
        "resourcePath": page,
        "isBot": found.type == "Bot",
        "isEmployee": False,
        "isHireable": False,
        "isSiteAdmin": False,
    }


def git_actor(told: History, person: Person, at: str) -> Object:
    """Somebody whom git names, and the account of that address."""
    name, mail = person
    return {
        "__typename": "GitActor",
        "name": name,
        "email": mail,
        "date": at,
        "avatarUrl": "https://avatars.githubusercontent.com/u/0?v=4",
        "user": lambda _: user(told.account_of(mail)),
    }


def _social(account: tuple[str, str]) -> Object:
    provider, url = account
    return {"provider": provider, "url": url, "displayName": url.rpartition("/")[2]}


def ids(id_: int) -> Object:
    """``databaseId`` holds 32 bits; beyond them only the full one tells it."""
    return {"databaseId": id_ if id_ <= INT else None, "fullDatabaseId": str(id_)}
