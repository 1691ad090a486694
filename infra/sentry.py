"""Unexpected errors to Sentry: what is logged with a trace, and nothing about people.

Of an error its types and the places in our code are sent, and by which ids the log has the rest.
The texts of errors, variables, requests, addresses and names of machines stay here: only what
``_event`` lists leaves.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from infra.instance import VERSION, this_instance
from shared.settings import Settings

if TYPE_CHECKING:
    from sentry_sdk.types import Event

PAUSE_SECONDS = 60.0
"""How long nobody waits for a Sentry that was waited for in vain."""

_TOLD = ("request_id", "job_id", "delivery", "route", "error", "check", "stage")
"""Fields of a line that go along. None is a name or an address."""

_FRAME = ("function", "module", "filename", "lineno", "in_app", "context_line")
_ERROR_LEVELS = {"error", "critical"}

_lock = threading.Lock()
_made: dict[str, Reports] = {}


class Reports:
    """Sends errors. A processor of structlog that leaves the lines as they are."""

    def __init__(
        self, dsn: str, timeout: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        import sentry_sdk

        self._client = sentry_sdk.Client(
            dsn,
            release=f"leaderboard@{VERSION}",
            # Nothing is patched, and nothing collected but what is put together here.
            default_integrations=False,
            auto_enabling_integrations=False,
            include_local_variables=False,
            send_client_reports=False,
            auto_session_tracking=False,
            max_breadcrumbs=0,
            server_name="",
            shutdown_timeout=timeout,
            before_send=_only_listed,
        )
        self._timeout = timeout
        self._clock = clock
        self._pending = threading.Event()
        self._not_before = clock()

    def __call__(
        self, _logger: object, _method: str, line: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Send the error of a line that has one."""
        if line.get("exc_info") and line.get("level") in _ERROR_LEVELS:
            self._capture(line)
        return line

    def flush(self) -> None:
        """Wait a bounded time until what was captured is sent."""
        began = self._clock()
        if not self._pending.is_set() or began < self._not_before:
            return
        self._pending.clear()
        self._client.flush(self._timeout)
        if self._clock() - began >= self._timeout:
            self._not_before = self._clock() + PAUSE_SECONDS

    def _capture(self, line: Mapping[str, Any]) -> None:
        from sentry_sdk.utils import event_from_exception

        given = line["exc_info"]
        error = given if isinstance(given, BaseException) else sys.exc_info()[1]
        if error is None:
            return
        event, hint = event_from_exception(error, client_options=self._client.options)
        tags = {name: str(line[name])[:200] for name in _TOLD if line.get(name) is not None}
        function = this_instance().function
        event["tags"] = tags | ({"function": function} if function else {})
        event["logger"] = str(line.get("event"))
        self._client.capture_event(event, hint)
        self._pending.set()


def reports_of(settings: Settings) -> Reports | None:
    """Those of this process, None where no DSN is set: then nothing of Sentry is loaded."""
    dsn = settings.sentry_dsn
    if dsn is None:
        return None
    with _lock:
        if dsn not in _made:
            _made[dsn] = Reports(dsn, settings.telemetry_timeout_seconds)
        return _made[dsn]


def _only_listed(event: Event, _hint: dict[str, Any]) -> Event:
    errors = event.get("exception", {}).get("values", [])
    kept: Event = {
        "level": "error",
        "platform": "python",
        "release": event.get("release", ""),
        "logger": event.get("logger", ""),
        "tags": event.get("tags", {}),
        "exception": {"values": [_error(error) for error in errors]},
    }
    if "event_id" in event:
        kept["event_id"] = event["event_id"]
    if "timestamp" in event:
        kept["timestamp"] = event["timestamp"]
    return kept


def _error(error: Mapping[str, Any]) -> dict[str, Any]:
    """The type and the places. The text may quote what somebody sent."""
    frames = (error.get("stacktrace") or {}).get("frames", [])
    return {
        "type": error.get("type"),
        "module": error.get("module"),
        "value": "The text is in the log.",
        "stacktrace": {"frames": [{name: frame.get(name) for name in _FRAME} for frame in frames]},
    }
