"""What was read of GitHub's lists, on its way into the warehouse, and the units that it becomes.

The rows of one request are kept as a page (``github_pages/<id>~<n>``, Arrow's stream format) in
the transaction that moves the cursor, so a kill between any two requests repeats at most one of
them. A step puts its pages into one unit of the warehouse, since BigQuery takes few loads a day.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress

import pyarrow as pa
import structlog

from shared import removals, sync_state
from shared.canonical import canonical_json
from shared.context import Services
from shared.errors import Conflict, NotFound
from shared.forgetting import count_of, without
from shared.github_events import EVENT_TYPES, SCHEMA, Row, batch
from shared.models import parse_time
from shared.ports import Document, Query, Transaction, Write
from shared.statements import micros
from shared.sync_state import Reading, SyncState
from shared.tables import Dataset

log = structlog.get_logger()

MOST_UNITS = 10
"""Units of a repository; more are gathered into one."""

_SLICE = 200


def store(
    services: Services,
    key: str,
    before: SyncState | None,
    after: SyncState,
    *writes: Write,
) -> SyncState:
    """Move the reading of the repository registered as ``key`` on, together with other writes.

    Raises NotFound if it was removed meanwhile, Conflict if another step has read on.
    """

    def move(transaction: Transaction) -> None:
        repository = transaction.get(f"repositories/{key}")
        document = transaction.get(sync_state.path(after.repo_id))
        if repository is None or repository.fields["number"] != after.number:
            raise NotFound("The repository was removed meanwhile.")
        if (None if document is None else sync_state.read(document)) != before:
            raise Conflict("Another step reads this repository.")
        for write in (sync_state.stored(after), *writes):
            transaction.write(write)

    services.documents.transact(move)
    return after


def keep(
    services: Services, key: str, before: SyncState, after: SyncState, rows: Sequence[Row]
) -> SyncState:
    """Store the rows of a request and where the reading stands after it, together."""
    if not rows:
        return store(services, key, before, after)
    about = {"repo_id": after.repo_id, "number": after.number, "rows": len(rows)}
    told = without(batch(rows), removals.removed_ids(services))
    page = Write(_page_path(after.repo_id, before.pages), about, _packed(told))
    paged = after.model_copy(update={"pages": before.pages + 1})
    return store(services, key, before, paged, page)


def flush(services: Services, key: str, state: SyncState) -> SyncState:
    """Put the pages into a unit of the warehouse. Nothing happens where there is none."""
    if not state.pages:
        return state
    paths = _page_paths(state)
    found = services.documents.get(*paths)
    pages = [document.body for document in found if document is not None and document.body]
    if len(pages) < state.pages:
        raise Conflict("Another step has put these pages into the warehouse.")
    # Named by what is in it: a step that is too late writes the same, or another unit.
    unit = f"repository-{state.repo_id}-{state.units}-{state.pages}"
    about = {"repo_id": state.repo_id, "number": state.number, "n": state.units}
    removed = removals.removed_ids(services)
    batches = (without(one, removed) for page in pages for one in pa.ipc.open_stream(page))
    services.warehouse.replace(Dataset.GITHUB_EVENTS, unit, batches, about)
    removals.drop_newly_removed(services, removed)
    after = state.model_copy(
        update={"units": state.units + 1, "held": (*state.held, unit), "pages": 0}
    )
    try:
        return store(services, key, state, after, *(Write(path, None) for path in paths))
    except (Conflict, NotFound):
        _remove_stray(services, state.repo_id, unit)
        raise


def everywhere(services: Services) -> Iterator[Document]:
    """The pages of all repositories that are not in a unit yet."""
    cursor: str | None = None
    while True:
        found = services.documents.query(Query("github_pages", after=cursor, limit=_SLICE))
        yield from found.documents
        cursor = found.cursor
        if cursor is None:
            return


def rows_about(page: Document, accounts: Collection[int]) -> list[Row]:
    """The rows of a page that name one of the accounts."""
    table = pa.ipc.open_stream(page.body).read_all()
    return [
        row
        for one in table.to_batches(max_chunksize=1)
        for row in one.to_pylist()
        if count_of(one, accounts)
    ]


def forget(services: Services, accounts: Collection[int]) -> None:
    """Take accounts out of all pages. What a step has read of them before, it filters itself."""
    for page in everywhere(services):
        if rows_about(page, accounts):
            table = pa.ipc.open_stream(page.body).read_all()
            (whole,) = table.combine_chunks().to_batches()
            left = Write(
                page.path, page.fields, _packed(without(whole, accounts)), if_version=page.version
            )
            with suppress(Conflict):  # it went into the warehouse meanwhile, without them
                services.documents.write([left])


def compact(services: Services, key: str, state: SyncState) -> SyncState:
    """Gather the units into one, without what is gone, if they are many or something is gone."""
    gone = {stream: reading.anew for stream, reading in state.readings.items() if reading.anew}
    if not gone and len(state.held) <= MOST_UNITS:
        return state
    reread = [
        {
            "event_type": event_type,
            "since": micros(parse_time(anew.since)),
            "observed": micros(parse_time(anew.observed)),
        }
        for stream, anew in gone.items()
        for event_type in EVENT_TYPES[stream]
    ]
    unit = f"repository-{state.repo_id}-{state.units}-all"
    services.warehouse.derive(
        "compact_github_events",
        {"repo_ids": [state.repo_id], "reread": canonical_json(reread).decode()},
        Dataset.GITHUB_EVENTS,
        unit,
        {"repo_id": state.repo_id, "number": state.number, "n": state.units},
    )
    after = state.model_copy(
        update={
            "units": state.units + 1,
            "held": (unit,),
            "obsolete": (*state.obsolete, *state.held),
            "readings": {stream: _settled(reading) for stream, reading in state.readings.items()},
        }
    )
    try:
        return store(services, key, state, after)
    except (Conflict, NotFound):
        _remove_stray(services, state.repo_id, unit)
        raise


def discard(services: Services, key: str, state: SyncState) -> SyncState:
    """Remove the units that were gathered into another."""
    if not state.obsolete:
        return state
    for unit in state.obsolete:
        services.warehouse.remove(Dataset.GITHUB_EVENTS, unit)
    return store(services, key, state, state.model_copy(update={"obsolete": ()}))


def remove(services: Services, repo_id: int) -> None:
    """Remove all that was read of a repository. Safe to repeat: what leads to it goes last.

    Raises Conflict if somebody reads on at this moment, for a registration anew.
    """
    (document,) = services.documents.get(sync_state.path(repo_id))
    if document is None:
        return
    state = sync_state.read(document)
    for unit in (*state.held, *state.obsolete):
        services.warehouse.remove(Dataset.GITHUB_EVENTS, unit)
    pages = [Write(path, None) for path in _page_paths(state)]
    last = Write(document.path, None, if_version=document.version)
    services.documents.write([*pages, last])


def sweep(services: Services, after: str | None) -> tuple[int, str | None]:
    """Remove what removed repositories and killed steps left behind, in slices.

    Returns how much, and the cursor of the next slice. A step may be under way meanwhile: what it
    is writing bears a number that its state has not reached.
    """
    page = services.documents.query(Query("github", after=after, limit=_SLICE))
    removed = 0
    for document in page.documents:
        state = sync_state.read(document)
        if not _is_registered(services, state):
            remove(services, state.repo_id)
            removed += 1
    if page.cursor is None:
        removed += _remove_strays(services)
    return removed, page.cursor


def _remove_strays(services: Services) -> int:
    units = services.warehouse.units(Dataset.GITHUB_EVENTS)
    paths = sorted({sync_state.path(int(str(unit.about["repo_id"]))) for unit in units})
    found: dict[str, Document | None] = {}
    for start in range(0, len(paths), _SLICE):
        slice_ = paths[start : start + _SLICE]
        found.update(zip(slice_, services.documents.get(*slice_), strict=True))
    strays = [
        unit
        for unit in units
        if not _leads_to(
            found[sync_state.path(int(str(unit.about["repo_id"])))],
            unit.name,
            int(str(unit.about["n"])),
        )
    ]
    for unit in strays:
        services.warehouse.remove(Dataset.GITHUB_EVENTS, unit.name)
    if strays:
        log.info("github_strays_removed", units=len(strays))
    return len(strays)


def _leads_to(document: Document | None, unit: str, number: int) -> bool:
    if document is None:
        return False
    state = sync_state.read(document)
    return unit in state.held or unit in state.obsolete or number >= state.units


def _is_registered(services: Services, state: SyncState) -> bool:
    same = Query("repositories", (("github_id", "==", state.repo_id),), limit=10)
    found = services.documents.query(same).documents
    return any(document.fields["number"] == state.number for document in found)


def _remove_stray(services: Services, repo_id: int, unit: str) -> None:
    """Remove a unit that was written in vain, unless it counts after all."""
    (document,) = services.documents.get(sync_state.path(repo_id))
    if document is None or unit not in sync_state.read(document).held:
        services.warehouse.remove(Dataset.GITHUB_EVENTS, unit)


def _settled(reading: Reading) -> Reading:
    return reading.model_copy(update={"anew": None})


def _page_path(repo_id: int, number: int) -> str:
    return f"github_pages/{repo_id}~{number}"


def _page_paths(state: SyncState) -> list[str]:
    return [_page_path(state.repo_id, number) for number in range(state.pages)]


def _packed(rows: pa.RecordBatch) -> bytes:
    """At most some 2,000 rows (a page of pull requests with their reviews): well below 1 MiB."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, SCHEMA, options=options) as writer:
        writer.write_batch(rows)
    return bytes(sink.getvalue())
