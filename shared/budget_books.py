"""The budget's documents: a day and a month of money, and a charge each run.

``budget_days/2025-03-20`` and ``budget_months/2025-03`` hold what is spent and reserved; small, for
every reservation goes through them. ``charges/<id>`` is a reservation and later its bill. Money is
micro-dollars. The bills of a day are summed up in ``shared/cost_summaries.py``.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from shared.canonical import fingerprint
from shared.errors import Rejected
from shared.models import iso
from shared.ports import Allowance, Document, Json, Usage, Write

MOST_NAMED = 4_000
"""Repositories that a document has room to name."""

_ID = re.compile(r"[A-Za-z0-9-][A-Za-z0-9_-]{0,899}")


@dataclass(frozen=True, slots=True)
class Charge:
    """What a run is about to cost at most, and for whom. ``id`` becomes the warehouse's job id.

    ``repositories`` share the cost equally. Raises Rejected for an id that the warehouse would
    refuse.
    """

    id: str
    max_bytes: int
    statement: str
    job: str | None = None
    repositories: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise Rejected(f"{self.id[:60]!r} cannot be a charge's id: letters, digits, - and _.")


class Money(NamedTuple):
    """Micro-dollars set aside, bytes that are to cost nothing, and the price of a TiB."""

    reserved: int
    free: int
    price: int


class Period(BaseModel):
    """The money of a day or a month. ``free`` is in bytes and counts in months only.

    ``since`` is the first day of the period on which anything was reserved, ``warned_on`` the last
    on which somebody was told that a limit is near.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    spent: int = 0
    reserved: int = 0
    free_used: int = 0
    free_reserved: int = 0
    since: str | None = None
    warned_on: str | None = None

    @property
    def committed(self) -> int:
        return self.spent + self.reserved

    def free_left(self, free: int) -> int:
        """Of ``free`` bytes, those that nobody has used or reserved."""
        return max(0, free - self.free_used - self.free_reserved)

    def moved(
        self, *, spent: int = 0, reserved: int = 0, free_used: int = 0, free_reserved: int = 0
    ) -> Period:
        """The period with these amounts added."""
        return self.model_copy(
            update={
                "spent": self.spent + spent,
                "reserved": self.reserved + reserved,
                "free_used": self.free_used + free_used,
                "free_reserved": self.free_reserved + free_reserved,
            }
        )

    def write(self) -> Write:
        collection = "budget_days" if len(self.name) == len("2025-03-20") else "budget_months"
        return Write(f"{collection}/{self.name}", self.model_dump())


class Entry(BaseModel):
    """A charge as it is stored: a reservation while ``open_since`` is set, and its bill.

    ``reserved`` (money, at ``price`` per TiB) and ``free`` (bytes) are on the books of the day
    ``held_on``; a charge that is reserved once more keeps its first ``day``. The bill is all that
    the run has cost so far. ``more`` repositories share it beyond those named.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    statement: str
    job: str | None
    day: str
    held_on: str
    reserved_at: str
    open_since: str | None
    max_bytes: int
    reserved: int
    free: int
    price: int
    settled_at: str | None = None
    started_at: str | None = None
    duration_ms: int = 0
    rows: int = 0
    bytes_processed: int = 0
    bytes_billed: int = 0
    slot_ms: int = 0
    cache_hit: bool = False
    micro_usd: int = 0
    repositories: tuple[str, ...] = Field((), exclude=True)
    more: int = 0

    @property
    def allowance(self) -> Allowance:
        return Allowance(self.id, self.max_bytes, self.job)

    @property
    def open(self) -> bool:
        return self.open_since is not None

    @property
    def held(self) -> int:
        """The money that is set aside for it now."""
        return self.reserved if self.open else 0

    @property
    def held_free(self) -> int:
        """The free bytes that are set aside for it now."""
        return self.free if self.open else 0

    @property
    def unbilled(self) -> int:
        """The bytes that its run may still be billed."""
        return max(0, self.max_bytes - self.bytes_billed)

    def write(self) -> Write:
        fields: dict[str, Json] = self.model_dump(mode="json")
        if self.open_since is None:
            # Only open charges have this field: an order by it finds them without an index more.
            del fields["open_since"]
        return Write(f"charges/{self.id}", fields, json.dumps(self.repositories).encode())

    def renewed(self, moment: datetime) -> Entry:
        """The open charge, of which a worker has said that it is at it."""
        return self.model_copy(update={"open_since": iso(moment)})

    def reopened(self, moment: datetime, money: Money) -> Entry:
        """The settled charge, reserved for what its run may still be billed."""
        held = {"held_on": day_name(moment), "open_since": iso(moment), **money._asdict()}
        return self.model_copy(update=held)

    def closed(self) -> Entry:
        """The charge with nothing set aside."""
        return self.model_copy(update={"open_since": None})

    def billed(self, usage: Usage, cost: int, moment: datetime) -> Entry:
        """The charge with its bill, of which ``cost`` is new."""
        return self.closed().model_copy(
            update={
                "settled_at": iso(moment),
                "started_at": iso(usage.started_at),
                "duration_ms": usage.duration_ms,
                "rows": usage.rows,
                "bytes_processed": usage.bytes_processed,
                "bytes_billed": max(usage.bytes_billed, self.bytes_billed),
                "slot_ms": usage.slot_ms,
                "cache_hit": usage.cache_hit,
                "micro_usd": self.micro_usd + cost,
            }
        )


def reserved_entry(charge: Charge, moment: datetime, max_bytes: int, money: Money) -> Entry:
    """A new charge, open."""
    named = charge.repositories[:MOST_NAMED]
    return Entry(
        id=charge.id,
        statement=charge.statement,
        job=charge.job,
        day=day_name(moment),
        held_on=day_name(moment),
        reserved_at=iso(moment),
        open_since=iso(moment),
        max_bytes=max_bytes,
        repositories=named,
        more=len(charge.repositories) - len(named),
        **money._asdict(),
    )


def entry(document: Document) -> Entry:
    """A stored charge."""
    repositories = json.loads(document.body or b"[]")
    return Entry.model_validate(
        {"open_since": None, **document.fields, "repositories": repositories}
    )


def period(document: Document | None, name: str) -> Period:
    """A stored day or month, or an empty one."""
    return Period(name=name) if document is None else Period.model_validate(document.fields)


def id_of(usage: Usage) -> str:
    """The run's id; one made from what is known of it where it ran without an allowance."""
    if usage.id is not None:
        return usage.id
    return "run-" + fingerprint([usage.statement, iso(usage.started_at)])[:32]


# --- days ---------------------------------------------------------------------------------------


def day_name(moment: datetime) -> str:
    """The day (UTC) of a moment: ``2025-03-20``."""
    return moment.astimezone(UTC).date().isoformat()


def midnight_after(moment: datetime) -> datetime:
    """When the day's budget is renewed."""
    day = moment.astimezone(UTC).date() + timedelta(days=1)
    return datetime.combine(day, time(), UTC)


def month_after(moment: datetime) -> datetime:
    """When the month's budget is renewed."""
    first = moment.astimezone(UTC).date().replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return datetime.combine(following, time(), UTC)


def moment_of(day: str) -> datetime:
    """The first moment of a day."""
    return datetime.combine(date.fromisoformat(day), time(), UTC)
