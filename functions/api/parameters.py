"""What an address may be asked with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from functions.api.links import LAST_PAGE
from shared.auth import Role
from shared.boards import ALL_CLASSES, CLASSES, GLOBAL, SORTS
from shared.custom_range import custom_window
from shared.errors import Rejected
from shared.jobs import JobType, RepositoryStatus, State
from shared.keys import ALLOWED
from shared.models import WINDOW_DAYS, Window, parse_time
from shared.repository_list import SORTS as SORTED_BY

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def one_of(allowed: Sequence[str]) -> tuple[AfterValidator, WithJsonSchema]:
    """One of some words; the refusal lists them."""

    def check(value: str) -> str:
        if value not in allowed:
            raise PydanticCustomError(
                "one_of",
                "Use one of {words}",
                {"words": ", ".join(allowed), "allowed": list(allowed)},
            )
        return value

    return AfterValidator(check), WithJsonSchema({"type": "string", "enum": list(allowed)})


def _moment(value: Any) -> datetime:
    """A date, which is its midnight in UTC, or a time with an offset."""
    text = str(value)
    try:
        return parse_time(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text)
    except Rejected as error:
        # A plus sign in an address is a blank unless it is written as %2B.
        hint = " Write + as %2B." if " " in text else ""
        raise PydanticCustomError(
            "moment",
            "Write a date as 2025-03-20, or a time with its offset as 2025-03-20T00:00:00Z{hint}",
            {"hint": hint},
        ) from error


_MOMENT = WithJsonSchema(
    {
        "type": "string",
        "anyOf": [{"format": "date"}, {"format": "date-time"}],
        "examples": ["2025-03-20", "2025-03-20T12:00:00Z"],
    }
)

ClassName = Annotated[str, *one_of((*(c.value for c in CLASSES), ALL_CLASSES))]
WindowName = Annotated[str, *one_of(tuple(WINDOW_DAYS))]
Sort = Annotated[str, *one_of(SORTS)]
Order = Annotated[str, *one_of(("asc", "desc"))]
JobState = Annotated[str, *one_of([state.value for state in State])]
JobTypeName = Annotated[str, *one_of([type_.value for type_ in JobType])]
RepositorySort = Annotated[str, *one_of(SORTED_BY)]
Status = Annotated[str, *one_of([status.value for status in RepositoryStatus])]
RoleName = Annotated[str, *one_of([role.value for role in Role])]
ScopeName = Annotated[str, *one_of(ALLOWED[Role.ADMIN])]
Moment = Annotated[datetime, BeforeValidator(_moment), _MOMENT]
OWNER_PATTERN = "[A-Za-z0-9][A-Za-z0-9-]{0,38}"
NAME_PATTERN = (
    r"([A-Za-z0-9_-][A-Za-z0-9._-]{0,99}|\.[A-Za-z0-9_-][A-Za-z0-9._-]{0,98}"
    r"|\.\.[A-Za-z0-9._-]{1,98})"
)
"""Any name but . and .. alone, such as .github."""
REPOSITORY_PATTERN = f"(https://github\\.com/)?{OWNER_PATTERN}/{NAME_PATTERN}"


def described(pattern: str, longest: int) -> WithJsonSchema:
    """How a text is described whose own reader says better than a pattern what is wrong with it."""
    return WithJsonSchema({"type": "string", "maxLength": longest, "pattern": f"^({pattern})$"})


RepositoryText = Annotated[str, Field(max_length=200), described(REPOSITORY_PATTERN, 200)]
BoardText = Annotated[str, Field(max_length=200), described(f"{GLOBAL}|{REPOSITORY_PATTERN}", 200)]
Generation = Annotated[str, Field(pattern=r"^[0-9a-f]{24}$", examples=["9f86d081884c7d659a2feaa0"])]


class Query(BaseModel):
    """The parameters of an address."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)


class SpanQuery(Query):
    """A published window, or any range: ``start`` and ``end`` together."""

    window: WindowName | None = Field(
        None, description="Counted back from the end of what was captured; default all"
    )
    start: Moment | None = Field(None, description="Of a range of your own: its first moment")
    end: Moment | None = Field(None, description="The first moment that is not in the range")

    def range(self) -> Window | None:
        """The range asked for, None for a published window. Raises Rejected for half a range."""
        if self.start is None and self.end is None:
            return None
        if self.start is None or self.end is None:
            missing = "start" if self.start is None else "end"
            raise Rejected(
                f"A range has a start and an end. Add {missing}.", details={"field": missing}
            )
        if self.window is not None:
            raise Rejected(
                "window and a range exclude each other. Leave window out, or start and end.",
                details={"field": "window"},
            )
        return custom_window(self.start, self.end)


class BoardQuery(SpanQuery):
    """Which rows of a board."""

    page: int = Field(1, ge=1, le=LAST_PAGE, description="Counted from 1")
    page_size: int = Field(50, ge=1, le=100)
    sort: Sort = Field("rank", description="rank and score are the same order, each its own way")
    order: Order | None = Field(None, description="Default: best first, names from A")
    account_class: ClassName = Field(
        "human", alias="class", description="all ranks everybody together"
    )
    search: str = Field("", max_length=100, description="Part of a login, in any case")
    generation: Generation | None = Field(
        None, description="A kept state of the board; such an answer never changes"
    )

    def range(self) -> Window | None:
        """As ``SpanQuery.range``. A range has no generations to choose from."""
        found = super().range()
        if found is not None and self.generation is not None:
            raise Rejected(
                "A range is counted anew for every question, so it has no generations. "
                "Leave generation out.",
                details={"field": "generation"},
            )
        return found


class ContributorQuery(Query):
    """Which window's repository boards are looked at."""

    window: WindowName = Field("all", description="Of the rows on repository boards")


class ExplainQuery(SpanQuery):
    """Which score is explained."""

    repository: BoardText = Field(
        GLOBAL, description="owner/name, or global for all repositories together"
    )
    events: int = Field(20, ge=0, le=100, description="The newest events shown of each kind")


class ListQuery(Query):
    """A stretch of a list."""

    limit: int = Field(50, ge=1, le=100)
    cursor: str | None = Field(
        None, max_length=2000, description="From the link next of the answer before"
    )


class RepositoriesQuery(ListQuery):
    """Which repositories."""

    status: Status | None = None
    search: str = Field("", max_length=100, description="Part of owner/name, in any case")
    sort: RepositorySort = Field("name", description="Equal ones by name")
    order: Order | None = Field(None, description="Default: names from A, others largest first")


class JobsQuery(ListQuery):
    """Which jobs."""

    state: JobState | None = None
    type: JobTypeName | None = None
    repository: RepositoryText | None = Field(None, description="owner/name")
