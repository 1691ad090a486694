"""What statements of the embedded warehouse read: rows of SQLite beside its manifest."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from shared.models import iso, parse_time
from shared.ports import Usage

_SCHEMA = """
CREATE TABLE IF NOT EXISTS ledger (
  id INTEGER PRIMARY KEY, statement TEXT NOT NULL, started_at TEXT NOT NULL,
  duration_ms INTEGER NOT NULL, rows INTEGER NOT NULL, bytes_processed INTEGER NOT NULL,
  bytes_billed INTEGER NOT NULL, cache_hit INTEGER NOT NULL, job TEXT);
CREATE INDEX IF NOT EXISTS ledger_by_time ON ledger (started_at);
"""

_USAGE = (
    "SELECT statement, started_at, duration_ms, rows, bytes_processed, bytes_billed, cache_hit,"
    " job, allowance FROM ledger"
)


class Ledger:
    """The runs of statements, each allowance's id once. ``connect`` opens the manifest."""

    def __init__(self, connect: Callable[[], AbstractContextManager[sqlite3.Connection]]) -> None:
        self._connect = connect
        with connect() as ledger:
            ledger.executescript(_SCHEMA)
            ledger.execute("BEGIN IMMEDIATE")
            columns = {column for _, column, *_ in ledger.execute("PRAGMA table_info(ledger)")}
            if "allowance" not in columns:  # begun before runs had any
                ledger.execute("ALTER TABLE ledger ADD COLUMN allowance TEXT")
                ledger.execute("CREATE UNIQUE INDEX ledger_by_allowance ON ledger (allowance)")
            ledger.execute("COMMIT")

    def record(self, usage: Usage) -> None:
        """Book a run, in place of an earlier one under the same allowance."""
        with self._connect() as ledger:
            ledger.execute(
                "INSERT OR REPLACE INTO ledger (statement, started_at, duration_ms, rows,"
                " bytes_processed, bytes_billed, cache_hit, job, allowance)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    usage.statement,
                    iso(usage.started_at),
                    usage.duration_ms,
                    usage.rows,
                    usage.bytes_processed,
                    usage.bytes_billed,
                    usage.cache_hit,
                    usage.job,
                    usage.id,
                ),
            )

    def usage(self, id_: str) -> Usage | None:
        """The run with that allowance's id, None where there is none."""
        with self._connect() as ledger:
            found = ledger.execute(_USAGE + " WHERE allowance = ?", (id_,)).fetchone()
        return None if found is None else _usage(found)

    def since(self, moment: datetime, limit: int) -> tuple[Usage, ...]:
        """The runs from then on, newest first."""
        with self._connect() as ledger:
            found = ledger.execute(
                _USAGE + " WHERE started_at >= ? ORDER BY started_at DESC, id DESC LIMIT ?",
                (iso(moment), limit),
            ).fetchall()
        return tuple(_usage(row) for row in found)


def _usage(row: tuple[Any, ...]) -> Usage:
    statement, at, duration_ms, rows, processed, billed, hit, job, id_ = row
    return Usage(
        statement, parse_time(at), duration_ms, rows, processed, billed, bool(hit), job, id_
    )
