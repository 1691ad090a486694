"""Named tasks on this machine, with the rules of Cloud Tasks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from infra.local.deliveries import DeliveryStore
from infra.local.lanes import Call, Delivery, Draft, Pacing, Retry
from shared.errors import Rejected
from shared.ports import Task

MAX_BODY_BYTES = 1024 * 1024
MAX_DELAY = timedelta(days=30)
_NAME = re.compile(r"[A-Za-z0-9_-]{1,500}")
_FUNCTION = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")

_AFTER_60_120_240_S = Retry(
    min_backoff=timedelta(seconds=60),
    max_backoff=timedelta(seconds=240),
    max_doublings=2,
    max_attempts=4,
)


@dataclass(frozen=True, slots=True)
class TaskQueue:
    """A queue's limits.

    ``deadline`` ends a call that takes longer: nine minutes, as functions have. ``tombstone`` is
    how long a name stays taken after its task has ended; the platform says up to 24 hours.
    """

    name: str
    pacing: Pacing
    retry: Retry = _AFTER_60_120_240_S
    deadline: timedelta = timedelta(minutes=9)
    tombstone: timedelta = timedelta(hours=24)

    @property
    def key(self) -> str:
        return f"queue:{self.name}"

    def call(self, delivery: Delivery) -> Call:
        """The POST that Cloud Tasks makes, with its headers."""
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Google-Cloud-Tasks",
            "X-CloudTasks-QueueName": self.name,
            "X-CloudTasks-TaskName": delivery.name or "",
            "X-CloudTasks-TaskRetryCount": str(delivery.failures),
            "X-CloudTasks-TaskExecutionCount": str(delivery.executions),
            "X-CloudTasks-TaskETA": f"{delivery.eta.timestamp():.6f}",
        }
        if delivery.last_status is not None:
            headers["X-CloudTasks-TaskPreviousResponse"] = str(delivery.last_status)
        return Call(delivery.function, headers, delivery.content)


QUEUES: tuple[TaskQueue, ...] = (
    TaskQueue("high", Pacing(max_concurrent=2)),
    TaskQueue("default", Pacing(max_concurrent=4)),
    TaskQueue("low", Pacing(max_concurrent=2, per_second=10 / 60, burst=1)),
    TaskQueue("bulk", Pacing(max_concurrent=1)),
)
"""All queues, the most urgent first. ``low`` starts at most ten tasks a minute, evenly spaced."""


class SqliteTasks:
    """Tasks kept in a DeliveryStore. A name is unique within its queue, as on the platform.

    Raises Rejected for a task that could never be delivered, RetryLater when the file is busy.
    """

    def __init__(self, store: DeliveryStore, queues: Sequence[TaskQueue] = QUEUES) -> None:
        self.lanes = tuple(queues)
        self._store = store
        self._keys = {queue.name: queue.key for queue in queues}

    def add(self, task: Task) -> bool:
        """Add a task. False if its name is taken by a task that waits, runs or ended lately."""
        now = self._store.clock()
        due = now if task.not_before is None else task.not_before
        if due - now > MAX_DELAY:
            raise Rejected(
                f"Task {task.name!r} is due in more than {MAX_DELAY.days} days. Add it later.",
                details={"name": task.name},
            )
        draft = Draft(
            lane=self._lane_of(task),
            function=_checked(task.function, _FUNCTION, "function"),
            content=_body(task),
            due=due,
            name=_checked(task.name, _NAME, "task name"),
        )
        return self._store.add([draft]) == 1

    def depths(self) -> Mapping[str, int]:
        """How many tasks of each queue have not ended: waiting, postponed or under way."""
        return {name: self._store.count(key) for name, key in self._keys.items()}

    def bury(self, delivery: Delivery) -> Sequence[Draft]:
        """Nothing: the platform drops a task after its last attempt."""
        del delivery
        return ()

    def _lane_of(self, task: Task) -> str:
        if task.queue not in self._keys:
            raise Rejected(
                f"There is no queue {task.queue!r}. Queues are {', '.join(self._keys)}.",
                details={"queue": task.queue},
            )
        return self._keys[task.queue]


def _checked(text: str, pattern: re.Pattern[str], what: str) -> str:
    if not pattern.fullmatch(text):
        raise Rejected(
            f"{text[:100]!r} cannot be a {what}: it has to match {pattern.pattern}.",
            details={"value": text[:100]},
        )
    return text


def _body(task: Task) -> bytes:
    try:
        body = json.dumps(dict(task.body), allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise Rejected(f"The body of task {task.name!r} is not JSON: {error}.") from error
    if len(body) > MAX_BODY_BYTES:
        raise Rejected(
            f"The body of task {task.name!r} has {len(body):,} bytes; {MAX_BODY_BYTES:,} are "
            "allowed. Store the data and pass its name.",
            details={"bytes": len(body), "limit": MAX_BODY_BYTES},
        )
    return body
