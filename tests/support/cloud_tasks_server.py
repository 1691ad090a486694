"""A stand-in for Cloud Tasks: its gRPC interface over the delivery rules of the embedded queue.

What the platform checks is checked here, and an HTTP task becomes the call that it would make.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import grpc
from google.cloud import tasks_v2, tasks_v2beta3

from infra.local.deliveries import DeliveryStore
from infra.local.lanes import Call, Delivery, Draft, Pacing, Retry
from infra.local.tasks import QUEUES, TaskQueue

_NAME = re.compile(r"[A-Za-z0-9_-]{1,500}")
_DEADLINES = timedelta(seconds=15), timedelta(minutes=30)
_MOST_BYTES = 1 << 20
_LATEST = timedelta(days=30)


class HttpQueue:
    """A queue of HTTP tasks: the pace and patience of the embedded queue of that name."""

    def __init__(self, queue: TaskQueue) -> None:
        self._queue = queue

    @property
    def name(self) -> str:
        return self._queue.name

    @property
    def key(self) -> str:
        return self._queue.key

    @property
    def pacing(self) -> Pacing:
        return self._queue.pacing

    @property
    def retry(self) -> Retry:
        return self._queue.retry

    @property
    def deadline(self) -> timedelta:
        return self._queue.deadline

    @property
    def tombstone(self) -> timedelta:
        return self._queue.tombstone

    def call(self, delivery: Delivery) -> Call:
        """The POST that the task describes, with the platform's headers and an unsigned token."""
        task = json.loads(delivery.content)
        call = self._queue.call(replace(delivery, content=base64.b64decode(task["body"])))
        headers = {**call.headers, **task["headers"]}
        if task["token"]:
            headers["Authorization"] = f"Bearer {_token(task['token'])}"
        return replace(call, headers=headers)


class CloudTasksServer:
    """Listens on loopback until ``stop``. A Dispatcher delivers its lanes."""

    def __init__(self, parent: str, store: DeliveryStore, prefix: str = "") -> None:
        self.lanes = tuple(map(HttpQueue, QUEUES))
        self.created: list[tasks_v2.Task] = []
        self._store = store
        self._queues = {f"{parent}/queues/{prefix}{lane.name}": lane for lane in self.lanes}
        self._server = grpc.server(ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers(
            (
                _service("v2", "CreateTask", self._create, tasks_v2.CreateTaskRequest),
                _service("v2beta3", "ListQueues", self._list, tasks_v2beta3.ListQueuesRequest),
            )
        )
        self.host = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def stop(self) -> None:
        self._server.stop(None).wait()

    def bury(self, delivery: Delivery) -> Sequence[Draft]:
        """Nothing: the platform drops a task after its last attempt."""
        del delivery
        return ()

    def _create(self, request: tasks_v2.CreateTaskRequest, context: Any) -> tasks_v2.Task:
        task, now = request.task, self._store.clock()
        if request.parent not in self._queues:
            context.abort(grpc.StatusCode.NOT_FOUND, "Queue does not exist.")
        wrong = _problem(request, now)
        if wrong is not None:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, wrong)
        draft = Draft(
            lane=self._queues[request.parent].key,
            function=urlsplit(task.http_request.url).path.removeprefix("/"),
            content=json.dumps(
                {
                    "headers": dict(task.http_request.headers),
                    "body": base64.b64encode(task.http_request.body).decode(),
                    "token": {
                        "email": task.http_request.oidc_token.service_account_email,
                        "aud": task.http_request.oidc_token.audience,
                    },
                }
            ).encode(),
            due=task.schedule_time or now,
            name=task.name.rpartition("/")[2],
        )
        if not self._store.add([draft]):
            context.abort(
                grpc.StatusCode.ALREADY_EXISTS, "The task cannot be created: its name is taken."
            )
        self.created.append(task)
        return task

    def _list(
        self, request: tasks_v2beta3.ListQueuesRequest, context: Any
    ) -> tasks_v2beta3.ListQueuesResponse:
        queues = [
            tasks_v2beta3.Queue(name=name, stats={"tasks_count": self._store.count(lane.key)})
            for name, lane in self._queues.items()
            if name.startswith(f"{request.parent}/queues/")
        ]
        if "stats" not in request.read_mask.paths:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "Nobody asked for statistics.")
        return tasks_v2beta3.ListQueuesResponse(queues=queues)


def _problem(request: tasks_v2.CreateTaskRequest, now: datetime) -> str | None:
    """What the platform finds wrong with a task."""
    task = request.task
    queue, _, name = task.name.rpartition("/tasks/")
    shortest, longest = _DEADLINES
    if queue != request.parent or not _NAME.fullmatch(name):
        return "The task's name is malformed."
    if not task.http_request.url.startswith(("http://", "https://")):
        return "The URL must start with http:// or https://."
    if len(tasks_v2.Task.serialize(task)) > _MOST_BYTES:
        return "The task is larger than 1 MiB."
    if task.schedule_time is not None and task.schedule_time - now > _LATEST:
        return "The schedule time is more than 30 days in the future."
    if not shortest <= task.dispatch_deadline <= longest:
        return "The dispatch deadline must be between 15 seconds and 30 minutes."
    if "@" not in task.http_request.oidc_token.service_account_email:
        return "The service account's address is malformed."
    return None


def _service(version: str, method: str, handle: Callable[..., Any], request: Any) -> Any:
    handler = grpc.unary_unary_rpc_method_handler(
        handle,
        request_deserializer=request.deserialize,
        response_serializer=lambda answer: type(answer).serialize(answer),
    )
    return grpc.method_handlers_generic_handler(
        f"google.cloud.tasks.{version}.CloudTasks", {method: handler}
    )


def _token(claims: dict[str, str]) -> str:
    """A token as Google makes it, but for its signature."""
    parts = ({"alg": "none"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts]
    return ".".join([*(part.rstrip("=") for part in encoded), "unsigned"])
