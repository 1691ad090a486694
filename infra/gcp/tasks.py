"""Named tasks by Cloud Tasks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, get_args

from google.api_core import exceptions

from infra.clock import Clock
from infra.delivery_rules import CALL_DEADLINE, check_task
from infra.gcp.clients import Once, open_channel
from infra.gcp.failures import CALL_SECONDS, PATIENCE_SECONDS, as_our_errors, repeated
from shared.errors import Rejected
from shared.ports import Queue, Task

_SERVICE = "Cloud Tasks"
QUEUES: tuple[str, ...] = get_args(Queue)


class CloudTasks:
    """The port ``Tasks`` on the queues ``{queue_prefix}{queue}`` of a project and region.

    A task is a POST to ``function_url`` with ``{function}`` filled in, and carries an OIDC token
    of ``service_account`` for that URL. A call that fails on the way is repeated for ``patience``
    seconds, then RetryLater. ``add`` may say False for a task that
    its own earlier try has added.
    """

    def __init__(
        self,
        project: str,
        location: str,
        *,
        function_url: str,
        service_account: str,
        now: Clock,
        queue_prefix: str = "",
        emulator_host: str | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        if "{function}" not in function_url:
            raise Rejected("FUNCTION_URL lacks {function}, the place of the function's name.")
        self._parent = f"projects/{project}/locations/{location}"
        self._queue_names = {
            queue: f"{self._parent}/queues/{queue_prefix}{queue}" for queue in QUEUES
        }
        self._function_url = function_url
        self._service_account = service_account
        self._now = now
        self._emulator_host = emulator_host
        self._repeated = repeated(patience)
        self._client = Once(self._connect)
        self._statistics = Once(self._connect_statistics)

    def close(self) -> None:
        """End the connections. A later call opens others."""
        for client in (self._client.take(), self._statistics.take()):
            if client is not None:
                client.transport.close()

    def add(self, task: Task) -> bool:
        now = self._now()
        request = self._request(task, check_task(task, QUEUES, now), now)
        with as_our_errors(_SERVICE):
            try:
                self._repeated(self._client().create_task)(
                    request, retry=None, timeout=CALL_SECONDS
                )
            except exceptions.AlreadyExists:
                return False
            except exceptions.NotFound as error:
                queue = self._queue_names[task.queue]
                raise Rejected(
                    f"There is no queue {queue}.", details={"queue": task.queue}
                ) from error
        return True

    def depths(self) -> Mapping[str, int]:
        """How many tasks of each queue have not ended, as Cloud Tasks estimates it."""
        request = {"parent": self._parent, "read_mask": "name,stats", "page_size": 1000}
        with as_our_errors(_SERVICE):
            found = self._repeated(self._statistics().list_queues)(
                request, retry=None, timeout=CALL_SECONDS
            )
            counts = {queue.name: queue.stats.tasks_count for queue in found}
        return {queue: counts.get(name, 0) for queue, name in self._queue_names.items()}

    def _request(self, task: Task, body: bytes, now: datetime) -> dict[str, Any]:
        url = self._function_url.replace("{function}", task.function)
        parent = self._queue_names[task.queue]
        message: dict[str, Any] = {
            "name": f"{parent}/tasks/{task.name}",
            "http_request": {
                "url": url,
                "http_method": "POST",
                "headers": {"Content-Type": "application/json"},
                "body": body,
                "oidc_token": {
                    "service_account_email": self._service_account,
                    "audience": url,
                },
            },
            "dispatch_deadline": CALL_DEADLINE,
        }
        if task.not_before is not None and task.not_before > now:
            message["schedule_time"] = task.not_before
        return {"parent": parent, "task": message}

    # Imported in the functions below: most functions never add a task, and start a second sooner
    # without.

    def _connect(self) -> Any:
        from google.cloud.tasks_v2.services.cloud_tasks import CloudTasksClient
        from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

        if self._emulator_host is None:
            return CloudTasksClient()
        return CloudTasksClient(
            transport=CloudTasksGrpcTransport(channel=open_channel(self._emulator_host))
        )

    def _connect_statistics(self) -> Any:
        # Only this version of the interface tells how long a queue is.
        from google.cloud.tasks_v2beta3.services.cloud_tasks import CloudTasksClient
        from google.cloud.tasks_v2beta3.services.cloud_tasks.transports import (
            CloudTasksGrpcTransport,
        )

        if self._emulator_host is None:
            return CloudTasksClient()
        return CloudTasksClient(
            transport=CloudTasksGrpcTransport(channel=open_channel(self._emulator_host))
        )
