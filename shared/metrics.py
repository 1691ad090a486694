"""What is measured: every metric by name, kind, unit and labels. ``docs/operations.md`` shows them.

Units are UCUM, with what is counted in braces. Labels have few values each: no login, no
repository, no address is ever one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SLOW = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """A counter adds up, a histogram sorts into ``bounds``, a gauge is what it was told last."""

    name: str
    kind: Literal["counter", "histogram", "gauge"]
    unit: str
    what: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()


# --- what happens ---------------------------------------------------------------------------------

REQUESTS = Metric(
    "leaderboard.requests",
    "counter",
    "{request}",
    "Requests answered, by method, route template and class of status",
    ("method", "route", "status"),
)
REQUEST_SECONDS = Metric(
    "leaderboard.request.duration",
    "histogram",
    "s",
    "From a request to its answer, without the start of an instance",
    ("route", "status"),
    _QUICK,
)
DELIVERY_SECONDS = Metric(
    "leaderboard.delivery.duration",
    "histogram",
    "s",
    "Tasks, messages and set times that functions took, by function and outcome",
    ("function", "outcome"),
    _SLOW,
)
JOBS = Metric(
    "leaderboard.jobs",
    "counter",
    "{job}",
    "Jobs that ended, by type and how: completed, failed or cancelled",
    ("type", "outcome"),
)
JOB_SECONDS = Metric(
    "leaderboard.job.duration",
    "histogram",
    "s",
    "From the start of a job's first step to its end",
    ("type", "outcome"),
    _SLOW,
)
STEP_SECONDS = Metric(
    "leaderboard.job.step.duration",
    "histogram",
    "s",
    "Steps of jobs: done, waiting for the budget, retrying, failed, or lost to another delivery",
    ("stage", "outcome"),
    _SLOW,
)
EVENTS = Metric(
    "leaderboard.events",
    "counter",
    "{event}",
    "Rows taken in from the archive and from GitHub",
    ("source",),
)
CONTRIBUTIONS = Metric(
    "leaderboard.contributions",
    "counter",
    "{contribution}",
    "Contributions that scrapes credited, those of before counted again",
)
RECALCULATIONS = Metric(
    "leaderboard.recalculations",
    "counter",
    "{board}",
    "Boards made, and whether their generation is new or was published before",
    ("scope", "outcome"),
)
BILLED_BYTES = Metric(
    "leaderboard.warehouse.billed",
    "counter",
    "By",
    "Bytes that the warehouse billed, by statement",
    ("statement",),
)
BILLED_DOLLARS = Metric(
    "leaderboard.warehouse.cost",
    "counter",
    "USD",
    "What the warehouse billed, by statement",
    ("statement",),
)
CACHE_READS = Metric(
    "leaderboard.cache.reads",
    "counter",
    "{read}",
    "Reads of an instance's caches, hits and misses",
    ("cache", "outcome"),
)
SPANS_DROPPED = Metric(
    "leaderboard.spans.dropped",
    "counter",
    "{span}",
    "Spans that waited for a collector until there was no room for them",
)

# --- how the system stands ------------------------------------------------------------------------

QUEUE_DEPTH = Metric(
    "leaderboard.queue.depth",
    "gauge",
    "{task}",
    "Tasks of a queue that have not ended",
    ("queue",),
)
JOBS_NOW = Metric("leaderboard.jobs.current", "gauge", "{job}", "Jobs kept, by state", ("state",))
REPOSITORIES_NOW = Metric(
    "leaderboard.repositories", "gauge", "{repository}", "Repositories, by status", ("status",)
)
DEAD_LETTERS = Metric(
    "leaderboard.dead_letters", "gauge", "{letter}", "Dead letters that nobody has settled"
)
BUDGET_SPENT = Metric(
    "leaderboard.budget.spent", "gauge", "USD", "Spent in this day or month (UTC)", ("period",)
)
BUDGET_RESERVED = Metric(
    "leaderboard.budget.reserved", "gauge", "USD", "Set aside for runs under way", ("period",)
)
BUDGET_LIMIT = Metric(
    "leaderboard.budget.limit", "gauge", "USD", "The most that may be spent", ("period",)
)
BUDGET_USED = Metric(
    "leaderboard.budget.used", "gauge", "1", "Share of the limit that is spent", ("period",)
)
BOARD_AGE = Metric(
    "leaderboard.board.age",
    "gauge",
    "s",
    "How long ago the captured data of the global board ends, by window",
    ("window",),
)
CIRCUIT_OPEN = Metric(
    "leaderboard.circuit.open",
    "gauge",
    "{circuit}",
    "1 while a service outside is left alone after failures",
    ("service",),
)

METRICS: tuple[Metric, ...] = tuple(
    value for value in list(vars().values()) if isinstance(value, Metric)
)
