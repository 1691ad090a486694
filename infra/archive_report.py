"""What was found in an archive file: counted while it is read, then reported."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from infra.archive_decoder import BEGINS, Fault, microseconds, moment, read_time
from shared.models import iso
from shared.ports import Json

_HOUR = 3_600_000_000
_TEXTS_KEPT = 50_000
_LONGEST_TIME = 40
_TYPES_NAMED = 60
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


class Tally:
    """Counts rows and faults as they are met. ``latest`` is the last time that is not the future.

    The quick way counts by the text of the time, of which an hour of the archive has 3,600 and
    many more rows.
    """

    def __init__(self, latest: datetime) -> None:
        self.lines = 0
        self.events = 0
        self.faults: Counter[Fault] = Counter()
        self._ignored: Counter[str] = Counter()
        self._from_future = 0
        self._hours: Counter[int] = Counter()
        self._first, self._last = 2**63, -(2**63)
        self._latest = microseconds(latest)
        self._moments = _Moments(self._latest)
        self._unsettled: Counter[str] = Counter()

    def times(self, texts: Sequence[str]) -> list[int | None]:
        """Count rows by their ``created_at``; return it, None for those that are not to be kept."""
        self._unsettled.update(texts)
        moments = [self._moments[text] for text in texts]
        if len(self._unsettled) > _TEXTS_KEPT or max(map(len, texts), default=0) > _LONGEST_TIME:
            self._settle()
        return moments

    def _settle(self) -> None:
        for text, rows in self._unsettled.items():
            self.add(self._moments[text] or read_time(text), rows)
        self._unsettled.clear()
        if len(self._moments) > _TEXTS_KEPT:
            self._moments.clear()

    def add(self, created_at: int | None, rows: int = 1) -> bool:
        """Count rows of one time, and say whether they are to be kept."""
        if created_at is None:
            self.faults[Fault.INCOMPLETE] += rows
        elif created_at < BEGINS:
            self.faults[Fault.BEFORE_2015] += rows
        elif created_at > self._latest:
            self._from_future += rows
        else:
            self._hours[created_at // _HOUR] += rows
            self._first = min(self._first, created_at)
            self._last = max(self._last, created_at)
            return True
        return False

    def ignore(self, event_type: str) -> None:
        """Count a valid row of a type that no rule uses, under its name if that looks like one."""
        known = event_type in self._ignored or len(self._ignored) < _TYPES_NAMED
        self._ignored[event_type if known and _TYPE_NAME.fullmatch(event_type) else "other"] += 1

    def report(self, *, too_long: int, bytes_read: int, sha256: str, truncated: bool) -> Report:
        """All that was counted, with what was noticed of the file itself."""
        self._settle()
        faults = self.faults + Counter({Fault.TOO_LONG: too_long})
        before_2015 = faults.pop(Fault.BEFORE_2015, 0)
        return Report(
            lines=self.lines + too_long,
            events=self.events,
            ignored=dict(sorted(self._ignored.items())),
            broken={fault.value: count for fault, count in sorted(faults.items())},
            before_2015=before_2015,
            from_future=self._from_future,
            hours={moment(hour * _HOUR): rows for hour, rows in sorted(self._hours.items())},
            first_at=moment(self._first) if self._hours else None,
            last_at=moment(self._last) if self._hours else None,
            bytes_read=bytes_read,
            sha256=sha256,
            truncated=truncated,
        )


class _Moments(dict[str, int | None]):
    """Times of rows to be kept, by their text; None for the others."""

    def __init__(self, latest: int) -> None:
        super().__init__()
        self._latest = latest

    def __missing__(self, text: str) -> int | None:
        at = read_time(text)
        if at is None or not BEGINS <= at <= self._latest:
            return None  # not remembered: such a text may be of any length
        self[text] = at
        return at
