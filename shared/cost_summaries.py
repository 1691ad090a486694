"""What a day's runs cost, by statement and by repository: ``cost_days/2025-03-20``.

Only bills are added here, never reservations, so that those need not rewrite what may be long.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from shared.budget_books import MOST_NAMED, Entry
from shared.ports import Document, Write

NOBODY = ""
"""The repository of what runs for no single one."""

OTHERS = "(others)"
"""The repositories beyond those that a document has room to name."""


class Sums(BaseModel):
    """What some runs cost together. Times in milliseconds."""

    model_config = ConfigDict(frozen=True)

    runs: int = 0
    micro_usd: int = 0
    bytes_processed: int = 0
    bytes_billed: int = 0
    rows: int = 0
    duration_ms: int = 0
    slot_ms: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(**{name: getattr(self, name) + getattr(other, name) for name in _SUMMED})


_SUMMED = tuple(Sums.model_fields)


@dataclass(frozen=True, slots=True)
class Summary:
    """A day's bills, summed up. What repositories share is shared out to the last micro-dollar."""

    total: Sums = field(default_factory=Sums)
    by_statement: Mapping[str, Sums] = field(default_factory=dict)
    by_repository: Mapping[str, Sums] = field(default_factory=dict)

    def with_bill(self, before: Entry, after: Entry) -> Summary:
        """The summary with what is new in a charge's bill. Its run counts once."""
        new = {
            name: max(0, getattr(after, name) - getattr(before, name))
            for name in _SUMMED
            if name != "runs"
        }
        bill = Sums(runs=before.settled_at is None, **new)
        return self + Summary(bill, {after.statement: bill}, shared_out(bill, after))

    def __add__(self, other: Summary) -> Summary:
        return Summary(
            self.total + other.total,
            _together(self.by_statement, other.by_statement),
            _together(self.by_repository, other.by_repository),
        )

    def write(self, day: str) -> Write:
        parts = {
            "by_statement": {name: sums.model_dump() for name, sums in self.by_statement.items()},
            "by_repository": {
                name: list(sums.model_dump().values()) for name, sums in self.by_repository.items()
            },
        }
        fields = {"day": day, **self.total.model_dump()}
        return Write(f"cost_days/{day}", fields, json.dumps(parts).encode())


def summary(document: Document | None) -> Summary:
    """A stored summary, or an empty one."""
    if document is None:
        return Summary()
    parts = json.loads(document.body or b"{}")
    return Summary(
        Sums.model_validate(document.fields),
        {name: Sums.model_validate(sums) for name, sums in parts["by_statement"].items()},
        {
            name: Sums(**dict(zip(_SUMMED, sums, strict=True)))
            for name, sums in parts["by_repository"].items()
        },
    )


def bill(entry: Entry) -> Sums:
    """What a charge's run was billed, nothing for one that is open."""
    if entry.settled_at is None:
        return Sums()
    return Sums(runs=1, **{name: getattr(entry, name) for name in _SUMMED if name != "runs"})


def shared_out(bill: Sums, entry: Entry) -> dict[str, Sums]:
    """A bill in equal parts for its repositories, what is left over to the first of them.

    A run counts as one for each.
    """
    names = entry.repositories or (NOBODY,)
    count = len(names) + entry.more
    amounts = {name: split(getattr(bill, name), count) for name in _SUMMED if name != "runs"}
    shares = [
        Sums(runs=bill.runs, **{name: parts[place > 0] for name, parts in amounts.items()})
        for place in range(min(count, 2))
    ]
    found: dict[str, Sums] = {}
    for place, name in enumerate(names):
        found[name] = found.get(name, Sums()) + shares[place > 0]
    if entry.more:
        rest = {name: parts[1] * entry.more for name, parts in amounts.items()}
        found[OTHERS] = Sums(runs=bill.runs, **rest)
    return found


def split(amount: int, parts: int) -> tuple[int, int]:
    """What the first of some equal parts gets, and what each of the others."""
    each, left = divmod(amount, parts)
    return each + left, each


def _together(one: Mapping[str, Sums], other: Mapping[str, Sums]) -> dict[str, Sums]:
    found = dict(one)
    for name, sums in other.items():
        known = name in found or len(found) < MOST_NAMED
        place = name if known else OTHERS
        found[place] = found.get(place, Sums()) + sums
    return found


def chunks(names: Sequence[str], size: int = 100) -> list[Sequence[str]]:
    """Names in groups that one read takes."""
    return [names[at : at + size] for at in range(0, len(names), size)]
