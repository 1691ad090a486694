"""Is the audit trail what was sealed? Checked in slices, each of which names where to go on.

First along the chain: every seal follows the one before, and its records are there as they were.
Then along the records: whatever says that it is sealed is on the list of that seal. What has no
seal yet is only counted. ``docs/audit.md`` says what this proves and what it cannot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.audit_records import digest
from shared.audit_seals import CHAIN, GENESIS, Chain, Seal, chain_of, listed, path
from shared.context import Services
from shared.errors import Rejected
from shared.models import parse_time
from shared.ports import Document, Query

LATE = timedelta(minutes=15)
"""Longer than any worker lives: a record that is sealed after others so much younger is told of."""

_SEALS_A_SLICE = 100
_RECORDS_A_SLICE = 2000
_AT_ONCE = 300
_SEALS, _RECORDS = "seals", "records"


class Fault(BaseModel):
    """A record that is not what was sealed. ``removed`` was sealed and is gone."""

    model_config = ConfigDict(frozen=True)

    record: str
    what: Literal["changed", "removed", "added"]
    seal: int | None


class Break(BaseModel):
    """A seal that is not there, is not what it was, or does not follow the one before.

    ``replaced``: it is whole, and another one than the chain or somebody has noted.
    """

    model_config = ConfigDict(frozen=True)

    seal: int
    what: Literal["missing", "changed", "unlinked", "replaced"]


class Checked(BaseModel):
    """What was looked at, and the first that is wrong of each kind.

    ``records`` are those that the seals list, kept or expired. ``late`` is the first seal with a
    record that says it is older than the seal before by more than ``LATE``. ``last`` and ``hash``
    are those of the last seal. ``following`` is where the next slice begins, None at the end.
    """

    model_config = ConfigDict(frozen=True)

    seals: int = 0
    records: int = 0
    unsealed: int = 0
    broken: Break | None = None
    fault: Fault | None = None
    late: int | None = None
    last: int = 0
    hash: str = GENESIS
    following: str | None = None

    @property
    def intact(self) -> bool:
        return self.broken is None and self.fault is None

    def then(self, other: Checked) -> Checked:
        """Both together, ``other`` being the slice that follows."""
        return other.model_copy(
            update={
                "seals": self.seals + other.seals,
                "records": self.records + other.records,
                "unsealed": self.unsealed + other.unsealed,
                "broken": self.broken or other.broken,
                "fault": self.fault or other.fault,
                "late": self.late or other.late,
            }
        )


def check(services: Services, *, known: Mapping[int, str] | None = None) -> Checked:
    """The whole trail. ``known`` are hashes of seals, by number, that were noted elsewhere."""
    found = check_slice(services)
    while found.following is not None:
        found = found.then(check_slice(services, found.following))
    return found.model_copy(update={"broken": found.broken or replaced(services, known or {})})


def replaced(services: Services, known: Mapping[int, str]) -> Break | None:
    """The first of some seals, noted by number and hash, that is gone or another one."""
    for number, hash_ in sorted(known.items()):
        (document,) = services.documents.get(path(number))
        seal = _seal(document)
        if seal is None or seal.hash != hash_:
            return Break(seal=number, what="missing" if seal is None else "replaced")
    return None


def check_slice(services: Services, place: str | None = None) -> Checked:
    """A slice of the check: some seals with their records, or some records.

    A later call goes on at ``following``. Raises Rejected for a place that is none.
    """
    part, _, where = (place or f"{_SEALS}.0").partition(".")
    if part == _SEALS and where.isdecimal():
        return _along_seals(services, int(where))
    if part == _RECORDS:
        return _along_records(services, where or None)
    raise Rejected("This is no place of a check.")


# --- along the chain ------------------------------------------------------------------------------


def _along_seals(services: Services, done: int) -> Checked:
    chain = _chain(services)
    if chain.number == 0:
        stray = services.documents.query(Query("audit_seals", limit=1)).documents
        broken = Break(seal=1, what="unlinked") if stray else None
        return Checked(broken=broken, following=f"{_RECORDS}.")
    numbers = range(done + 1, min(done + _SEALS_A_SLICE, chain.number) + 1)
    before, *documents = services.documents.get(path(done), *map(path, numbers))
    previous = _seal(before)
    breaks: list[Break] = []
    late: list[int] = []
    expected: dict[str, tuple[str, int]] = {}
    last = done
    for number, document in zip(numbers, documents, strict=True):
        seal, broken, names = _looked_at(document, number, previous)
        breaks += [broken] if broken is not None else []
        late += [number] if _is_late(seal, previous) else []
        expected |= {id_: (digest_, number) for id_, digest_ in names.items()}
        previous, last = seal, number
        if len(expected) >= _RECORDS_A_SLICE:
            break
    # A chain that names seals without end is not followed there.
    ended = last >= chain.number or not any(documents)
    if ended and not breaks and (previous is None or previous.hash != chain.hash):
        breaks.append(Break(seal=chain.number, what="replaced"))
    return Checked(
        seals=last - done,
        records=len(expected),
        broken=next(iter(breaks), None),
        fault=_first_fault(services, expected),
        late=next(iter(late), None),
        last=chain.number,
        hash=chain.hash,
        following=f"{_RECORDS}." if ended else f"{_SEALS}.{last}",
    )


def _looked_at(
    document: Document | None, number: int, previous: Seal | None
) -> tuple[Seal | None, Break | None, Mapping[str, str]]:
    """A seal, what is wrong with it, and its records' digests if its list can be believed."""
    if document is None:
        return None, Break(seal=number, what="missing"), {}
    seal, body = _seal(document), document.body or b""
    if seal is None or seal.number != number or seal.hash != seal.true_hash:
        return seal, Break(seal=number, what="changed"), {}
    if hashlib.sha256(body).hexdigest() != seal.records:
        return seal, Break(seal=number, what="changed"), {}
    follows = GENESIS if number == 1 else None if previous is None else previous.hash
    broken = None if seal.previous == follows else Break(seal=number, what="unlinked")
    return seal, broken, listed(body)


