"""What a piece of work needs from the outside, in one value that is passed along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shared.blobs import Blobs
from shared.board_reading import BoardReader
from shared.breaker import Breaker
from shared.budget import Budget
from shared.calls import Callers, Outward, SignIn
from shared.flags import FlagCache
from shared.github import GitHub
from shared.lookups import ProfileLookup
from shared.ports import Archive, Documents, Events, Tasks, Warehouse
from shared.publishing import Publisher
from shared.rates import Rates
from shared.settings import Settings
from shared.telemetry import SILENT, Telemetry


@dataclass(frozen=True)
class Services:
    """The ports, the settings, the clock and the dice. Made by ``infra/services.py``.

    ``archive`` is None where files are ingested instead, ``github`` where GitHub's API is not
    asked, ``sign_in`` where nobody signs in with GitHub. ``lookups`` are asked about profiles
    besides. ``now`` gives aware UTC; ``new_id`` a
    unique lower-case id that sorts by time; ``jitter`` a number in [0, 1).
    """

    settings: Settings
    documents: Documents
    warehouse: Warehouse
    tasks: Tasks
    events: Events
    archive: Archive | None
    github: GitHub | None
    blobs: Blobs
    boards: BoardReader
    publisher: Publisher
    budget: Budget
    breaker: Breaker
    callers: Callers
    outward: Outward
    rates: Rates
    flags: FlagCache
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    jitter: Callable[[], float]
    lookups: tuple[ProfileLookup, ...] = ()
    sign_in: SignIn | None = None
    telemetry: Telemetry = SILENT


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for something: what the audit trail and the logs say of them."""

    actor: str = "system"
    actor_type: str = "system"
    address: str | None = None
    agent: str | None = None
    request_id: str | None = None


SYSTEM = Caller()
"""The system itself: schedules, retries, follow-ups."""
