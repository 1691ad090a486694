"""Deliveries kept in one SQLite file, for any number of processes and threads.

Every change is one transaction and on disk before it is reported. A delivery is never taken out
to be worked on: it is leased, and whatever lease is neither settled nor renewed runs out.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from infra.clock import Clock
from infra.local.lanes import Delivery, Draft, Lane
from infra.local.leasing import from_micros, lease_lane, micros
from shared.errors import IntegrityError, RetryLater

KEPT = timedelta(days=31)
"""What could not be delivered for this long is forgotten, as Cloud Tasks does."""

_BUSY_SECONDS = 10.0
_NEVER = 2**62
_VERSION = 1
_SCHEMA = (
    """CREATE TABLE deliveries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        lane TEXT NOT NULL,
        name TEXT,
        function TEXT NOT NULL,
        content BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        eta INTEGER NOT NULL,
        ready_at INTEGER NOT NULL,
        lease TEXT,
        failures INTEGER NOT NULL DEFAULT 0,
        executions INTEGER NOT NULL DEFAULT 0,
        last_status INTEGER
    ) STRICT""",
    "CREATE INDEX deliveries_ready ON deliveries (lane, ready_at, id)",
    """CREATE TABLE names (
        lane TEXT NOT NULL, name TEXT NOT NULL, free_at INTEGER NOT NULL, PRIMARY KEY (lane, name)
    ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE pace (lane TEXT PRIMARY KEY, next_free INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE schedules (
        name TEXT PRIMARY KEY, last_run INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
)


class DeliveryStore:
    """The file of deliveries. A connection lives for one transaction, so forks are harmless.

    Raises RetryLater where the file cannot be read or written at the moment, IntegrityError where
    another version of this program wrote it.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.clock = clock
        self._prepare()

    def _prepare(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._use_write_ahead_log()
        with self.transaction() as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _SCHEMA:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {_VERSION}")
            elif version != _VERSION:
                raise IntegrityError(
                    f"{self.path} was written by another version of this program (format "
                    f"{version}, not {_VERSION}). Move it away to start with empty queues."
                )

    def _use_write_ahead_log(self) -> None:
        # Changing the journal mode does not wait for other processes as other statements do.
        give_up = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                with self._connection() as db:
                    db.execute("PRAGMA journal_mode = WAL")
                    return
            except RetryLater:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.01)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            db = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
            try:
                yield db
            finally:
                db.close()
        except sqlite3.OperationalError as error:
            raise RetryLater(f"The queue file {self.path} cannot be used now: {error}.") from error

    @contextmanager
    def transaction(self, *, write: bool = True) -> Iterator[sqlite3.Connection]:
        """A connection whose statements happen together, or not at all if the block raises."""
        with self._connection() as db:
            # Closing a connection rolls back what it has not committed.
            db.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            yield db
            db.execute("COMMIT")

    def add(self, drafts: Sequence[Draft]) -> int:
        """Keep drafts together. Returns how many were added: a name that is taken adds nothing."""
        with self.transaction() as db:
            return sum(self.insert(db, draft) for draft in drafts)

    def insert(self, db: sqlite3.Connection, draft: Draft) -> bool:
        """Keep a draft within a transaction of the caller. False if its name is taken."""
        now = micros(self.clock())
        if draft.name is not None:
            taken = db.execute(
                "INSERT INTO names VALUES (?, ?, ?) ON CONFLICT (lane, name) "
                "DO UPDATE SET free_at = excluded.free_at WHERE free_at <= ?",
                (draft.lane, draft.name, _NEVER, now),
            )
            if taken.rowcount == 0:
                return False
        due = max(micros(draft.due), now)
        db.execute(
            "INSERT INTO deliveries (lane, name, function, content, created_at, eta, ready_at) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (draft.lane, draft.name, draft.function, draft.content, now, due, due),
        )
        return True

    def lease(self, lanes: Sequence[Lane], lasting: timedelta) -> list[Delivery]:
        """Take what is due as far as the limits of its lane allow, earlier lanes first."""
        now = self.clock()
        if not self._anything_due(lanes, now):
            return []
        with self.transaction() as db:
            return [
                delivery for lane in lanes for delivery in lease_lane(db, lane, now, now + lasting)
            ]

    def _anything_due(self, lanes: Sequence[Lane], now: datetime) -> bool:
        # A look without a lock first, so that an idle dispatcher never holds up a writer.
        with self.transaction(write=False) as db:
            found = db.execute(
                "SELECT 1 FROM deliveries WHERE lane IN (SELECT value FROM json_each(?)) "
                "AND ready_at <= ? LIMIT 1",
                (_keys(lanes), micros(now)),
            )
            return found.fetchone() is not None

    def renew(self, deliveries: Sequence[Delivery], lasting: timedelta) -> None:
        """Extend leases that are still held."""
        until = micros(self.clock() + lasting)
        with self.transaction() as db:
            db.executemany(
                "UPDATE deliveries SET ready_at = ? WHERE id = ? AND lease = ?",
                [(until, delivery.id, delivery.lease) for delivery in deliveries],
            )

    def release(self, deliveries: Sequence[Delivery]) -> None:
        """Give leases back without an outcome: these deliveries are due at once."""
        now = micros(self.clock())
        with self.transaction() as db:
            db.executemany(
                "UPDATE deliveries SET ready_at = ?, lease = NULL WHERE id = ? AND lease = ?",
                [(now, delivery.id, delivery.lease) for delivery in deliveries],
            )

    def acknowledge(self, delivery: Delivery, tombstone: timedelta) -> None:
        """Forget a delivery that succeeded. It counts even if the lease has run out meanwhile."""
        with self.transaction() as db:
            db.execute("DELETE FROM deliveries WHERE id = ?", (delivery.id,))
            self._free_name(db, delivery, tombstone)

    def bury(self, delivery: Delivery, tombstone: timedelta, instead: Sequence[Draft]) -> bool:
        """Replace a delivery that failed for good. False if the lease was lost: nothing is done."""
        with self.transaction() as db:
            gone = db.execute(
                "DELETE FROM deliveries WHERE id = ? AND lease = ?", (delivery.id, delivery.lease)
            )
            if gone.rowcount == 0:
                return False
            self._free_name(db, delivery, tombstone)
            for draft in instead:
                self.insert(db, draft)
            return True

    def postpone(self, delivery: Delivery, status: int | None, wait: timedelta) -> bool:
        """Note a failed call and when the next is due. False if the lease was lost."""
        answered = status is not None and status < 500
        due = micros(self.clock() + wait)
        with self.transaction() as db:
            noted = db.execute(
                "UPDATE deliveries SET lease = NULL, ready_at = ?, failures = failures + 1, "
                "executions = executions + ?, last_status = ? WHERE id = ? AND lease = ?",
                (due, int(answered), status, delivery.id, delivery.lease),
            )
            return noted.rowcount == 1

    def idle(self, lanes: Sequence[Lane], until: datetime) -> bool:
        """Whether nothing in these lanes is under way or becomes due by ``until``."""
        with self.transaction(write=False) as db:
            found = db.execute(
                "SELECT 1 FROM deliveries WHERE lane IN (SELECT value FROM json_each(?)) "
                "AND (ready_at <= ? OR lease IS NOT NULL) LIMIT 1",
                (_keys(lanes), micros(until)),
            )
            return found.fetchone() is None

    def next_due(self, lanes: Sequence[Lane], after: datetime) -> datetime | None:
        """When the next delivery or lease after a moment is due; None if there is none."""
        with self.transaction(write=False) as db:
            (ready,) = db.execute(
                "SELECT min(ready_at) FROM deliveries WHERE lane IN (SELECT value FROM "
                "json_each(?)) AND ready_at > ?",
                (_keys(lanes), micros(after)),
            ).fetchone()
            return None if ready is None else from_micros(ready)

    def count(self, lane: str) -> int:
        """How many deliveries of a lane have not ended."""
        with self.transaction(write=False) as db:
            counted: int = db.execute(
                "SELECT count(*) FROM deliveries WHERE lane = ?", (lane,)
            ).fetchone()[0]
            return counted

    def purge(self) -> None:
        """Forget names that are free again and what could not be delivered for too long."""
        now = self.clock()
        with self.transaction() as db:
            db.execute("DELETE FROM names WHERE free_at <= ?", (micros(now),))
            db.execute(
                "DELETE FROM deliveries WHERE eta < ? AND lease IS NULL", (micros(now - KEPT),)
            )

    def _free_name(self, db: sqlite3.Connection, delivery: Delivery, tombstone: timedelta) -> None:
        db.execute(
            "UPDATE names SET free_at = ? WHERE lane = ? AND name = ?",
            (micros(self.clock() + tombstone), delivery.lane, delivery.name),
        )


def _keys(lanes: Sequence[Lane]) -> str:
    return json.dumps([lane.key for lane in lanes])
