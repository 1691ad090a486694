"""The state of an API's hourly allowance, and how it changes: values only.

Leased and stored by ``shared/request_budget.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict

from shared.models import iso, parse_time

WINDOW = timedelta(hours=1)

_DRIFT = timedelta(minutes=1)
_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(minutes=15)
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer says of the allowance: granted, left of it, and renewed at."""

    limit: int
    remaining: int
    resets_at: datetime


class Allowance(BaseModel):
    """The stored state. Times are RFC 3339 texts in UTC.

    ``window`` counts the renewals, ``strikes`` the pauses without a stated end since the last.
    """

    model_config = ConfigDict(frozen=True)

    limit: int
    remaining: int
    resets_at: str
    held: int = 0
    window: int = 0
    strikes: int = 0
    paused_until: str | None = None


@dataclass(slots=True)
class Block:
    """Requests that a worker holds. ``left`` may fall below zero: some cost more than expected."""

    size: int
    left: int
    window: int
    told: Told | None = None


def fresh(limit: int, moment: datetime, before: Allowance | None = None) -> Allowance:
    """All of an allowance, until an hour from now unless GitHub says otherwise."""
    return Allowance(
        limit=limit,
        remaining=limit,
        resets_at=iso(moment + WINDOW),
        window=0 if before is None else before.window + 1,
        paused_until=None if before is None else before.paused_until,
    )


def settled(state: Allowance, block: Block, moment: datetime) -> Allowance:
    """The state after a block is accounted for, and what the answers said is believed.

    What GitHub says is left includes what others hold, so no more than the rest is free.
    """
    if block.window != state.window:
        return state
    held = state.held - block.size
    remaining, limit, resets_at = state.remaining + block.left, state.limit, state.resets_at
    told = block.told
    if told is not None and told.resets_at > moment:
        believed = told.remaining - held
        # A later renewal than was thought: GitHub has begun to count anew.
        anew = told.resets_at > parse_time(resets_at) + _DRIFT
        remaining = believed if anew else min(remaining + told.limit - limit, believed)
        limit, resets_at = told.limit, iso(told.resets_at)
    return state.model_copy(
        update={"limit": limit, "remaining": remaining, "held": held, "resets_at": resets_at}
    )


def paused(
    state: Allowance, until: datetime | None, moment: datetime, *, exhausted: bool
) -> Allowance:
    """The state after GitHub asked to wait, until then or, each time, twice as long as before."""
    wait = min(_FIRST_PAUSE * 2 ** min(state.strikes, 10), _LONGEST_PAUSE)
    ends = iso(max(until or moment + wait, pause_of(state)))
    update: dict[str, object] = {"paused_until": ends, "strikes": state.strikes + (until is None)}
    if exhausted:
        update |= {"remaining": 0, "resets_at": ends}
    return state.model_copy(update=update)


def pause_of(state: Allowance) -> datetime:
    """When the last pause ends or ended."""
    return _LONG_AGO if state.paused_until is None else parse_time(state.paused_until)
