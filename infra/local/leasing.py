"""How much of a lane may be taken now: its concurrency and its rate, counted in the store."""

from __future__ import annotations

import sqlite3
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.local.lanes import Delivery, Lane, Pacing

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEASE = """UPDATE deliveries SET lease = :lease, ready_at = :until WHERE id IN (
        SELECT id FROM deliveries WHERE lane = :lane AND ready_at <= :now
        ORDER BY ready_at, id LIMIT :room)
    RETURNING id, lane, name, function, content, eta, failures, executions, last_status, lease"""


def micros(moment: datetime) -> int:
    """Microseconds since 1970, which is how times are stored."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(stored: int) -> datetime:
    return _EPOCH + timedelta(microseconds=stored)


def lease_lane(
    db: sqlite3.Connection, lane: Lane, now: datetime, until: datetime
) -> list[Delivery]:
    """Lease what is due in a lane, as much as its limits allow, within the caller's transaction."""
    (busy,) = db.execute(
        "SELECT count(*) FROM deliveries WHERE lane = ? AND lease IS NOT NULL AND ready_at > ?",
        (lane.key, micros(now)),
    ).fetchone()
    next_free = _next_free(db, lane.key, micros(now))
    room = min(lane.pacing.max_concurrent - busy, _allowance(lane.pacing, next_free - micros(now)))
    if room <= 0:
        return []
    rows = db.execute(
        _LEASE,
        {
            "lane": lane.key,
            "now": micros(now),
            "until": micros(until),
            "lease": uuid.uuid4().hex,
            "room": room,
        },
    ).fetchall()
    if rows:
        db.execute(
            "INSERT OR REPLACE INTO pace VALUES (?, ?)",
            (lane.key, next_free + len(rows) * _interval(lane.pacing)),
        )
    return sorted(
        (_delivery(row) for row in rows),
        key=lambda delivery: (delivery.eta, delivery.id),
    )


def _delivery(row: tuple[Any, ...]) -> Delivery:
    id_, lane, name, function, content, eta, failures, executions, last_status, lease = row
    return Delivery(
        id=id_,
        lane=lane,
        name=name,
        function=function,
        content=content,
        eta=from_micros(eta),
        failures=failures,
        executions=executions,
        last_status=last_status,
        lease=lease,
    )


def _next_free(db: sqlite3.Connection, key: str, now: int) -> int:
    row = db.execute("SELECT next_free FROM pace WHERE lane = ?", (key,)).fetchone()
    return now if row is None else max(row[0], now)


def _interval(pacing: Pacing) -> int:
    return round(1_000_000 / pacing.per_second)


def _allowance(pacing: Pacing, ahead: int) -> int:
    """How many calls may start now: the generic cell rate algorithm, ``ahead`` in microseconds."""
    interval = _interval(pacing)
    return (pacing.burst * interval - ahead) // interval
