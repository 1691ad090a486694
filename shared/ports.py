"""What the leaderboard needs from the outside, and what absence and failure look like.

Every port is implemented in ``infra/local`` (embedded) and, from the same contract suites, in
``infra/gcp``. Implementations raise only ``shared.errors``: RetryLater for anything that may pass,
Rejected for calls that can never work.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, Protocol, TypeVar

import pyarrow as pa
from pydantic import JsonValue

from shared.tables import Dataset

T = TypeVar("T")

Json = JsonValue
Fields = Mapping[str, Json]

# --- documents ------------------------------------------------------------------------------

ABSENT: Literal["absent"] = "absent"
"""As ``if_version``: the document must not exist yet."""


@dataclass(frozen=True, slots=True)
class Document:
    """A stored document: ``collection/id``, indexed JSON fields, one unindexed body.

    ``version`` is opaque and changes with every write that changes something.
    """

    path: str
    fields: Fields
    version: str
    body: bytes | None = None

    @property
    def id(self) -> str:
        return self.path.rsplit("/", 1)[1]


@dataclass(frozen=True, slots=True)
class Write:
    """One write of a batch. ``fields`` None deletes. Fields and body are replaced whole.

    ``if_version`` is a condition: ``ABSENT``, or the version that was read; None is no condition.
    """

    path: str
    fields: Fields | None
    body: bytes | None = None
    if_version: str | None = None


Operator = Literal["==", "<", "<=", ">", ">=", "in"]


@dataclass(frozen=True, slots=True)
class Query:
    """An ordered read of one collection.

    ``where`` are (field, operator, value) and all must hold; other operators than ``==`` and ``in``
    compare the field of ``order_by`` only. Order is by ``order_by`` (a document
    without that field is left out), then by id; None orders by id. ``after`` is the cursor of
    an earlier page. At most ``limit`` documents come back. ``descending`` wants an ``order_by``.
    """

    collection: str
    where: tuple[tuple[str, Operator, Json], ...] = ()
    order_by: str | None = None
    descending: bool = False
    after: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """Documents of a query, and the cursor of the next page or None at the end."""

    documents: tuple[Document, ...]
    cursor: str | None


class Transaction(Protocol):
    """Reads that are guarded until commit, and writes that happen together or not at all."""

    def get(self, path: str) -> Document | None: ...

    def write(self, write: Write) -> None: ...


class Watch(Protocol):
    """A running watch. Closing is safe at any time and more than once."""

    def close(self) -> None: ...


class Documents(Protocol):
    """The document store. A path is ``collection/id``; a document is at most 1 MiB."""

    def get(self, *paths: str) -> tuple[Document | None, ...]:
        """The documents at ``paths`` in that order, None where there is none. One round trip."""
        ...

    def write(self, writes: Sequence[Write]) -> None:
        """Apply at most 500 writes (10 MiB) together or none. Raises Conflict if a condition fails.

        A document is named once in a batch. Lists do not hold lists directly, and no field of the
        document itself is called ``body``.
        """
        ...

    def transact(self, work: Callable[[Transaction], T]) -> T:
        """Run ``work`` so that it sees one state and its writes happen together.

        ``work`` reads before it writes, may run several times, and has no other effects. Raises
        RetryLater when it lost the race too often; what ``work`` raises passes through and
        nothing is written.
        """
        ...

    def query(self, query: Query) -> DocumentPage: ...

    def count(self, query: Query) -> int:
        """How many documents a query finds, ``limit`` of them at most.

        Firestore bills a read for each thousand that it counts, and one at least.
        """
        ...

    def scrub(self) -> None:
        """Have no trace left in our files of what was deleted or overwritten until now.

        What a platform keeps of it by itself, for a time, is not ours to remove.
        """
        ...

    def watch(self, collection: str, on_change: Callable[[Sequence[Document]], None]) -> Watch:
        """Call ``on_change`` with documents created or changed from now on, in order of change.

        Several changes of one document may be folded into the last. Deletions are not reported,
        and what ``on_change`` raises is logged, not delivered again.
        """
        ...


# --- warehouse ------------------------------------------------------------------------------

Parameter = int | str | bool | datetime | None | Sequence[int] | Sequence[str]


@dataclass(frozen=True, slots=True)
class Unit:
    """A whole that is replaced as one: a source file's events, a repository's contributions.

    ``about`` is what its writer noted of it (JSON), ``digest`` changes when its content is
    replaced by something else.
    """

    dataset: Dataset
    name: str
    rows: int
    digest: str
    about: Fields = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one run of a statement may cost, and the id under which the warehouse knows the run.

    A second run under an id that is known attaches to the first. A run that would be billed more
    than ``max_bytes`` is refused before it starts (BudgetRefused). ``job`` is for whom it runs.
    """

    id: str
    max_bytes: int
    job: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run of a statement cost, by the warehouse's own books. Times in milliseconds.

    ``id`` is that of its allowance, None for a run without one. ``done`` is False while it runs,
    and may still be billed; a run that ``failed`` is done, and was billed what it says.
    """

    statement: str
    started_at: datetime
    duration_ms: int
    rows: int
    bytes_processed: int
    bytes_billed: int
    cache_hit: bool = False
    job: str | None = None
    id: str | None = None
    slot_ms: int = 0
    done: bool = True
    failed: bool = False


class Warehouse(Protocol):
    """Facts in whole units, and the statements of ``shared/sql`` over them.

    Readers see a unit either as it was or as it is, never part of it, and never two units of one
    name. Statements name their datasets as tables.
    """

    def replace(
        self, dataset: Dataset, unit: str, batches: Iterable[pa.RecordBatch], about: Fields
    ) -> Unit:
        """Put a unit in place of what was there under its name."""
        ...

    def derive(
        self,
        statement: str,
        parameters: Mapping[str, Parameter],
        dataset: Dataset,
        unit: str,
        about: Fields,
        *,
        allowance: Allowance | None = None,
    ) -> Unit:
        """Put the rows of a statement in place of a unit, without moving them through here."""
        ...

    def remove(self, dataset: Dataset, unit: str) -> None:
        """Forget a unit. Nothing happens where there is none."""
        ...

    def forgetting_bytes(self, dataset: Dataset) -> int:
        """The most bytes that ``forget`` could be billed. Free of charge."""
        ...

    def forget(
        self, dataset: Dataset, accounts: Collection[int], *, allowance: Allowance | None = None
    ) -> int:
        """Take accounts out of every row of a dataset, also of rows that count no more.

        What is left of a row says ``shared.forgetting``. Units that are changed have another
        digest. Nothing of what was there can be read afterwards, and a reader who was at it may
        have to read again (RetryLater). Returns how many rows were changed or removed. Safe to
        repeat. Raises Rejected for a dataset without people.
        """
        ...

    def unit(self, dataset: Dataset, name: str) -> Unit | None:
        """The unit of that name, None where there is none."""
        ...

    def units(self, dataset: Dataset) -> tuple[Unit, ...]:
        """All units of a dataset, by name."""
        ...

    def query(
        self,
        statement: str,
        parameters: Mapping[str, Parameter],
        *,
        allowance: Allowance | None = None,
    ) -> pa.Table:
        """Rows of ``shared/sql/<statement>.sql`` with its named parameters."""
        ...

    def estimate(self, statement: str, parameters: Mapping[str, Parameter]) -> int:
        """The most bytes that a run of the statement could be billed now. Free of charge."""
        ...

    def usage(self, id_: str) -> Usage | None:
        """What became of the run with that allowance's id, None if the warehouse never saw it."""
        ...

    def sweeping_bytes(self, dataset: Dataset, *, forgotten: Collection[int] = ()) -> int:
        """The most bytes that ``sweep`` could be billed. Free of charge."""
        ...

    def sweep(
        self,
        dataset: Dataset,
        *,
        forgotten: Collection[int] = (),
        allowance: Allowance | None = None,
    ) -> int:
        """Remove what no unit of a dataset needs and no reader can be reading. Returns how much.

        That is what replaced units, and writers that died, have left behind. Safe at any time.
        Of gathered events the rows of ``forgotten`` repositories (ids) go, too, unless they were
        written within the last hour: no reader asks for them. Files of the archive stay whole.
        """
        ...

    def ledger(self, since: datetime, limit: int) -> tuple[Usage, ...]:
        """What statements cost by the warehouse's own books, newest first."""
        ...


