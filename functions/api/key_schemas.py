"""API keys in requests and answers. Hashes are in none, and a key's text is in one."""

from __future__ import annotations

from pydantic import Field

from functions.api.parameters import Moment, Query, RoleName, ScopeName
from functions.api.schemas import CursorLinks, Envelope, Links, ListMeta, Nothing, Shape, Time
from shared.auth import Role
from shared.keys import LONGEST_GRACE, LONGEST_NAME, KeyState, StoredKey

_LONGEST_GRACE_MINUTES = int(LONGEST_GRACE.total_seconds() // 60)


class NewKey(Shape):
    """A key to make. Without ``scopes`` it has those of its role."""

    name: str = Field(max_length=LONGEST_NAME, description="What it is for", examples=["CI"])
    role: RoleName = Field("user", description="admin may do everything and is not slowed down")
    scopes: list[ScopeName] | None = Field(
        None, min_length=1, max_length=10, description="Some of those that its role may have"
    )
    expires_at: Moment | None = Field(None, description="When it ends; never, if left out")


class RotationQuery(Query):
    """How a key is replaced."""

    grace_minutes: int = Field(
        0,
        ge=0,
        le=_LONGEST_GRACE_MINUTES,
        description="How long the former text is still taken; 0: it ends at once",
    )


class ApiKey(Shape):
    """A key without its text. ``last_used_at`` is exact to ten minutes."""

    id: str
    name: str
    role: Role
    scopes: list[str]
    state: KeyState
    created_at: Time
    created_by: str | None
    expires_at: Time | None
    last_used_at: Time | None
    rotated_at: Time | None
    revoked_at: Time | None
    former_until: Time | None


class KeyWithText(Shape):
    """A key and its text, which is shown this once: it is stored as a hash."""

    key: str = Field(examples=["lb_0123abcd_..."])
    about: ApiKey


class KeyAnswer(Envelope[ApiKey, Nothing, Links]):
    """A key."""


class KeyWithTextAnswer(Envelope[KeyWithText, Nothing, Links]):
    """A new text."""


class KeysAnswer(Envelope[list[ApiKey], ListMeta, CursorLinks]):
    """Keys by id."""


class KeyAccountsAnswer(Envelope[list[int], Nothing, Links]):
    """The ids on GitHub of the accounts that stand for a key."""


def shown(key: StoredKey) -> ApiKey:
    """A key as it is shown."""
    return ApiKey.model_validate(key.model_dump())
