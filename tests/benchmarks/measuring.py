"""Figures of one run, taken in a process of its own, and how they are handed back."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
_LOOK_EVERY = 0.2


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took.

    ``cpu_seconds`` are those of all its threads and processes: on a machine that others use too
    they say more than the clock. ``peak_mb`` is the largest resident memory of its process and of
    each that it started, added up.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float
    more: Mapping[str, Any] = field(default_factory=dict)


class RunFailed(Exception):
    """A contestant ended with an error; its last words are the message."""


def run(module: str, *arguments: object, python: Path | None = None) -> Run:
    """Run a module of this folder in a fresh process and read what it reports."""
    command = [str(python or sys.executable), "-m", f"tests.benchmarks.{module}"]
    process = subprocess.Popen(
        [*command, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LOG_LEVEL": "ERROR"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    helpers: dict[str, float] = {}
    while True:
        try:
            stdout, stderr = process.communicate(timeout=_LOOK_EVERY)
            break
        except subprocess.TimeoutExpired:
            helpers |= _peaks_of_children(process.pid)
    if process.returncode:
        last = stderr.strip().splitlines()[-1:] or [f"exit status {process.returncode}"]
        raise RunFailed(f"{module} {arguments[0]}: {last[0]}")
    found = json.loads(stdout.splitlines()[-1])
    peak = found.pop("peak_mb") + sum(helpers.values())
    return Run(found.pop("seconds"), found.pop("cpu_seconds"), peak, found)


def _peaks_of_children(pid: int) -> dict[str, float]:
    """The largest resident memory so far of each process that a process started, on Linux."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return {child: peak_mb(child) for child in children}
    except (OSError, StopIteration):  # there is no such file, or one ended just now
        return {}


class Stopwatch:
    """A block whose time is taken: ``with Stopwatch() as taken: ...``"""

    seconds = 0.0
    cpu_seconds = 0.0

    def __enter__(self) -> Self:
        self._begin, self._cpu_begin = time.perf_counter(), _cpu_seconds()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._begin
        self.cpu_seconds = _cpu_seconds() - self._cpu_begin


def _cpu_seconds() -> float:
    """Of this process, and of the processes it started that have ended."""
    return sum(os.times()[:4])


def hand_back(taken: Stopwatch, **more: Any) -> None:
    """Print this process's figures as ``run`` reads them."""
    figures = {
        "seconds": taken.seconds,
        "cpu_seconds": taken.cpu_seconds,
        "peak_mb": peak_mb(),
        **more,
    }
    print(json.dumps(figures))  # noqa: T201


def peak_mb(pid: str = "self") -> float:
    """The largest resident memory of this or of another process, in MB.

    Linux's own high-water mark begins anew with the program; ``getrusage`` would also count what
    the parent had when it started this one.
    """
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def fastest(runs: Sequence[Run]) -> Run:
    return min(runs, key=lambda one: one.seconds)
