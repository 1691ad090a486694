"""The audit trail in requests and answers."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import Field

from functions.api.parameters import ListQuery, Moment, Query, one_of
from functions.api.schemas import CursorLinks, Envelope, Links, ListMeta, Nothing, Shape
from shared.audit import RecordShown
from shared.audit_integrity import Break, Checked, Fault
from shared.audit_records import CHANGES, OTHERS
from shared.audit_reports import Access, Change, DayOfCosts, Suspicion
from shared.errors import Rejected, Severity
from shared.ports import Json

REPORTED_DAYS = 30
"""The days of a report that names none: today and those before."""

_PLACE = r"^(seals\.\d{1,10}|records\.[A-Za-z0-9_=-]{0,1900})$"

Category = Annotated[str, *one_of(sorted((*CHANGES, *OTHERS)))]
SeverityName = Annotated[str, *one_of([severity.value for severity in Severity])]
Day = Annotated[date, Field(examples=["2025-03-20"])]


class AuditQuery(ListQuery):
    """Which records. Conditions hold together."""

    actor: str | None = Field(
        None, max_length=200, description="Who: key:0123abcd, system, anonymous, command line"
    )
    resource_type: str | None = Field(
        None, pattern=r"^[a-z_]{1,40}$", description="repository, key, job, budget, ..."
    )
    resource_id: str | None = Field(
        None, max_length=200, description="owner/name, a key's or a job's id, ..."
    )
    action: str | None = Field(
        None, pattern=r"^[a-z_]{1,40}\.[a-z_]{1,40}$", examples=["config.changed"]
    )
    category: Category | None = None
    severity: SeverityName | None = None
    start: Moment | None = Field(None, description="The first moment")
    end: Moment | None = Field(None, description="The first moment that is not in it")

    def where(self) -> dict[str, Json]:
        """The conditions, by the names of a record's fields."""
        given: dict[str, Json] = {
            "actor_id": self.actor,
            "resource_type": self.resource_type,
            "resource_id": self.resource_id,
            "action": self.action,
            "category": self.category,
            "severity": self.severity,
        }
        return {name: value for name, value in given.items() if value is not None}


class IntegrityQuery(Query):
    """Which slice of the check."""

    cursor: str | None = Field(
        None, pattern=_PLACE, description="From the link next of the answer before"
    )


class ReportQuery(Query):
    """Which days, and in which form."""

    start: Day | None = Field(None, description="The first day (UTC); default 30 days up to now")
    end: Day | None = Field(None, description="The first day that is not in the report")
    format: Literal["json", "csv"] = "json"

    def days(self, today: date) -> tuple[date, date]:
        """The first day, and the first that is not among them. Raises Rejected for half a span."""
        if self.start is None and self.end is None:
            end = today + timedelta(days=1)
            return end - timedelta(days=REPORTED_DAYS), end
        if self.start is None or self.end is None:
            missing = "start" if self.start is None else "end"
            raise Rejected(
                f"A report has a start and an end. Add {missing}.", details={"field": missing}
            )
        return self.start, self.end


class Integrity(Shape):
    """What this slice of the check found.

    ``broken_seal`` is the first seal that is missing, was changed, or does not follow the one
    before; ``fault`` the first record that was changed, removed or added; ``late_seal`` the first
    with a record that says it is much older than the seal before. ``unsealed`` records wait for
    the next seal. ``last_seal`` and ``hash`` are worth noting elsewhere.
    """

    intact: bool
    seals: int
    records: int
    unsealed: int
    broken_seal: Break | None
    fault: Fault | None
    late_seal: int | None
    last_seal: int
    hash: str


class ReportMeta(Shape):
    """The days that it is of; ``end`` is the first that is not among them."""

    start: str
    end: str
    rows: int


class AuditAnswer(Envelope[list[RecordShown], ListMeta, CursorLinks]):
    """Records, newest first."""


class IntegrityAnswer(Envelope[Integrity, Nothing, CursorLinks]):
    """A slice of the check; the whole of it was made when ``next`` is null."""


class AccessAnswer(Envelope[list[Access], ReportMeta, Links]):
    """Who was let in for what."""


class ChangesAnswer(Envelope[list[Change], ReportMeta, Links]):
    """What was changed."""


class SecurityAnswer(Envelope[list[Suspicion], ReportMeta, Links]):
    """What was refused or went wrong."""


class CostReportAnswer(Envelope[list[DayOfCosts], ReportMeta, Links]):
    """What each day cost."""


def integrity(found: Checked) -> Integrity:
    """A slice as it is shown."""
    return Integrity(
        intact=found.intact,
        seals=found.seals,
        records=found.records,
        unsealed=found.unsealed,
        broken_seal=found.broken,
        fault=found.fault,
        late_seal=found.late,
        last_seal=found.last,
        hash=found.hash,
    )
