"""A worker dies within a removal, at calls of ports spread over all of it; the next one ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.clock import utc_now
from shared import job_steps, removals, repositories
from shared.context import SYSTEM, Services
from tests.support.by_hand import by_hand, deliver_all
from tests.support.copies import copy_data
from tests.support.lines import ANA, BEN, ENGINE, User, day, pr_merged, push
from tests.support.scenario import (
    LINES,
    Receipts,
    ingest,
    left_behind,
    name_of,
    open_services,
    receipts,
    unfinished,
)
from tests.support.traces import traces
from tests.support.watched_ports import Around, counting, watched

ZORRO = User(7654321987, "zorro-unmistakable")
THEIRS = (
    push(60, day(2), ZORRO, push_id=60, distinct_size=5),
    pr_merged(63, day(4), ZORRO, 2, author=ANA, additions=7, deletions=7),
    pr_merged(64, day(5), BEN, 21, author=ZORRO),
)
KILLS = 4


class Killed(BaseException):
    """The process died."""


def killing(at: int, after: bool) -> Around:
    made = 0

    def around(_: str, call: Callable[[], Any]) -> Any:
        nonlocal made
        made += 1
        if made == at and not after:
            raise Killed
        result = call()
        if made == at:
            raise Killed
        return result

    return around


def remove(folder: Path, around: Around | None) -> Services:
    """Have Zorro removed; whoever works on it is killed by ``around``, and followed by another."""
    services, queue = by_hand(open_services(folder / "data"))
    removals.remove(services, ZORRO.id, SYSTEM)
    if around is not None:
        try:
            deliver_all(watched(services, around), queue)
        except Killed:
            # What was taken and not acknowledged is delivered again.
            queue._taken = 0
    deliver_all(services, queue)
    later = replace(services, now=lambda: utc_now() + timedelta(minutes=10))
    for _ in range(4):
        if not job_steps.sweep(later):
            break
        deliver_all(replace(services, now=later.now), queue)
    return services


def ended(services: Services, folder: Path) -> tuple[Receipts, list[str]]:
    """What the boards show, and what is wrong."""
    wrong = [*unfinished(services), *left_behind(services)]
    wrong += traces(services, folder / "data", ZORRO.login)
    shown = receipts(services)
    services.documents.close()  # type: ignore[attr-defined]
    services.warehouse.close()  # type: ignore[attr-defined]
    return shown, wrong


@pytest.mark.timeout(300)
def test_a_removal_that_is_killed_anywhere_ends_as_if_nothing_had_happened(folder: Path) -> None:
    services, queue = by_hand(open_services(folder / "data"))
    ingest(services, folder / "files", {"a.json.gz": (*LINES, *THEIRS)})
    repositories.register(services, name_of(ENGINE), SYSTEM)
    deliver_all(services, queue)
    services.documents.close()  # type: ignore[attr-defined]
    services.warehouse.close()  # type: ignore[attr-defined]

    copy_data(folder / "data", folder / "whole" / "data")
    calls: list[str] = []
    whole = remove(folder / "whole", counting(calls))
    expected, wrong = ended(whole, folder / "whole")
    assert wrong == []
    assert len(calls) > 50
    for number in range(KILLS):
        at = 1 + number * (len(calls) - 1) // (KILLS - 1)
        place = folder / f"kill-{at}"
        copy_data(folder / "data", place / "data")
        killed = remove(place, killing(at, after=number % 2 == 1))
        assert ended(killed, place) == (expected, []), f"call {at}, {calls[at - 1]}"
