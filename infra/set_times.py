"""When scheduled functions run, on either backend, for people to see."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from cronsim import CronSim

_TABLE = Path(__file__).with_name("deployment.json")


@dataclass(frozen=True, slots=True)
class SetTimes:
    """A schedule: its name, what it is for, and its cron expression in UTC."""

    name: str
    what: str
    cron: str

    def next_after(self, moment: datetime) -> datetime:
        """The first set time after a moment (aware UTC)."""
        return next(CronSim(self.cron, moment))


@cache
def set_times(backend: str) -> tuple[SetTimes, ...]:
    """All schedules of a backend. The embedded one settles what got stuck more often."""
    table = json.loads(_TABLE.read_text("utf-8"))["schedules"]
    crons = {name: schedule["cron"] for name, schedule in table.items()}
    if backend == "local":
        from infra.local.schedules import SCHEDULES

        crons = {schedule.name: schedule.cron for schedule in SCHEDULES}
    return tuple(SetTimes(name, table[name]["what"], cron) for name, cron in crons.items())
