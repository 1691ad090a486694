"""Tasks and messages that carry the trace in which they were asked for.

It goes in the body of a task, which both backends keep as it is, and in an attribute of a message.
``functions/edge.py`` takes it up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from shared.ports import Events, Fields, Task, Tasks
from shared.telemetry import TRACEPARENT, Telemetry


class TracedTasks:
    """The port ``Tasks`` over another one."""

    def __init__(self, tasks: Tasks, telemetry: Telemetry) -> None:
        self._tasks = tasks
        self._telemetry = telemetry

    def add(self, task: Task) -> bool:
        """See the port."""
        parent = self._telemetry.traceparent()
        if parent is not None:
            task = replace(task, body={**task.body, TRACEPARENT: parent})
        return self._tasks.add(task)

    def depths(self) -> Mapping[str, int]:
        """See the port."""
        return self._tasks.depths()


class TracedEvents:
    """The port ``Events`` over another one."""

    def __init__(self, events: Events, telemetry: Telemetry) -> None:
        self._events = events
        self._telemetry = telemetry

    def publish(self, topic: str, data: Fields, attributes: Mapping[str, str]) -> None:
        """See the port."""
        parent = self._telemetry.traceparent()
        told = dict(attributes) if parent is None else {**attributes, TRACEPARENT: parent}
        self._events.publish(topic, data, told)
