"""People in answers: merges, wishes, and what is stored about somebody."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from functions.api.parameters import Query
from functions.api.schemas import Envelope, Links, Nothing, Shape, Time
from functions.api.work_schemas import Job

Reason = Field(min_length=3, max_length=500, description="Why; it stays on the audit trail")
WHO = "A login as it is borne now, or id: and a numeric account id"


class NewMerge(Shape):
    """Accounts of one person. Each of them is a login as it is borne now, or ``id:583231``."""

    person: str = Field(max_length=100, description=f"Who remains. {WHO}")
    accounts: list[str] = Field(min_length=1, max_length=50, description=f"The others. {WHO}")
    reason: str = Reason


class Taken(Query):
    """What is said when a merge is taken back."""

    reason: str = Field("taken back", min_length=3, max_length=500, description="Why")


class Visibility(Shape):
    """How somebody is to be shown."""

    visibility: Literal["anonymous", "public"]


class RemovalQuery(Query):
    """How far a removal goes."""

    mode: Literal["removed", "anonymous"] = Field(
        "removed", description="anonymous: counted on, and shown under a pseudonym"
    )


class DataQuery(Query):
    """A stretch of somebody's data."""

    skipped: int = Field(0, ge=0, le=100_000_000, description="Rows of each dataset to leave out")
    limit: int = Field(1000, ge=1, le=5000, description="Rows of each dataset at most")


class MergeShown(Shape):
    """A merge: ``account`` counts as ``person``."""

    account: int
    person: int
    login: str | None
    reason: str
    merged_at: Time
    merged_by: str


class Wish(Shape):
    """Somebody's wish. ``done_at`` is null until it holds everywhere; ``job`` sees to it."""

    account: int
    mode: Literal["anonymous", "removed", "public"]
    requested_at: Time
    requested_by: str
    job: str
    done_at: Time | None
    shown_login: str | None


class Stored(Shape):
    """What is stored about a person. ``more`` says that there are rows after these.

    ``boards_left_out`` are repositories on whose boards the person was not looked for.
    """

    accounts: list[int]
    documents: dict[str, list[JsonValue]]
    facts: dict[str, list[JsonValue]]
    boards_left_out: list[str]
    skipped: int
    more: bool


class Asked(Shape):
    """``job`` makes it hold; null where there was nothing to do."""

    job: Job | None


class Lifted(Shape):
    """The accounts whose removal was taken back."""

    accounts: list[int]


class MergesAnswer(Envelope[list[MergeShown], Nothing, Links]):
    """All merges."""


class WishesAnswer(Envelope[list[Wish], Nothing, Links]):
    """All opt-outs."""


class StoredAnswer(Envelope[Stored, Nothing, Links]):
    """Somebody's data."""


class WorkAnswer(Envelope[Asked, Nothing, Links]):
    """A change of people, and the job that makes it hold."""


class LiftedAnswer(Envelope[Lifted, Nothing, Links]):
    """A removal that was taken back."""
