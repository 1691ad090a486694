"""The threads that answer requests: a few at once, and more for what waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from werkzeug.test import Client

from infra.local.threads import LeavablePool, leave_pool, streams_leave

SECONDS = 20.0
"""How long something may take that should be immediate."""


class Held:
    """Work that has begun waits until it is let go."""

    def __init__(self, leaves: int = 0) -> None:
        self._leaves = leaves
        self._begun = threading.Event()
        self._go = threading.Event()

    def __call__(self) -> str:
        for _ in range(self._leaves):
            leave_pool()
        self._begun.set()
        assert self._go.wait(SECONDS)
        return threading.current_thread().name

    def let_go(self) -> None:
        self._go.set()

    @property
    def begins(self) -> bool:
        return self._begun.wait(SECONDS)


def started(pool: LeavablePool, *works: Held) -> list[Future[str]]:
    """Submitted one after the other, each once the one before has begun."""
    futures = []
    for work in works:
        futures.append(pool.submit(work))
        assert work.begins
    return futures


def running() -> int:
    """How many threads pools have."""
    return sum(thread.name == "request" for thread in threading.enumerate())


@pytest.fixture
def made() -> Iterator[Callable[..., LeavablePool]]:
    """Makes pools, and sees their threads end."""
    before = set(threading.enumerate())
    pools: list[LeavablePool] = []

    def make(at_once: int, most: int) -> LeavablePool:
        pools.append(LeavablePool(at_once, most))
        return pools[-1]

    yield make
    for pool in pools:
        pool.shutdown()
    for thread in set(threading.enumerate()) - before:
        thread.join(SECONDS)
        assert not thread.is_alive()


def test_so_many_run_at_once_and_the_rest_in_turn(made: Callable[..., LeavablePool]) -> None:
    pool = made(2, 4)
    first, second, third = Held(), Held(), Held()
    started(pool, first, second)
    waiting = pool.submit(third)
    assert running() == 2
    first.let_go()
    third.let_go()
    assert waiting.result(SECONDS)
    second.let_go()


def test_one_that_leaves_is_replaced_once(made: Callable[..., LeavablePool]) -> None:
    pool = made(1, 9)
    stream, page = Held(leaves=3), Held()
    futures = started(pool, stream, page)
    assert running() == 2
    page.let_go()
    assert pool.submit(lambda: 7).result(SECONDS) == 7
    stream.let_go()
    assert futures[0].result(SECONDS)


def test_those_that_left_do_not_count(made: Callable[..., LeavablePool]) -> None:
    pool = made(2, 9)
    works = [*(Held(leaves=1) for _ in range(4)), Held(), Held()]
    futures = started(pool, *works)
    for work in works:
        work.let_go()
    assert all(future.result(SECONDS) for future in futures)


def test_there_are_never_more_than_there_may_be(made: Callable[..., LeavablePool]) -> None:
    pool = made(1, 2)
    one, two, three = Held(leaves=1), Held(leaves=1), Held()
    started(pool, one, two)
    behind = pool.submit(three)
    assert running() == 2
    one.let_go()
    two.let_go()
    three.let_go()
    assert behind.result(SECONDS)


def test_who_left_takes_no_more_work(made: Callable[..., LeavablePool]) -> None:
    pool = made(1, 2)
    threads: list[threading.Thread] = []

    def leaving() -> None:
        leave_pool()
        threads.append(threading.current_thread())

    pool.submit(leaving).result(SECONDS)
    threads[0].join(SECONDS)
    assert not threads[0].is_alive()
    assert pool.submit(threading.current_thread).result(SECONDS) is not threads[0]


def test_what_goes_wrong_is_the_result(made: Callable[..., LeavablePool]) -> None:
    pool = made(1, 1)

    def fail() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        pool.submit(fail).result(SECONDS)
    held = Held()
    started(pool, held)
    cancelled = pool.submit(fail)
    assert cancelled.cancel()
    held.let_go()
    assert pool.submit(lambda: 1).result(SECONDS) == 1


def test_an_end_that_would_have_to_wait_is_refused(made: Callable[..., LeavablePool]) -> None:
    with pytest.raises(ValueError, match="waited for"):
        made(1, 1).shutdown(wait=True)


def test_outside_a_pool_nobody_leaves() -> None:
    leave_pool()


@pytest.mark.parametrize(
    ("headers", "asked", "leaves"),
    [
        ([("Content-Length", "2")], {}, False),
        ([("content-length", "2")], {}, False),
        ([("Content-Type", "text/event-stream")], {}, True),
        ([("Content-Length", "2")], {"Upgrade": "websocket"}, True),
    ],
)
def test_streams_and_sockets_leave(
    made: Callable[..., LeavablePool],
    headers: list[tuple[str, str]],
    asked: dict[str, str],
    leaves: bool,
) -> None:
    pool = made(1, 2)
    held = Held()

    def app(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", headers)
        held()
        return [b"ok"]

    client = Client(streams_leave(app))
    answer = pool.submit(lambda: client.get("/", headers=asked).data)
    assert held.begins
    assert running() == 1 + leaves
    held.let_go()
    assert answer.result(SECONDS) == b"ok"
