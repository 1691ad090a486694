"""Exports in requests and answers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from functions.api.activity import Day, GroupName
from functions.api.parameters import ClassName, Generation, Query, RepositoryText, WindowName
from functions.api.schemas import CursorLinks, Envelope, Links, ListMeta, Nothing, Shape, Time
from shared.export_files import Format
from shared.export_wanted import Filters, Type, Wanted
from shared.exports import Export
from shared.jobs import State


class NewFilters(BaseModel):
    """Which rows. Each filter belongs to some types only."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    window: WindowName | None = Field(None, description="Of a board; default all")
    account_class: ClassName | None = Field(
        None, alias="class", description="Of a board; default human"
    )
    generation: Generation | None = Field(None, description="Of a board: a kept state of it")
    repository: RepositoryText | None = Field(
        None, description="owner/name: of a repository's board, or of activity"
    )
    login: str | None = Field(None, min_length=1, max_length=100, description="Whose activity")
    start: Day | None = Field(None, description="Of activity, costs, audit: the first day (UTC)")
    end: Day | None = Field(None, description="The first day that is not in the export")
    group_by: GroupName | None = Field(None, description="Of activity; default month")


class NewExport(BaseModel):
    """What to export."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Type
    format: Format
    filters: NewFilters = Field(default_factory=lambda: NewFilters())
    header: bool = Field(
        False, description="Begin a CSV file with lines of `# name: value` about it"
    )

    def wanted(self) -> Wanted:
        """As it is worked with."""
        filters = Filters.model_validate(self.filters.model_dump())
        return Wanted(type=self.type, format=self.format, filters=filters, header=self.header)


class ExportsQuery(Query):
    """A stretch of the list."""

    limit: int = Field(50, ge=1, le=100)
    cursor: str | None = Field(None, max_length=200, description="From the link next")


class ExportShown(Shape):
    """An export. STREAMED was answered at once, and is not kept.

    ``link`` fetches the file without a key and works for an hour; a later question gives another,
    until ``expires_at``. It is null while the job is under way, and once the file is gone: EXPIRED
    after a day, WITHDRAWN if somebody had to be taken out of it. ``about`` is what the file says of
    itself: time, exporter, filters, generation, rule version, receipt, coverage.
    """

    id: str
    type: Type
    format: Format
    filters: dict[str, JsonValue]
    state: Literal["STREAMED", "PENDING", "READY", "FAILED", "EXPIRED", "WITHDRAWN"]
    exporter: str
    created_at: Time
    expires_at: Time | None
    filename: str
    size: int | None
    job: str | None
    job_state: State | None
    error: str | None
    link: str | None
    about: dict[str, JsonValue]


class ListedExport(Shape):
    """An export in the list. Its own address has the rest."""

    id: str
    type: Type
    format: Format
    filters: dict[str, JsonValue]
    exporter: str
    created_at: Time
    expires_at: Time | None
    size: int | None
    job: str | None
    address: str


class ExportAnswer(Envelope[ExportShown, Nothing, Links]):
    """An export."""


class ExportsAnswer(Envelope[list[ListedExport], ListMeta, CursorLinks]):
    """Exports, newest first."""


def in_list(export: Export, address: str) -> ListedExport:
    """An export as the list shows it."""
    return ListedExport(
        id=export.id,
        type=export.wanted.type,
        format=export.wanted.format,
        filters=export.wanted.filters.given(),
        exporter=export.exporter,
        created_at=export.created_at,
        expires_at=export.expires_at,
        size=export.size,
        job=export.job,
        address=address,
    )
