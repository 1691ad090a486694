"""The embedded warehouse: immutable Parquet files listed in a manifest, queried by DuckDB.

A unit is one file. Replacing it writes a new file beside the old one and changes one row of the
manifest (SQLite), so readers see either; the old file is removed once no query that started
before can still be reading it. Each process has its own in-memory DuckDB: a DuckDB file would
admit one process only.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from infra.local.dialect import duckdb_text, tables_of
from infra.local.warehouse_ledger import Ledger
from shared.errors import BudgetRefused, Rejected, RetryLater
from shared.forgetting import check_personal, count_of, without
from shared.models import iso
from shared.ports import Allowance, Fields, Parameter, Unit, Usage
from shared.tables import COLUMNS, Dataset, arrow_schema

log = structlog.get_logger()

_SCHEMA = """
CREATE TABLE IF NOT EXISTS units (
  dataset TEXT NOT NULL, name TEXT NOT NULL, file TEXT NOT NULL, rows INTEGER NOT NULL,
  digest TEXT NOT NULL, about TEXT NOT NULL, PRIMARY KEY (dataset, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS retired (file TEXT PRIMARY KEY, retired_at TEXT NOT NULL);
"""

_READERS_GRACE = timedelta(minutes=15)
"""Longer than any query may run: a retired file is kept this long for readers of the old state."""


_BATCH_ROWS = 65_536


class LocalWarehouse:
    """Implements ``shared.ports.Warehouse`` in a folder. Safe in any number of processes.

    ``memory_mb`` bounds DuckDB's memory in this process; what does not fit spills to disk.
    """

    def __init__(self, folder: Path, *, now: Callable[[], datetime], memory_mb: int = 320) -> None:
        if set("*?[") & set(str(folder)):
            raise Rejected(
                f"DATA_DIR={folder} has one of * ? [ in it, which DuckDB takes for a pattern.",
                details={"variable": "DATA_DIR"},
            )
        self._folder = folder
        self._now = now
        self._memory_mb = memory_mb
        self._engine: duckdb.DuckDBPyConnection | None = None
        self._engine_lock = threading.Lock()
        for dataset in Dataset:
            (folder / dataset).mkdir(parents=True, exist_ok=True)
        with self._manifest() as manifest:
            manifest.executescript("PRAGMA journal_mode=WAL;" + _SCHEMA)
        self._ledger = Ledger(self._manifest)

    def close(self) -> None:
        """Give up this process's engine. The stored units are untouched."""
        with self._engine_lock:
            if self._engine is not None:
                self._engine.close()
                self._engine = None

    # --- units ------------------------------------------------------------------------------

    def replace(
        self, dataset: Dataset, unit: str, batches: Iterable[pa.RecordBatch], about: Fields
    ) -> Unit:
        """Write the rows to a new file, then point the manifest to it. See the port."""
        written = self._put(dataset, unit, batches, about)
        assert written is not None  # noqa: S101 - it takes the place of whatever is there
        self._sweep()
        return written

    def _put(
        self,
        dataset: Dataset,
        unit: str,
        batches: Iterable[pa.RecordBatch],
        about: Fields,
        *,
        instead_of: str | None = None,
    ) -> Unit | None:
        """Write a unit's file and list it. None if it was to replace a file that is replaced."""
        file = f"{dataset}/{uuid.uuid4().hex}.parquet"
        path = self._folder / file
        rows = _write_parquet(path, arrow_schema(COLUMNS[dataset]), batches)
        written = Unit(dataset, unit, rows, _digest(path), about)
        with self._manifest() as manifest:
            manifest.execute("BEGIN IMMEDIATE")
            listed = manifest.execute(
                "SELECT file FROM units WHERE dataset = ? AND name = ?", (dataset, unit)
            ).fetchone()
            if instead_of is not None and listed != (instead_of,):
                manifest.execute("ROLLBACK")
                path.unlink(missing_ok=True)
                return None
            self._retire(manifest, dataset, unit)
            manifest.execute(
                "INSERT INTO units VALUES (?, ?, ?, ?, ?, ?)",
                (dataset, unit, file, rows, written.digest, json.dumps(about, sort_keys=True)),
            )
            manifest.execute("COMMIT")
        return written

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
        """Stream the statement's rows into a new file of the unit. See the port.

        Under the id of an earlier run it runs again: nothing is billed here, and the unit is
        replaced by what the statement says now.
        """
        schema = arrow_schema(COLUMNS[dataset])
        with self._run(statement, parameters, allowance) as (rows, usage):
            reader = rows.to_arrow_reader(50_000)
            written = self.replace(
                dataset, unit, (_conform(batch, schema) for batch in reader), about
            )
            usage["rows"] = written.rows
        return written

    def remove(self, dataset: Dataset, unit: str) -> None:
        """Take a unit out of the manifest; its file goes later. See the port."""
        with self._manifest() as manifest:
            manifest.execute("BEGIN IMMEDIATE")
            self._retire(manifest, dataset, unit)
            manifest.execute("COMMIT")

    def forgetting_bytes(self, dataset: Dataset) -> int:  # noqa: ARG002 - whatever it is
        """Rewriting files costs nothing. See the port."""
        return 0

    def forget(
        self,
        dataset: Dataset,
        accounts: Collection[int],
        *,
        allowance: Allowance | None = None,  # noqa: ARG002 - nothing is billed
    ) -> int:
        """Rewrite the files that hold the accounts, and unlink those that did. See the port."""
        check_personal(dataset)
        changed = 0
        for unit in self.units(dataset):
            changed += self._rewrite(dataset, unit.name, accounts)
        # Also what was replaced before: any of it may hold them.
        self._sweep(f"{dataset}/", timedelta(0))
        return changed

    def _rewrite(self, dataset: Dataset, unit: str, accounts: Collection[int]) -> int:
        """Put what is left of a unit in its place. Returns how many rows changed or went."""
        for _ in range(5):
            with self._manifest() as manifest:
                found = manifest.execute(
                    "SELECT file, about FROM units WHERE dataset = ? AND name = ?", (dataset, unit)
                ).fetchone()
            if found is None:
                return 0
            file, about = found
            with pq.ParquetFile(self._folder / file) as stored:
                changed = sum(count_of(b, accounts) for b in stored.iter_batches(_BATCH_ROWS))
                if not changed:
                    return 0
                left = (without(b, accounts) for b in stored.iter_batches(_BATCH_ROWS))
                if self._put(dataset, unit, left, json.loads(about), instead_of=file):
                    return changed
        raise RetryLater(f"The unit {unit} of {dataset} keeps being replaced.")

    def unit(self, dataset: Dataset, name: str) -> Unit | None:
        """One unit, None where there is none. See the port."""
        with self._manifest() as manifest:
            found = manifest.execute(
                "SELECT rows, digest, about FROM units WHERE dataset = ? AND name = ?",
                (dataset, name),
            ).fetchone()
        if found is None:
            return None
        rows, digest, about = found
        return Unit(dataset, name, rows, digest, json.loads(about))

    def units(self, dataset: Dataset) -> tuple[Unit, ...]:
        """All units of a dataset, by name. See the port."""
        with self._manifest() as manifest:
            found = manifest.execute(
                "SELECT name, rows, digest, about FROM units WHERE dataset = ? ORDER BY name",
                (dataset,),
            ).fetchall()
        return tuple(
            Unit(dataset, name, rows, digest, json.loads(about))
            for name, rows, digest, about in found
        )

    # --- statements -------------------------------------------------------------------------

    def query(
        self,
        statement: str,
        parameters: Mapping[str, Parameter],
        *,
        allowance: Allowance | None = None,
    ) -> pa.Table:
        """Run a statement over the units as they are now. See the port."""
        with self._run(statement, parameters, allowance) as (rows, usage):
            table = rows.to_arrow_table()
            usage["rows"] = table.num_rows
        return table

    def estimate(
        self,
        statement: str,
        parameters: Mapping[str, Parameter],  # noqa: ARG002 - all files are counted
    ) -> int:
        """The size of the files that the statement would read. See the port."""
        return sum(_size(self._files(table)) for table in tables_of(statement))

    def usage(self, id_: str) -> Usage | None:
        """The last run with that allowance's id. See the port."""
        return self._ledger.usage(id_)

    def ledger(self, since: datetime, limit: int) -> tuple[Usage, ...]:
        """What statements read, newest first; nothing is billed here. See the port."""
        return self._ledger.since(since, limit)

    @contextmanager
    def _run(
        self,
        statement: str,
        parameters: Mapping[str, Parameter],
        allowance: Allowance | None,
    ) -> Iterator[tuple[duckdb.DuckDBPyRelation, dict[str, int]]]:
        """The statement's rows over one snapshot of the manifest; books its use afterwards."""
        started_at, clock = self._now(), time.monotonic()
        usage = {"rows": 0}
        with closing(self._connection().cursor()) as cursor:
            try:
                size = sum(self._bind(cursor, table) for table in tables_of(statement))
                if allowance is not None and size > allowance.max_bytes:
                    raise _too_much(statement, size, allowance)
                yield cursor.sql(duckdb_text(statement), params=dict(parameters)), usage
            except duckdb.IOException as error:
                raise RetryLater(f"The warehouse could not read its files: {error}") from error
            except duckdb.OutOfMemoryException as error:
                raise RetryLater(
                    f"{statement} needs more than {self._memory_mb} MB (QUERY_MEMORY_MB)."
                ) from error
        elapsed = int((time.monotonic() - clock) * 1000)
        self._ledger.record(
            Usage(
                statement,
                started_at,
                elapsed,
                usage["rows"],
                bytes_processed=size,
                bytes_billed=0,
                job=allowance.job if allowance else None,
                id=allowance.id if allowance else None,
            )
        )
        log.debug("statement_ran", statement=statement, duration_ms=elapsed, **usage)

    def _bind(self, cursor: duckdb.DuckDBPyConnection, table: str) -> int:
        """Name the files of a dataset as a view of this cursor. Returns their size in bytes."""
        files = self._files(table)
        # Temporary: any other view would be seen, and fought over, by all cursors of this process.
        if files:
            listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
            cursor.execute(f"CREATE OR REPLACE TEMP VIEW {table} AS FROM read_parquet([{listed}])")
        else:
            cursor.register(table, arrow_schema(COLUMNS[Dataset(table)]).empty_table())
        return _size(files)

    def _files(self, table: str) -> list[str]:
        with self._manifest() as manifest:
            return [
                str(self._folder / file)
                for (file,) in manifest.execute(
                    "SELECT file FROM units WHERE dataset = ? ORDER BY name", (table,)
                )
            ]

    def _connection(self) -> duckdb.DuckDBPyConnection:
        with self._engine_lock:
            if self._engine is None:
                self._engine = duckdb.connect(
                    config={
                        "memory_limit": f"{self._memory_mb}MB",
                        "temp_directory": str(self._folder / "spill"),
                        "autoinstall_known_extensions": False,
                        "autoload_known_extensions": False,
                    }
                )
                self._engine.execute("SET GLOBAL TimeZone = 'UTC'")
            return self._engine

    # --- the manifest -----------------------------------------------------------------------

    @contextmanager
    def _manifest(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(
                sqlite3.connect(self._folder / "manifest.sqlite", timeout=30, isolation_level=None)
            ) as manifest:
                yield manifest
        except sqlite3.OperationalError as error:
            raise RetryLater(f"The warehouse's manifest is busy: {error}") from error

    def _retire(self, manifest: sqlite3.Connection, dataset: Dataset, unit: str) -> None:
        manifest.execute(
            "INSERT OR IGNORE INTO retired SELECT file, ? FROM units"
            " WHERE dataset = ? AND name = ?",
            (iso(self._now()), dataset, unit),
        )
        manifest.execute("DELETE FROM units WHERE dataset = ? AND name = ?", (dataset, unit))

    def _sweep(self, prefix: str = "", grace: timedelta = _READERS_GRACE) -> int:
        """Remove files that were replaced a while ago. A kill in between leaves them for later."""
        with self._manifest() as manifest:
            due = manifest.execute(
                "SELECT file FROM retired WHERE retired_at <= ? AND file GLOB ? || '*'",
                (iso(self._now() - grace), prefix),
            ).fetchall()
            for (file,) in due:
                (self._folder / file).unlink(missing_ok=True)
                manifest.execute("DELETE FROM retired WHERE file = ?", (file,))
        return len(due)

    def sweeping_bytes(
        self,
        dataset: Dataset,  # noqa: ARG002 - whatever it is
        *,
        forgotten: Collection[int] = (),  # noqa: ARG002
    ) -> int:
        """Removing files costs nothing. See the port."""
        return 0

    def sweep(
        self,
        dataset: Dataset,
        *,
        forgotten: Collection[int] = (),  # noqa: ARG002 - events are those of archive files
        allowance: Allowance | None = None,  # noqa: ARG002 - nothing is billed
    ) -> int:
        """Remove the files of replaced units, and those that killed writers left. See the port."""
        return self._sweep(f"{dataset}/") + self.sweep_orphans(dataset)

    def sweep_orphans(self, dataset: str = "*") -> int:
        """Remove files that a killed writer left without a manifest row. For the start of a server.

        Only files older than the readers' grace: a younger one may be about to be listed.
        """
        with self._manifest() as manifest:
            known = {
                file
                for (file,) in manifest.execute(
                    "SELECT file FROM units UNION ALL SELECT file FROM retired"
                )
            }
        oldest = time.time() - _READERS_GRACE.total_seconds()
        orphans = [
            path
            for path in self._folder.glob(f"{dataset}/*.parquet")
            if str(path.relative_to(self._folder)) not in known and path.stat().st_mtime < oldest
        ]
        for path in orphans:
            path.unlink(missing_ok=True)
        return len(orphans)


def _write_parquet(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    rows = 0
    try:
        with pq.ParquetWriter(path, schema, compression="zstd", compression_level=1) as writer:
            for batch in batches:
                writer.write_batch(batch)
                rows += batch.num_rows
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return rows


def _conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch with the dataset's columns and types, such as text that DuckDB gives as JSON."""
    columns = [batch.column(name).cast(schema.field(name).type) for name in schema.names]
    return pa.record_batch(columns, schema=schema)


def _size(files: Iterable[str]) -> int:
    return sum(Path(file).stat().st_size for file in files)


def _too_much(statement: str, size: int, allowance: Allowance) -> BudgetRefused:
    return BudgetRefused(
        f"{statement} would read {size:,} bytes; {allowance.max_bytes:,} are allowed.",
        details={"statement": statement, "bytes": size, "max_bytes": allowance.max_bytes},
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
