"""What was found in an archive file: counted while it is read, then reported."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from infra.archive_decoder import BEGINS, Fault, moment, read_time
from shared.models import iso

if TYPE_CHECKING:  # it brings much that a helping process would load for nothing
    from shared.ports import Json

_HOUR = 3_600_000_000
_TEXTS_KEPT = 50_000
_TYPES_NAMED = 60
_OTHER = "other"
_TYPE_NAME = re.compile(r"[A-Za-z]{1,60}")


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in an archive file.

    ``lines`` counts all but blank ones. Every row or fault on them is in exactly one of
    ``events`` (rows that were kept), ``ignored`` (valid rows of other types, by type), ``broken``
    (by ``Fault``), ``before_2015`` and ``from_future``. ``hours`` says how many valid rows of any
    type were created in each hour; ``first_at`` and ``last_at`` are the earliest and latest of
    them. ``truncated`` says that the compressed stream ended early or was damaged.
    """

    lines: int
    events: int
    ignored: Mapping[str, int]
    broken: Mapping[str, int]
    before_2015: int
    from_future: int
    hours: Mapping[datetime, int]
    first_at: datetime | None
    last_at: datetime | None
    bytes_read: int
    sha256: str
    truncated: bool

    def as_json(self) -> dict[str, Json]:
        """The report as JSON values; times as ``models.iso`` writes them."""
        return {
            "lines": self.lines,
            "events": self.events,
            "ignored": dict(self.ignored),
            "broken": dict(self.broken),
            "before_2015": self.before_2015,
            "from_future": self.from_future,
            "hours": {iso(hour): rows for hour, rows in self.hours.items()},
            "first_at": iso(self.first_at) if self.first_at else None,
            "last_at": iso(self.last_at) if self.last_at else None,
            "bytes_read": self.bytes_read,
            "sha256": self.sha256,
            "truncated": self.truncated,
        }


class Tally(msgspec.Struct):
    """What was counted of some lines. Tallies are added up in the order of the lines.

    ``ignored`` is by type, in the order in which they were met; of the types that a whole file
    has, only the first sixty keep their name. ``hours`` is by hours since 1970.
    """

    lines: int = 0
    events: int = 0
    ignored: dict[str, int] = {}
    faults: dict[Fault, int] = {}
    from_future: int = 0
    hours: dict[int, int] = {}
    first: int = 2**63 - 1
    last: int = -(2**63)

    def fault(self, fault: Fault, rows: int = 1) -> None:
        self.faults[fault] = self.faults.get(fault, 0) + rows

    def ignore(self, event_type: str, rows: int = 1) -> None:
        """Count valid rows of a type that no rule uses, under its name if that looks like one."""
        name = event_type if _TYPE_NAME.fullmatch(event_type) else _OTHER
        self.ignored[name] = self.ignored.get(name, 0) + rows

    def add(self, other: Tally) -> None:
        """Add what was counted of the lines that follow."""
        self.lines += other.lines
        self.events += other.events
        for name, rows in other.ignored.items():
            known = name in self.ignored or len(self.ignored) < _TYPES_NAMED
            self.ignore(name if known else _OTHER, rows)
        for fault, rows in other.faults.items():
            self.fault(fault, rows)
        self.from_future += other.from_future
        for hour, rows in other.hours.items():
            self.hours[hour] = self.hours.get(hour, 0) + rows
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)

    def report(self, *, too_long: int, bytes_read: int, sha256: str, truncated: bool) -> Report:
        """All that was counted, with what was noticed of the file itself."""
        faults = self.faults | ({Fault.TOO_LONG: too_long} if too_long else {})
        before_2015 = faults.pop(Fault.BEFORE_2015, 0)
        return Report(
            lines=self.lines + too_long,
            events=self.events,
            ignored=dict(sorted(self.ignored.items())),
            broken={fault.value: count for fault, count in sorted(faults.items())},
            before_2015=before_2015,
            from_future=self.from_future,
            hours={moment(hour * _HOUR): rows for hour, rows in sorted(self.hours.items())},
            first_at=moment(self.first) if self.hours else None,
            last_at=moment(self.last) if self.hours else None,
            bytes_read=bytes_read,
            sha256=sha256,
            truncated=truncated,
        )


class Times:
    """Which times are to be kept: not before 2015, not after ``latest``.

    Times are remembered by their text, of which an hour of the archive has 3,600 and many more
    rows.
    """

    def __init__(self, latest: int) -> None:
        self._latest = latest
        self._known = _Known(latest)

    def of(self, texts: Sequence[str], tally: Tally) -> list[int]:
        """Count rows by their ``created_at``; return it, 0 for those that are not to be kept."""
        known = self._known
        moments = [known[text] for text in texts]
        for text, rows in Counter(texts).items():
            self.count(known[text] or read_time(text), tally, rows)
        if len(known) > _TEXTS_KEPT:
            known.clear()
        return moments

    def count(self, created_at: int | None, tally: Tally, rows: int = 1) -> bool:
        """Count rows of one time, and say whether they are to be kept."""
        if created_at is None:
            tally.fault(Fault.INCOMPLETE, rows)
        elif created_at < BEGINS:
            tally.fault(Fault.BEFORE_2015, rows)
        elif created_at > self._latest:
            tally.from_future += rows
        else:
            hour = created_at // _HOUR
            tally.hours[hour] = tally.hours.get(hour, 0) + rows
            tally.first = min(tally.first, created_at)
            tally.last = max(tally.last, created_at)
            return True
        return False


class _Known(dict[str, int]):
    """Times of rows to be kept, by their text; 0 for the others."""

    def __init__(self, latest: int) -> None:
        super().__init__()
        self._latest = latest

    def __missing__(self, text: str) -> int:
        at = read_time(text)
        if at is None or not BEGINS <= at <= self._latest:
            return 0  # not remembered: such a text may be of any length
        self[text] = at
        return at
