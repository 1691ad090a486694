"""Named tasks on this machine, with the rules of Cloud Tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from infra.delivery_rules import CALL_DEADLINE, check_task
from infra.local.deliveries import DeliveryStore
from infra.local.lanes import Call, Delivery, Draft, Pacing, Retry
from shared.ports import Task

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
    deadline: timedelta = CALL_DEADLINE
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
        content = check_task(task, self._keys, now)
        draft = Draft(
            lane=self._keys[task.queue],
            function=task.function,
            content=content,
            due=now if task.not_before is None else task.not_before,
            name=task.name,
        )
        return self._store.add([draft]) == 1

    def depths(self) -> Mapping[str, int]:
        """How many tasks of each queue have not ended: waiting, postponed or under way."""
        return {name: self._store.count(key) for name, key in self._keys.items()}

    def bury(self, delivery: Delivery) -> Sequence[Draft]:
        """Nothing: the platform drops a task after its last attempt."""
        del delivery
        return ()
