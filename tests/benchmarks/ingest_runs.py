"""One run of one ingest contestant.

``python -m tests.benchmarks.ingest_runs ours|ghmap|<a way of duckdb_ingest> <file> <folder>``.
The time is that of the work alone, without starting Python and loading libraries.
"""

from __future__ import annotations

import gzip
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.measuring import Stopwatch, hand_back


def ours(file: Path, folder: Path) -> None:
    """An archive file into stored facts, as the product does it."""
    from infra.clock import utc_now
    from infra.ingest import ingest_file
    from infra.local.warehouse import LocalWarehouse

    warehouse = LocalWarehouse(folder / "warehouse", now=utc_now)
    with Stopwatch() as taken:
        unit = ingest_file(warehouse, file, now=utc_now())
    hand_back(taken, rows=unit.rows)


def duckdb(way: str, file: Path, folder: Path) -> None:
    """The same fields by DuckDB."""
    from tests.benchmarks.duckdb_ingest import unpack

    with Stopwatch() as taken:
        rows = unpack(way, file, folder)
    hand_back(taken, rows=rows)


def ghmap(file: Path, folder: Path) -> None:
    """Events to actions by ghmap, which takes plain text: unpacking the file is not counted."""
    from ghmap.cli import find_valid_mappings
    from ghmap.mapping.action_mapper import ActionMapper
    from ghmap.preprocess.event_processor import EventProcessor

    plain = folder / "hour.json"
    plain.write_bytes(gzip.decompress(file.read_bytes()))
    mapping = find_valid_mappings("github", datetime(2025, 3, 20, tzinfo=UTC))["action"]
    with Stopwatch() as taken:
        events = EventProcessor(progress_bar=False).process(str(plain))
        mapper = ActionMapper(json.loads(mapping.read_text()), progress_bar=False)
        actions = mapper.map(events)
    hand_back(taken, rows=len(actions))


def main() -> None:
    """Run what the command line names."""
    who, file, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if who == "ours":
        ours(file, folder)
    elif who == "ghmap":
        ghmap(file, folder)
    else:
        duckdb(who, file, folder)


if __name__ == "__main__":
    main()
