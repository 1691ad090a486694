"""Keeps the HTTP server process alive: starts it, restarts it when it dies, ends it by its id."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import structlog

from infra.local.serving import ServingPlan
from shared.errors import Rejected

_ROOT = Path(__file__).parents[2]
_STEADY_SECONDS = 5.0
_LONGEST_PAUSE = 5.0

_log = structlog.get_logger(__name__)


class ServerProcess:
    """The child that answers requests on a listening socket which stays with its parent.

    So the port is kept while the child is replaced, and callers wait instead of being refused.
    The child ends when this process does, however that happens.
    """

    def __init__(
        self, listener: socket.socket, plan: ServingPlan, environment: Mapping[str, str]
    ) -> None:
        self._listener = listener
        self._plan = plan
        self._environment = environment
        self._parent_fd, self._lifeline = os.pipe()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The id of the child that runs now, or ran last."""
        return 0 if self._process is None else self._process.pid

    def start(self, within: timedelta) -> None:
        """Start the child and wait until it answers. Raises Rejected if it does not come up."""
        ready, told = os.pipe()
        try:
            self._process = self._spawn(told)
            self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
            self._watcher.start()
            os.close(told)
            if not _told(ready, within):
                self.stop()
                raise Rejected(
                    f"The functions of {self._plan.source} did not start; the reason is above.",
                    details={"source": self._plan.source},
                )
        finally:
            os.close(ready)

    def stop(self, grace: timedelta = timedelta(seconds=6)) -> None:
        """End the child: asked first, killed after ``grace``. Idempotent."""
        with self._lock:
            if self._stopping.is_set():
                return
            self._stopping.set()
        if self._process is not None and self._watcher is not None:
            self._process.terminate()
            self._watcher.join(grace.total_seconds())
            self._process.kill()
            self._watcher.join()
        os.close(self._lifeline)
        os.close(self._parent_fd)

    def _spawn(self, ready_fd: int) -> subprocess.Popen[bytes]:
        plan = replace(
            self._plan,
            listen_fd=self._listener.fileno(),
            ready_fd=ready_fd,
            parent_fd=self._parent_fd,
        )
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "infra.local.serving", plan.to_json()],
            env={**os.environ, **self._environment, "PYTHONPATH": os.pathsep.join(paths)},
            pass_fds=(plan.listen_fd, plan.ready_fd, plan.parent_fd),
            stdin=subprocess.DEVNULL,
            # Ctrl-C in a terminal is for the parent, which ends the child in its own order.
            start_new_session=True,
        )

    def _watch(self) -> None:
        pause = 0.1
        while self._process is not None:
            began = time.monotonic()
            code = _reap(self._process)
            if self._stopping.is_set():
                return
            steady = time.monotonic() - began > _STEADY_SECONDS
            pause = 0.1 if steady else min(pause * 2, _LONGEST_PAUSE)
            _log.error("server_process_died", pid=self.pid, code=code, again_in=pause)
            self._stopping.wait(pause)
            with self._lock:
                if self._stopping.is_set():
                    return
                self._respawn()

    def _respawn(self) -> None:
        unread, told = os.pipe()
        os.close(unread)
        self._process = self._spawn(told)
        os.close(told)


def _reap(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a child and of what it left behind; returns its exit status."""
    # While it is not reaped its id names its own process group and no other.
    with contextlib.suppress(ChildProcessError, ProcessLookupError, PermissionError):
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def _told(ready_fd: int, within: timedelta) -> bool:
    """Whether a byte arrives in time. The end of the file means that the child is gone."""
    with selectors.DefaultSelector() as selector:
        selector.register(ready_fd, selectors.EVENT_READ)
        return bool(selector.select(within.total_seconds())) and os.read(ready_fd, 1) != b""
