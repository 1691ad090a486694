"""What queues and topics take, whoever keeps them: the limits of Cloud Tasks and Pub/Sub."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from shared.errors import Rejected
from shared.ports import Fields, Task

MAX_BODY_BYTES = 1_000_000
"""A whole task takes 1 MiB, with its address, headers and token."""
MAX_DELAY = timedelta(days=30)
MAX_MESSAGE_BYTES = 10_000_000
MAX_ATTRIBUTES = 100
MAX_ATTRIBUTE_KEY_BYTES = 256
MAX_ATTRIBUTE_BYTES = 1024
CALL_DEADLINE = timedelta(minutes=9)
"""How long a call may take: functions that answer events are ended after nine minutes."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,500}")
_FUNCTION = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")


def check_task(task: Task, queues: Collection[str], now: datetime) -> bytes:
    """The body of a task as JSON. Raises Rejected for a task that could never be delivered."""
    if task.not_before is not None and task.not_before - now > MAX_DELAY:
        raise Rejected(
            f"Task {task.name!r} is due in more than {MAX_DELAY.days} days. Add it later.",
            details={"name": task.name},
        )
    if task.queue not in queues:
        raise Rejected(
            f"There is no queue {task.queue!r}. Queues are {', '.join(queues)}.",
            details={"queue": task.queue},
        )
    _check_text(task.function, _FUNCTION, "function")
    _check_text(task.name, _NAME, "task name")
    return _json(task.body, f"body of task {task.name!r}", MAX_BODY_BYTES, "pass")


def check_message(topic: str, data: Fields, attributes: Mapping[str, str]) -> bytes:
    """The data of a message as JSON. Raises Rejected for one that no topic takes."""
    if len(attributes) > MAX_ATTRIBUTES:
        raise Rejected(f"A message has at most {MAX_ATTRIBUTES} attributes.")
    for key, value in attributes.items():
        if key.startswith("goog") or not 0 < _bytes(key) <= MAX_ATTRIBUTE_KEY_BYTES:
            raise Rejected(f"{key[:100]!r} cannot be the name of an attribute.")
        if _bytes(value) > MAX_ATTRIBUTE_BYTES:
            raise Rejected(
                f"The attribute {key!r} has more than {MAX_ATTRIBUTE_BYTES:,} bytes.",
                details={"attribute": key},
            )
    return _json(data, f"message for {topic!r}", MAX_MESSAGE_BYTES, "publish")


def _check_text(text: str, pattern: re.Pattern[str], what: str) -> None:
    if not pattern.fullmatch(text):
        raise Rejected(
            f"{text[:100]!r} cannot be a {what}: it has to match {pattern.pattern}.",
            details={"value": text[:100]},
        )


def _bytes(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise Rejected(f"{text[:100]!r} is not valid Unicode.") from error


def _json(data: Fields, what: str, limit: int, verb: str) -> bytes:
    try:
        encoded = json.dumps(dict(data), allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise Rejected(f"The {what} is not JSON: {error}.") from error
    if len(encoded) > limit:
        raise Rejected(
            f"The {what} has {len(encoded):,} bytes; {limit:,} are allowed. Store the data and "
            f"{verb} its name.",
            details={"bytes": len(encoded), "limit": limit},
        )
    return encoded
