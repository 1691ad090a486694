"""Services whose every call of a port passes through a test's hands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from shared.board_reading import BoardReader
from shared.breaker import Breaker
from shared.budget import Budget
from shared.context import Services
from shared.publishing import Publisher

Around = Callable[[str, Callable[[], Any]], Any]
"""Takes the name of a call (``documents.get``) and the call itself; returns what it gives."""


def watched(services: Services, around: Around) -> Services:
    """The same services; ``around`` is asked to make every call of a port, wherever it comes from.

    What happens within a transaction is part of its one call.
    """
    documents: Any = _Port("documents", services.documents, around)
    warehouse: Any = _Port("warehouse", services.warehouse, around)
    tasks: Any = _Port("tasks", services.tasks, around)
    events: Any = _Port("events", services.events, around)
    outward: Any = _Port("outward", services.outward, around)
    return replace(
        services,
        documents=documents,
        warehouse=warehouse,
        tasks=tasks,
        events=events,
        outward=outward,
        breaker=Breaker(documents, now=services.now),
        boards=BoardReader(documents, now=services.now),
        publisher=Publisher(documents, now=services.now, keep=services.settings.keep_generations),
        budget=Budget(documents, services.settings, services.now),
    )


def before_call(number: int, happens: Callable[[], object]) -> Around:
    """Something happens before the call of that number, from 1, and once only."""
    made = 0

    def around(_: str, call: Callable[[], Any]) -> Any:
        nonlocal made
        made += 1
        if made == number:
            happens()
        return call()

    return around


def counting(calls: list[str]) -> Around:
    """Adds the name of each call to ``calls``."""

    def around(name: str, call: Callable[[], Any]) -> Any:
        calls.append(name)
        return call()

    return around


class _Port:
    def __init__(self, name: str, port: object, around: Around) -> None:
        self._name = name
        self._port = port
        self._around = around

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        method = getattr(self._port, verb)

        def call(*arguments: Any, **named: Any) -> Any:
            return self._around(f"{self._name}.{verb}", lambda: method(*arguments, **named))

        return call
