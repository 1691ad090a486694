"""Asks a server over many connections at once: ``python -m tests.benchmarks.load_client`` < plan.

A plan is JSON: ``host``, ``port``, ``connections``, ``seconds`` or ``once`` (each address one
time), and ``kinds``: ``name``, ``weight``, ``addresses``, and what differs from a GET (``method``,
``headers``, ``bodies``). ``revalidate`` first learns each address' ETag and then asks whether it
still holds. What comes back is JSON on standard output: requests, statuses, how long each took.

It is a process of its own, with the standard library alone, so that it runs in any environment.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

_SEED = 7


class _Connection(asyncio.Protocol):
    """One kept-alive connection that asks the next question when the last is answered."""

    def __init__(self, load: _Load) -> None:
        self._load = load
        self._buffer = bytearray()
        self._asked_at = 0.0
        self._address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end]).lower()
        status = int(head[9:12])
        length = 0 if status in (204, 304) else int(_header(head, b"content-length") or b"x")
        if len(self._buffer) < end + 4 + length:
            return
        took = time.perf_counter() - self._asked_at
        self._load.answered(self._address, status, took, end + 4 + length, head)
        del self._buffer[: end + 4 + length]
        if b"\r\nconnection: close" in head:
            self._load.closed += 1
            self._transport.close()
            return
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost(self)

    def _ask(self) -> None:
        question = self._load.next()
        if question is None:
            self._transport.close()
            return
        self._address, raw = question
        self._asked_at = time.perf_counter()
        self._transport.write(raw)


class _Load:
    def __init__(self, plan: dict[str, Any], etags: dict[str, str]) -> None:
        self._plan = plan
        self._dice = random.Random(_SEED)
        self._kinds = plan["kinds"]
        self._weights = [kind["weight"] for kind in self._kinds]
        self._raw: dict[tuple[str, str, int], bytes] = {}
        self._etags = etags
        self._once: Iterator[tuple[Any, str]] | None = None
        if plan.get("once"):
            self._once = iter([(kind, a) for kind in self._kinds for a in kind["addresses"]])
        self.times: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.bytes = 0
        self.closed = 0
        self.found: dict[str, str] = {}
        self.ends_at = float("inf")
        self._open = plan["connections"]
        self.done = asyncio.Event()

    def next(self) -> tuple[str, bytes] | None:
        if self._once is not None:
            drawn = next(self._once, None)
            if drawn is None:
                return None
            kind, address = drawn
        else:
            if time.perf_counter() >= self.ends_at:
                return None
            (kind,) = self._dice.choices(self._kinds, self._weights)
            address = self._dice.choice(kind["addresses"])
        return address, self._request(kind, address)

    def _request(self, kind: Any, address: str) -> bytes:
        bodies = kind.get("bodies") or [None]
        number = self._dice.randrange(len(bodies)) if len(bodies) > 1 else 0
        key = (kind["name"], address, number)
        if key not in self._raw:
            body = b"" if bodies[number] is None else json.dumps(bodies[number]).encode()
            headers = {"Host": f"{self._plan['host']}", **kind.get("headers", {})}
            if address in self._etags:
                headers["If-None-Match"] = self._etags[address]
            if body:
                headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
            lines = [f"{kind.get('method', 'GET')} {address} HTTP/1.1"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            self._raw[key] = "\r\n".join([*lines, "", ""]).encode() + body
        return self._raw[key]

    def answered(self, address: str, status: int, took: float, size: int, head: bytes) -> None:
        self.times.append(took)
        self.statuses[str(status)] += 1
        self.bytes += size
        if self._plan.get("learn"):
            self.found[address] = _header(head, b"etag").decode()

    def lost(self, _connection: _Connection) -> None:
        self._open -= 1
        if self._open == 0:
            self.done.set()


def _header(head: bytes, name: bytes) -> bytes:
    """The value of a header in a lower-case head; nothing where there is none."""
    return head.partition(b"\r\n" + name + b":")[2].partition(b"\r\n")[0].strip()


async def _run(plan: dict[str, Any], etags: dict[str, str]) -> tuple[_Load, float]:
    load = _Load(plan, etags)
    loop = asyncio.get_running_loop()
    begin = time.perf_counter()
    if not plan.get("once"):
        load.ends_at = begin + plan["seconds"]
    await asyncio.gather(
        *(
            loop.create_connection(lambda: _Connection(load), plan["host"], plan["port"])
            for _ in range(plan["connections"])
        )
    )
    await load.done.wait()
    return load, time.perf_counter() - begin


async def _all(plan: dict[str, Any]) -> dict[str, Any]:
    etags: dict[str, str] = {}
    if plan.get("revalidate"):
        learnt, _ = await _run({**plan, "once": True, "learn": True}, {})
        etags = learnt.found
    load, seconds = await _run(plan, etags)
    return {
        "requests": sum(load.statuses.values()),
        "seconds": seconds,
        "statuses": dict(load.statuses),
        "closed": load.closed,
        "bytes": load.bytes,
        "microseconds": [round(took * 1e6) for took in load.times],
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_all(json.load(sys.stdin)))))  # noqa: T201
