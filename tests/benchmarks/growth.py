"""What doubling the work does to the time: ingest by events, publishing by contributors."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from tests.benchmarks import publish
from tests.benchmarks.hour import absent, hour_of
from tests.benchmarks.measuring import Run, run
from tests.benchmarks.report import Aim, Section
from tests.benchmarks.standings import Size, warehouse_of

ROUNDS = 3
EVENTS = (50_000, 100_000, 200_000)
CONTRIBUTORS = (75_000, 150_000, 300_000)
_NOISE = 1.1
"""A doubling counts as linear up to a tenth more than twice the time."""


def measure(cache: Path, scale: float, say: Callable[[str], None]) -> Section:
    """Each size in turn, round by round, and the best of each."""
    section = Section(
        "Growth when the work doubles",
        ("work", "amount", "seconds", "CPU s", "a second", "peak MB", "time by doubling"),
    )
    if reason := absent():
        section.notes.append(f"Ingest is skipped: {reason}.")
    else:
        amounts = [int(events * scale) for events in EVENTS]
        files = {events: hour_of(events, cache) for events in amounts}
        times = _rounds("ingest", amounts, lambda events: _ingest(files[events]), say)
        _add(section, "ingest, events", times)
    amounts = [int(contributors * scale) for contributors in CONTRIBUTORS]
    sizes = {amount: Size().scaled(amount / Size().contributors) for amount in amounts}
    for size in sizes.values():
        say(f"building the standings of {size.contributors:,} contributors")
        warehouse_of(size, cache).close()
    times = _rounds(
        "publish", amounts, lambda amount: publish.once("publish", sizes[amount], cache), say
    )
    _add(section, "publish, contributors", times)
    return section


def _rounds(
    what: str, amounts: Sequence[int], once: Callable[[int], Run], say: Callable[[str], None]
) -> dict[int, list[Run]]:
    runs: dict[int, list[Run]] = {amount: [] for amount in amounts}
    for number in range(ROUNDS):
        for amount in amounts:
            say(f"{what}, {amount:,}, round {number + 1} of {ROUNDS}")
            runs[amount].append(once(amount))
    return runs


def _ingest(file: Path) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        return run("ingest_runs", "ours", file, folder)


def _add(section: Section, what: str, runs: Mapping[int, Sequence[Run]]) -> None:
    best = {amount: min(run.seconds for run in those) for amount, those in runs.items()}
    ratios: dict[int, float] = {b: best[b] / best[a] for a, b in pairwise(best)}
    for amount, seconds in best.items():
        cpu = min(run.cpu_seconds for run in runs[amount])
        peak = max(run.peak_mb for run in runs[amount])
        section.rows.append(
            (what, amount, seconds, cpu, round(amount / seconds), round(peak), ratios.get(amount))
        )
    section.aims.append(
        Aim(
            f"{what}: no worse than linear",
            ", ".join(f"{ratio:.2f}" for ratio in ratios.values()) + " times the time",
            max(ratios.values()) <= 2 * _NOISE,
        )
    )