def _is_late(seal: Seal | None, previous: Seal | None) -> bool:
    if seal is None or previous is None:
        return False
    try:
        return parse_time(seal.oldest) < parse_time(previous.sealed_at) - LATE
    except Rejected:
        return True


def _first_fault(services: Services, expected: Mapping[str, tuple[str, int]]) -> Fault | None:
    """The first record that is not what its seal lists, by seal and id."""
    faults: list[Fault] = []
    ids = list(expected)
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        for id_, document in zip(
            some, services.documents.get(*(f"audit/{id_}" for id_ in some)), strict=True
        ):
            wanted, number = expected[id_]
            if document is None:
                faults.append(Fault(record=id_, what="removed", seal=number))
            elif digest(document) != wanted or document.fields.get("seal") != number:
                faults.append(Fault(record=id_, what="changed", seal=number))
    # Asked after the records: what expires meanwhile is noted before it goes.
    gone = _expired(services) if faults else 0
    return next((f for f in faults if f.what != "removed" or (f.seal or 0) > gone), None)


def _expired(services: Services) -> int:
    """The last seal whose records may be gone: as the chain says, if a record says so, too."""
    chain = _chain(services)
    if chain.expiry is None:
        return 0
    (document,) = services.documents.get(chain.expiry)
    told = {} if document is None else document.fields
    new = told.get("new_value")
    through = new.get("through") if isinstance(new, dict) else None
    return chain.expired if (told.get("action"), through) == ("audit.expired", chain.expired) else 0


# --- along the records ----------------------------------------------------------------------------


def _along_records(services: Services, after: str | None) -> Checked:
    page = services.documents.query(Query("audit", after=after, limit=_RECORDS_A_SLICE))
    # Asked after the records: what they are sealed by is there.
    chain = _chain(services)
    wanted = {_number(record, chain) for record in page.documents} - {None}
    lists = _lists(services, {number for number in wanted if number is not None})
    unsealed, fault = 0, None
    for record in page.documents:
        number = _number(record, chain)
        if "seal" in record.fields and record.fields["seal"] is None:
            unsealed += 1
        elif fault is None and (number is None or record.id not in lists.get(number, (record.id,))):
            fault = Fault(record=record.id, what="added", seal=number)
    return Checked(
        unsealed=unsealed,
        fault=fault,
        last=chain.number,
        hash=chain.hash,
        following=None if page.cursor is None else f"{_RECORDS}.{page.cursor}",
    )


def _number(record: Document, chain: Chain) -> int | None:
    """The seal that a record says it is under, None for one that there cannot be."""
    number = record.fields.get("seal")
    if not isinstance(number, int) or isinstance(number, bool):
        return None
    return number if 0 < number <= chain.number else None


def _lists(services: Services, numbers: Iterable[int]) -> dict[int, Mapping[str, str]]:
    """The records of some seals. Of one that is broken nothing can be said, so it is left out."""
    ordered = sorted(numbers)
    found: dict[int, Mapping[str, str]] = {}
    for start in range(0, len(ordered), _AT_ONCE):
        some = ordered[start : start + _AT_ONCE]
        for number, document in zip(some, services.documents.get(*map(path, some)), strict=True):
            seal, body = _seal(document), b"" if document is None else document.body or b""
            if seal is not None and hashlib.sha256(body).hexdigest() == seal.records:
                found[number] = listed(body)
    return found


def _chain(services: Services) -> Chain:
    (document,) = services.documents.get(CHAIN)
    try:
        return chain_of(document)
    except ValidationError:
        return Chain()


def _seal(document: Document | None) -> Seal | None:
    try:
        return None if document is None else Seal.model_validate(document.fields)
    except ValidationError:
        return None