# --- the public archive -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ArchiveTable:
    """A table of the public archive: ``day.YYYYMMDD`` or ``month.YYYYMM``, its days inclusive.

    It holds what was crawled on those days, which may have happened on the day before.
    """

    name: str
    first: date
    last: date
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Selection:
    """Repositories: by id, or by name (lower case) where the id is not known yet."""

    repo_ids: tuple[int, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Extraction:
    """What was taken from an archive table: its rows, the hours that have any, the last event."""

    table: str
    rows: int
    hours: tuple[datetime, ...]
    last_at: datetime | None


class Archive(Protocol):
    """The public archive, and the store of slim events of all repositories that is made from it.

    Everything that reads bytes names an allowance; with the id of a run that was started before,
    it attaches to that run. Each call may be repeated.
    """

    def tables(self, first: date, last: date) -> tuple[ArchiveTable, ...]:
        """The day and month tables that lie within these days whole, by name. Free of charge."""
        ...

    def extraction_bytes(self, table: ArchiveTable) -> int:
        """The bytes that extracting the table would be billed, by a dry run. Free of charge."""
        ...

    def extract(
        self, table: ArchiveTable, allowance: Allowance, removed: Collection[int] = ()
    ) -> Extraction:
        """Put the slim events of all repositories in that table in place of its days' partitions.

        Of accounts that are ``removed`` nothing is taken (``shared.forgetting``).

        Raises RetryLater while the run goes on longer than one call should wait.
        """
        ...

    def gathering_bytes(
        self, of: Selection, first: date, last: date, table: ArchiveTable | None
    ) -> int:
        """The most bytes that ``gather`` would be billed, by a dry run. Free of charge."""
        ...

    def gather(
        self,
        unit: str,
        of: Selection,
        first: date,
        last: date,
        table: ArchiveTable | None,
        about: Fields,
        allowance: Allowance,
        removed: Collection[int] = (),
    ) -> Unit:
        """Put the slim events of some repositories and days in place of a unit of EVENTS.

        Of accounts that are ``removed`` nothing is taken (``shared.forgetting``).

        They are read from the store of extracted days, or, where ``table`` is given, from that
        archive table itself. To ``about`` are added ``claims``, ``hours``, ``last_at``, ``broken``
        and ``before_2015``, which ``shared.coverage.captured`` reads, as they are for all
        repositories in those days. Raises RetryLater like ``extract``.
        """
        ...


# --- tasks and events -----------------------------------------------------------------------

Queue = Literal["high", "default", "low", "bulk"]


@dataclass(frozen=True, slots=True)
class Task:
    """A call of a function, made at least once and perhaps late, twice or out of order.

    ``name`` is unique within its queue, and may stay taken for up to 24 hours after the task ended.
    ``function`` is the deployed name of the function that is called with ``body`` as JSON.
    """

    name: str
    function: str
    body: Fields
    queue: Queue = "default"
    not_before: datetime | None = None


class Tasks(Protocol):
    """Named tasks. Delivery repeats with backoff until the function answers 2xx."""

    def add(self, task: Task) -> bool:
        """Add a task. False if its name was taken: then somebody else has asked for the same.

        Raises Rejected for a queue, name, delay (over 30 days) or body (over 1 MB) that cannot be.
        """
        ...

    def depths(self) -> Mapping[str, int]:
        """How many tasks of each queue have not ended: waiting, postponed or running.

        The platform estimates, and may be some seconds behind.
        """
        ...


class Events(Protocol):
    """Topics with any number of subscriptions; each gets every message at least once."""

    def publish(self, topic: str, data: Fields, attributes: Mapping[str, str]) -> None:
        """Hand a message over for delivery. It is kept before this returns.

        Raises Rejected for a topic that does not exist or a message over 10 MB.
        """
        ...
