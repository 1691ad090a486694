"""A large archive hour: the payloads of the real hours under fresh ids and times."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import ROOT

DATA = ROOT.parent / "shared" / "data"
EVENTS = 420_000
"""About 1 GB of text."""

_SOURCES = (
    "gha-2015-01-01-0",
    "gha-2015-01-01-1",
    "gha-2016-07-07-first2000-pinot-parquet",
    "gha-2021-07-21-sample800-pinot",
    "ghmap-julia-2025-03-20-input100",
    "api-post-2025-10-events",
)
_HOUR = datetime(2025, 3, 20, 12, tzinfo=UTC)
_FIRST_ID = 48_000_000_000
_RECIPE = 1
"""Raised when the lines change, so that an older file is not taken for them."""


def absent() -> str | None:
    """What to say if there are no real hours to build from."""
    missing = [name for name in _SOURCES if not (DATA / f"{name}.json.gz").exists()]
    return f"real event data is absent: ../shared/data/{missing[0]}.json.gz" if missing else None


def hour_of(events: int, cache: Path) -> Path:
    """The file of a large hour of so many events, written on first use."""
    folder = cache / f"hour-{events}-{_RECIPE}"
    path = folder / f"{_HOUR:%Y-%m-%d}-{_HOUR.hour}.json.gz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = folder / "unfinished"
        with gzip.open(unfinished, "wb", compresslevel=6) as file:
            for line in _lines(events):
                file.write(line)
        unfinished.rename(path)
    return path


def _lines(events: int) -> Iterator[bytes]:
    """Every real payload in turn, shuffled anew each time around; the same lines every time."""
    payloads = _payloads()
    dice = random.Random(1)
    for number in range(events):
        turn = number % len(payloads)
        if turn == 0:
            dice.shuffle(payloads)
        at = _HOUR + timedelta(seconds=number * 3600 // events)
        yield b'{"id":"%d",%b,"created_at":"%b"}\n' % (
            _FIRST_ID + number,
            payloads[turn],
            at.strftime("%Y-%m-%dT%H:%M:%SZ").encode(),
        )


def _payloads() -> list[bytes]:
    """The members of every real event but its id and time, as text without the outer braces."""
    payloads: list[bytes] = []
    for name in _SOURCES:
        with gzip.open(DATA / f"{name}.json.gz") as file:
            for line in file:
                if line.strip():
                    event: dict[str, Any] = json.loads(line)
                    del event["id"], event["created_at"]
                    text = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
                    payloads.append(text[1:-1].encode())
    return payloads
