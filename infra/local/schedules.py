"""Schedules on this machine, with the rules of Cloud Scheduler."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from cronsim import CronSim, CronSimError

from infra.local.deliveries import DeliveryStore
from infra.local.lanes import Call, Delivery, Draft, Pacing, Retry
from infra.local.leasing import from_micros, micros
from shared.errors import Rejected, RetryLater
from shared.models import iso
from shared.ports import Fields

_GRANULARITY = 0.2
_THRICE_MORE = Retry(
    min_backoff=timedelta(seconds=5),
    max_backoff=timedelta(hours=1),
    max_doublings=5,
    max_attempts=4,
)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A function called at set times. ``cron`` has five fields and is in UTC."""

    name: str
    cron: str
    function: str
    body: Fields = field(default_factory=dict)
    retry: Retry = _THRICE_MORE
    deadline: timedelta = timedelta(minutes=3)

    @property
    def key(self) -> str:
        return f"schedule:{self.name}"

    @property
    def pacing(self) -> Pacing:
        return Pacing(max_concurrent=1)

    @property
    def tombstone(self) -> timedelta:
        return timedelta(hours=1)

    def call(self, delivery: Delivery) -> Call:
        """The POST that Cloud Scheduler makes, with its headers."""
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Google-Cloud-Scheduler",
            "X-CloudScheduler": "true",
            "X-CloudScheduler-JobName": self.name,
            "X-CloudScheduler-ScheduleTime": delivery.name or iso(delivery.eta),
        }
        return Call(self.function, headers, delivery.content)

    def next_after(self, moment: datetime) -> datetime:
        return next(CronSim(self.cron, moment))

    def latest_until(self, moment: datetime) -> datetime:
        """The last set time that is not after ``moment``."""
        # Backwards the iterator leaves out its very start, hence the step beyond it.
        return next(CronSim(self.cron, moment + timedelta(microseconds=1), reverse=True))


SCHEDULES: tuple[Schedule, ...] = (
    Schedule("sweep-jobs", "* * * * *", "sweep_jobs"),
    Schedule("refresh-stale-repositories", "15 * * * *", "refresh_stale_repositories"),
    Schedule("recalculate-global-leaderboard", "*/30 * * * *", "recalculate_global_leaderboard"),
    Schedule("report-budget", "10 0 * * *", "report_budget"),
    Schedule("run-pipeline", "0 2 * * *", "run_pipeline"),
    Schedule("recalculate-everything", "0 4 * * 0", "recalculate_everything"),
    Schedule("enrich-top-contributors", "30 3 * * *", "batch_enrich_top_contributors"),
    Schedule("apply-retention", "0 5 1 * *", "apply_retention"),
    Schedule("send-weekly-report", "0 6 * * 1", "send_weekly_report"),
)
"""All schedules.

Every minute what got stuck is swept up, hourly what is stale is refreshed, every half hour the
global boards follow what changed; nightly comes the pipeline, then the profiles of those at the
top, and the report on the budget, weekly everything is counted anew and a report is sent, monthly
what is no longer kept is removed.
"""


class Schedules:
    """Turns set times into deliveries, each once, however many processes watch.

    Times missed while nobody watched are made up by a single run. A schedule seen for the first
    time starts from now. Raises Rejected for a schedule that cannot be read.
    """

    def __init__(self, store: DeliveryStore, schedules: Sequence[Schedule] = SCHEDULES) -> None:
        self.lanes = tuple(schedules)
        self._store = store
        self._next: dict[str, datetime] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        for schedule in schedules:
            _check(schedule, store.clock())

    def tick(self) -> datetime | None:
        """Enqueue what is due. Returns when the next run is due; None without schedules."""
        now = self._store.clock()
        for schedule in self.lanes:
            due = self._next.get(schedule.name)
            if due is None:
                due = schedule.next_after(self._last_run(schedule, now))
            if due <= now:
                self._enqueue(schedule, now)
                due = schedule.next_after(now)
            self._next[schedule.name] = due
        return min(self._next.values(), default=None)

    def bury(self, delivery: Delivery) -> Sequence[Draft]:
        """Nothing: a run that failed for the last time waits for its next set time."""
        del delivery
        return ()

    def start(self) -> None:
        """Watch the clock in the background until ``stop``."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="schedules", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching. Idempotent."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.tick()
            except RetryLater as error:
                _log.warning("schedules_held_up", reason=error.message)
            # Not until the next set time: a laptop that slept wakes up at another time.
            self._stopping.wait(_GRANULARITY)

    def _last_run(self, schedule: Schedule, now: datetime) -> datetime:
        with self._store.transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO schedules VALUES (?, ?)", (schedule.name, micros(now))
            )
            (last,) = db.execute(
                "SELECT last_run FROM schedules WHERE name = ?", (schedule.name,)
            ).fetchone()
            return from_micros(last)

    def _enqueue(self, schedule: Schedule, now: datetime) -> None:
        """Keep the run and that it was made in one transaction: neither lost nor doubled."""
        latest = schedule.latest_until(now)
        run = Draft(
            lane=schedule.key,
            function=schedule.function,
            content=json.dumps(dict(schedule.body)).encode(),
            due=latest,
            name=iso(latest),
        )
        with self._store.transaction() as db:
            moved = db.execute(
                "UPDATE schedules SET last_run = ?1 WHERE name = ?2 AND last_run < ?1",
                (micros(latest), schedule.name),
            )
            if moved.rowcount:
                self._store.insert(db, run)


def _check(schedule: Schedule, now: datetime) -> None:
    fields = len(schedule.cron.split())
    try:
        schedule.next_after(now)
    except (CronSimError, StopIteration) as error:
        raise _unreadable(schedule, str(error) or "it never comes") from error
    if fields != 5:
        raise _unreadable(schedule, f"it has {fields} fields, not five")


def _unreadable(schedule: Schedule, reason: str) -> Rejected:
    return Rejected(
        f"Schedule {schedule.name!r}: {schedule.cron!r} is not a cron expression: {reason}.",
        details={"schedule": schedule.name, "cron": schedule.cron},
    )
