"""What somebody wants exported: the type, the format, the filters, and what they open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.errors import Rejected
from shared.export_files import Column, Format, Row
from shared.ports import Json

Type = Literal["global", "repository", "activity", "costs", "audit"]


class Filters(BaseModel):
    """Which rows. ``start`` is the first day (UTC), ``end`` the first that is not among them.

    Each belongs to some types only (``ALLOWED``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: str | None = None
    account_class: str | None = None
    generation: str | None = None
    repository: str | None = None
    login: str | None = None
    start: date | None = None
    end: date | None = None
    group_by: str | None = None

    def given(self) -> dict[str, Json]:
        """Those that are set, by the names that people use."""
        found = self.model_dump(mode="json", exclude_none=True)
        return {_SHOWN.get(name, name): value for name, value in found.items()}


_SHOWN = {"account_class": "class"}

ALLOWED: Mapping[Type, frozenset[str]] = {
    "global": frozenset({"window", "class", "generation"}),
    "repository": frozenset({"repository", "window", "class", "generation"}),
    "activity": frozenset({"login", "repository", "start", "end", "group_by"}),
    "costs": frozenset({"start", "end"}),
    "audit": frozenset({"start", "end"}),
}
"""The filters of each type. ``repository`` needs a repository, ``activity`` a login."""

_NEEDED: Mapping[Type, str] = {"repository": "repository", "activity": "login"}


class Wanted(BaseModel):
    """What somebody wants exported. ``header`` is for lines about a CSV file in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Type
    format: Format
    filters: Filters = Field(default_factory=Filters)
    header: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """Rows that wait to be read. ``wanted`` names the generation that they are of.

    ``size`` is about how many bytes the file will have, None where that is not known before. A
    repeat of ``wanted`` gives the same rows for as long as its generation is kept. ``people`` is
    how often people's wishes had changed when it was opened: once that differs, the rows may hold
    somebody who must not be in them (``stays_true``).
    """

    wanted: Wanted
    columns: tuple[Column, ...]
    pages: Iterator[Sequence[Row]]
    about: Mapping[str, Json]
    size: int | None
    people: int


def check(wanted: Wanted) -> None:
    """Raises Rejected for filters that do not belong to the type, and for one that is missing."""
    given = wanted.filters.given()
    allowed = ALLOWED[wanted.type]
    for name in given.keys() - allowed:
        raise Rejected(
            f"filters.{name} is no filter of {wanted.type}: it has {', '.join(sorted(allowed))}. "
            "Leave it out.",
            details={"field": f"filters.{name}", "allowed": sorted(allowed)},
        )
    needed = _NEEDED.get(wanted.type)
    if needed is not None and needed not in given:
        raise Rejected(
            f"filters.{needed} is missing: an export of {wanted.type} is of one. Add it.",
            details={"field": f"filters.{needed}"},
        )
    start, end = wanted.filters.start, wanted.filters.end
    if start is not None and end is not None and end <= start:
        raise Rejected(
            "filters.end: It is the first day that is not in the export, so it is after start.",
            details={"field": "filters.end"},
        )
