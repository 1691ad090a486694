"""Seals: batches of the audit trail, each chained to the one before by its hash.

``audit_seals/<number>`` holds a list of records: as canonical JSON, the digest of each
(``audit_records.digest``) by its id. Its ``records`` is the SHA-256 of that list,
``previous`` the hash of the seal before, and ``hash`` covers all of these. ``state/audit_chain``
names the last seal. Its hash is logged as ``audit_sealed``, which puts it out of reach of whoever
can change documents only.

A record may become visible after others that were made later: clocks differ, transactions are tried
again, a laptop sleeps. So a seal takes no span of time, but whatever has no seal yet; its number is
noted on each of its records in the batch that writes the seal. Nothing is ever too late to be
sealed, nothing is sealed twice, and there is one write to be killed before or after. A record that
says that it is older than the seal before is sealed all the same, and told of by the check.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

import structlog
from pydantic import BaseModel, ConfigDict

from shared.audit_records import digest
from shared.canonical import canonical_json, fingerprint
from shared.context import Services
from shared.errors import Conflict
from shared.models import iso
from shared.ports import ABSENT, Document, Documents, Query, Write

CHAIN = "state/audit_chain"
GENESIS = "0" * 64
"""What the first seal follows."""

MOST_RECORDS = 200
"""Records of a seal: a batch of writes holds twice as many."""

_MOST_BYTES = 3_000_000
_SEALS_AT_ONCE = 25

log = structlog.get_logger()


class Seal(BaseModel):
    """A seal as it is stored, without its list. Times are those that the records say of themselves.

    ``first`` and ``last`` are the least and the greatest of its ids.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    number: int
    sealed_at: str
    first: str
    last: str
    count: int
    oldest: str
    newest: str
    records: str
    previous: str
    hash: str = ""

    @property
    def true_hash(self) -> str:
        """The hash that it must have."""
        return fingerprint(self.model_dump(exclude={"hash"}))


class Chain(BaseModel):
    """How far the chain is. ``expired`` is the last seal whose records are no longer kept.

    ``expiry`` is the record that tells of that.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    number: int = 0
    hash: str = GENESIS
    expired: int = 0
    expiry: str | None = None


def path(number: int) -> str:
    """Where a seal is."""
    return f"audit_seals/{number}"


def chain_of(document: Document | None) -> Chain:
    """The chain as its document says; the beginning where there is none."""
    return Chain() if document is None else Chain.model_validate(document.fields)


def seal(services: Services) -> int:
    """Seal what has no seal, a few thousand records at most. Returns how many.

    Safe to repeat and at the same time as others: who comes second leaves it to the first.
    """
    sealed = 0
    for _ in range(_SEALS_AT_ONCE):
        some = _seal_some(services)
        sealed += some
        if some == 0:
            break
    return sealed


def listing(records: Sequence[Document]) -> bytes:
    """The list of a seal's records."""
    return canonical_json({each.id: digest(each) for each in records})


def listed(body: bytes) -> Mapping[str, str]:
    """A seal's list read back: digests by id."""
    found: dict[str, str] = json.loads(body)
    return found


def _seal_some(services: Services) -> int:
    (before,) = services.documents.get(CHAIN)
    records = _unsealed(services.documents)
    if not records:
        return 0
    chain = chain_of(before)
    body = listing(records)
    times = sorted(str(each.fields.get("timestamp", "")) for each in records)
    draft = Seal(
        number=chain.number + 1,
        sealed_at=iso(services.now()),
        first=records[0].id,
        last=records[-1].id,
        count=len(records),
        oldest=times[0],
        newest=times[-1],
        records=hashlib.sha256(body).hexdigest(),
        previous=chain.hash,
    )
    made = draft.model_copy(update={"hash": draft.true_hash})
    now = chain.model_copy(update={"number": made.number, "hash": made.hash})
    writes = [
        Write(CHAIN, now.model_dump(), if_version=ABSENT if before is None else before.version),
        Write(path(made.number), made.model_dump(), body, if_version=ABSENT),
        *(
            Write(each.path, {**each.fields, "seal": made.number}, each.body, each.version)
            for each in records
        ),
    ]
    try:
        services.documents.write(writes)
    except Conflict as error:
        _look_at(services, before, error)
        return 0
    log.info("audit_sealed", seal=made.number, hash=made.hash, records=made.count)
    return made.count


def _unsealed(documents: Documents) -> list[Document]:
    """Some records without a seal, by id, as many as a batch takes."""
    page = documents.query(Query("audit", (("seal", "==", None),), limit=MOST_RECORDS))
    taken: list[Document] = []
    size = 0
    for record in page.documents:
        size += len(json.dumps(dict(record.fields), ensure_ascii=False).encode())
        if taken and size > _MOST_BYTES:
            break
        taken.append(record)
    return taken


def _look_at(services: Services, before: Document | None, error: Conflict) -> None:
    """Somebody else sealing is nothing to tell of; a seal that the chain does not know is."""
    (now,) = services.documents.get(CHAIN)
    if (None if now is None else now.version) == (None if before is None else before.version):
        log.error("audit_not_sealed", reason=error.message)
