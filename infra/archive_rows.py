"""Archive files become slim events: Arrow batches of ``shared.tables.EVENTS``, and a report.

Nothing is decided here and nothing is dropped silently: rows of types that no rule uses, broken
lines, rows from before 2015 and rows from the future are counted, by reason. Memory is bounded,
whatever the file holds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path

import pyarrow as pa

from infra.archive_blocks import BlockDecoder, Decoded
from infra.archive_helpers import helpers_for
from infra.archive_lines import ArchiveLines, Progress
from infra.archive_report import Report, Tally

SORT_KEYS = ("repo_id", "created_at", "event_id")

BATCH_ROWS = 65_536
"""About the rows of a batch; each is sorted by ``SORT_KEYS``, so that readers can skip by them."""

_BATCH_BYTES = 24 << 20
_BLOCK_BYTES = 4 << 20
_BLOCKS_AHEAD = 2
"""Blocks that each helper is given: one to decode, and the next."""


class ArchiveRows:
    """One pass over an archive file. Iterate for its batches; ``report`` is complete after that.

    ``now`` is the time that rows are held against: what was created more than a day later is
    from the future. A large file is decoded by helping processes too, with the same result.
    Raises Rejected where the file is missing or cannot be read, RetryLater if a helper dies, and
    nothing else.
    """

    def __init__(self, path: Path, *, now: datetime, progress: Progress | None = None) -> None:
        self._file = ArchiveLines(path, progress)
        self._latest = now + timedelta(days=1)
        self._tally = Tally()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        waiting: list[pa.RecordBatch] = []
        rows = size = 0
        for batches, tally in self._decoded():
            self._tally.add(tally)
            waiting += batches
            rows += tally.events
            size += sum(batch.nbytes for batch in batches)
            if rows >= BATCH_ROWS or size >= _BATCH_BYTES:
                sorted_ = _sorted(waiting)
                waiting, rows, size = [], 0, 0
                yield sorted_
        if waiting:
            yield _sorted(waiting)

    @property
    def report(self) -> Report:
        """What was found so far: of the whole file once the batches are exhausted."""
        file = self._file
        return self._tally.report(
            too_long=file.too_long,
            bytes_read=file.bytes_read,
            sha256=file.sha256,
            truncated=file.truncated,
        )

    def _decoded(self) -> Iterator[Decoded]:
        """Every block of the file, decoded, in order."""
        with helpers_for(self._file.path, self._latest) as helpers:
            if not helpers:
                decoder = BlockDecoder(self._latest)
                yield from map(decoder.decode, self._blocks())
                return
            pending: deque[Future[Decoded]] = deque()
            for block, helper in zip(self._blocks(), cycle(helpers)):
                pending.append(helper.decode(block))
                if len(pending) == _BLOCKS_AHEAD * len(helpers):
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()

    def _blocks(self) -> Iterator[list[bytes]]:
        block: list[bytes] = []
        size = 0
        for piece in self._file:
            block.append(piece)
            size += len(piece)
            if size >= _BLOCK_BYTES:
                yield block
                block, size = [], 0
        if block:
            yield block


def _sorted(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    table = pa.Table.from_batches(batches).sort_by([(key, "ascending") for key in SORT_KEYS])
    (batch,) = table.combine_chunks().to_batches()
    return batch
