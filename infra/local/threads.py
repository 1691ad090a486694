"""Gunicorn's threads: a few that take turns at requests, and more for what mostly waits.

An interpreter runs one thread at a time, and the more of them have something to do the more of that
time goes into changing between them. A stream or a delivered task still needs one for itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from gunicorn.workers.gthread import ThreadWorker

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE = 8
"""Requests at a time. What another number does ``python -m tests.benchmarks load`` shows."""

_of_thread = threading.local()


class LeavablePool(Executor):
    """An executor of ``at_once`` threads. One that leaves is replaced, up to ``most`` in all."""

    def __init__(self, at_once: int, most: int) -> None:
        self._at_once = min(at_once, most)
        self._most = most
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._running = 0
        self._taking_turns = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if self._taking_turns < self._at_once:
            self._start()
        future: Future[T] = Future()
        self._work.put(partial(_settle, future, partial(fn, *args, **kwargs)))
        return future

    def leave(self) -> None:
        """The calling thread's work takes no other's place from here on. It ends with that work.

        It stays if there are as many threads as there may be. Safe to repeat.
        """
        if _of_thread.pool is self and self._start():
            _of_thread.pool = None
            with self._lock:
                self._taking_turns -= 1

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """End once all that was submitted is done. Raises ValueError if more than that is asked."""
        if wait or cancel_futures:
            raise ValueError("Nothing is waited for, and nothing cancelled.")
        for _ in range(self._most):
            self._work.put(None)

    def _start(self) -> bool:
        with self._lock:
            if self._running >= self._most:
                return False
            self._running += 1
            self._taking_turns += 1
        threading.Thread(target=self._take_turns, name="request").start()
        return True

    def _take_turns(self) -> None:
        _of_thread.pool = self
        while _of_thread.pool is self and (work := self._work.get()) is not None:
            work()
        with self._lock:
            self._running -= 1


def leave_pool() -> None:
    """What the calling thread does from here on mostly waits. Without a pool this does nothing."""
    pool: LeavablePool | None = getattr(_of_thread, "pool", None)
    if pool is not None:
        pool.leave()


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        found = work()
    except BaseException as error:  # noqa: BLE001 - whoever asked for the result gets it
        future.set_exception(error)
    else:
        future.set_result(found)


def streams_leave(app: WSGIApplication) -> WSGIApplication:
    """The app, whose WebSockets and answers of unknown length leave the pool."""

    def call(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if "HTTP_UPGRADE" in environ:
            leave_pool()

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            if not any(name.lower() == "content-length" for name, _ in headers):
                leave_pool()
            return start_response(status, headers, *error)

        return app(environ, start)

    return call


class PoolWorker(ThreadWorker):  # type: ignore[misc]
    """Gunicorn's worker with threads on such a pool."""

    def get_thread_pool(self) -> Executor:
        return LeavablePool(AT_ONCE, self.cfg.threads)

    def handle(self, conn: Any) -> Any:
        if not conn.initialized:
            # A new connection may say nothing for seconds, as those do that browsers keep ready.
            leave_pool()
        return super().handle(conn)
