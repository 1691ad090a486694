"""The shapes that all answers share: envelope, links, points, errors."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from shared.scoring import shown

Data = TypeVar("Data")
MetaT = TypeVar("MetaT", bound="Shape")
LinksT = TypeVar("LinksT", bound="Links")

Score = Annotated[Decimal, Field(description="Points with two places", examples=[1380.00])]
Percent = Annotated[Decimal, Field(description="Percent with two places", examples=[97.50])]
Time = Annotated[
    str, Field(description="RFC 3339 in UTC", examples=["2025-03-20T00:00:00.000000Z"])
]


class Shape(BaseModel):
    """Part of an answer: nothing but its fields, and all of them.

    What checks them is built when the first is made: of hundreds an instance makes a few, and a
    function that starts should not wait for the rest.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)


class Links(Shape):
    """Addresses on this server."""

    self_: str = Field(alias="self")


class CursorLinks(Links):
    """``next`` is null at the end."""

    first: str
    next: str | None


class PageLinks(Links):
    """Pages beside this one, of the very same generation. ``next`` and ``prev`` are null at the

    ends; ``last`` is the last page that can be asked for.
    """

    first: str
    prev: str | None
    next: str | None
    last: str


class Envelope(Shape, Generic[Data, MetaT, LinksT]):
    """Every answer that is no error."""

    data: Data
    meta: MetaT
    links: LinksT


class Nothing(Shape):
    """No metadata."""


class ListMeta(Shape):
    """``limit`` is the most that one answer holds; ``next`` in the links leads on."""

    limit: int


class ErrorBody(Shape):
    """Every error. ``details`` names the field that is wrong, where one is."""

    error: str = Field(examples=["invalid_request"])
    message: str
    details: dict[str, JsonValue]
    request_id: str


def points(thousandths: int) -> Decimal:
    """Thousandths of a point as boards show them; the sign stays outside the rounding."""
    amount = Decimal(shown(abs(thousandths)))
    return -amount if thousandths < 0 and amount else amount


def two_places(value: float) -> Decimal:
    """A number that was stored with two places, with two places."""
    return Decimal(f"{value:.2f}")


def hundredths(value: int) -> Decimal:
    """Hundredths as a number with two places."""
    return Decimal(value).scaleb(-2).quantize(Decimal("0.01"))
