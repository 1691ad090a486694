"""Ingest of a large hour: ours beside DuckDB's ``read_json`` and tools from PyPI."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from tests.benchmarks.hour import EVENTS, absent, hour_of
from tests.benchmarks.measuring import Run, RunFailed, fastest, run
from tests.benchmarks.peers import peers_python
from tests.benchmarks.report import Aim, Section

DUCKDB_WAYS = ("struct-parquet", "struct-table", "paths-parquet", "paths-table")
ROUNDS = 3
_PART = 20
"""Tools that would take minutes, or all memory, get this part of the hour."""


def measure(cache: Path, scale: float, say: Callable[[str], None]) -> Section:
    """Each contestant in fresh processes, ours and DuckDB in turn, the best run of each."""
    section = Section(
        "Ingest of a large hour into stored facts",
        (
            "contestant",
            "events",
            "seconds",
            "CPU s",
            "events/s",
            "peak MB",
            "ours is faster by",
            "by CPU",
        ),  # fmt: skip,
    )
    if reason := absent():
        section.notes.append(f"Ingest is skipped: {reason}.")
        return section
    events = int(EVENTS * scale)
    say(f"building an hour of {events:,} events")
    file, part = hour_of(events, cache), hour_of(events // _PART, cache)
    section.notes.append(_size(file, events))

    tried: dict[str, list[Run]] = {}
    for way in DUCKDB_WAYS:
        say(f"DuckDB, {way}")
        tried[way] = [_once(way, file)]
    best = min(tried, key=lambda way: tried[way][0].seconds)
    ours: list[Run] = []
    single: list[Run] = []
    for number in range(ROUNDS):
        say(f"round {number + 1} of {ROUNDS}: ours and DuckDB, {best}")
        ours.append(_once("ours", file))
        tried[best].append(_once(best, file))
        single.append(_once(f"{best}-1", file))

    us = fastest(ours)
    duck = fastest(tried[best])
    section.rows.append(_row("ours", events, us, us, events))
    section.rows.append(_row(f"DuckDB, {best}, 2 threads", events, duck, us, events))
    section.rows.append(_row(f"DuckDB, {best}, 1 thread", events, fastest(single), us, events))
    for way in DUCKDB_WAYS:
        if way != best:
            section.rows.append(
                _row(f"DuckDB, {way}, 2 threads", events, tried[way][0], us, events)
            )
    if us.more["rows"] != duck.more["rows"]:
        section.notes.append(f"Rows differ: {us.more['rows']} and {duck.more['rows']}.")

    slower = _tools(part, cache, say, section.notes)
    ratios: list[float] = []
    for name, taken in slower:
        row = _row(name, events // _PART, taken, us, events)
        section.rows.append(row)
        ratios.append(row[-2])
    if slower:
        section.notes.append(
            f"Tools from PyPI get {events // _PART:,} of the events: gharc and ghmap hold all "
            "events in memory. Their ratio is per event."
        )
    section.aims.append(
        Aim(
            "at least as fast as DuckDB",
            f"{duck.seconds / us.seconds:.2f} of its speed with 2 threads",
            us.seconds <= duck.seconds,
        )
    )
    if ratios:
        section.aims.append(
            Aim(
                "ten times the tools from PyPI",
                ", ".join(f"{ratio:.1f}" for ratio in ratios) + " times",
                min(ratios) >= 10,
            )
        )
    section.aims.append(Aim("below 512 MB", f"{us.peak_mb:.0f} MB", us.peak_mb < 512))
    return section


def _tools(
    part: Path, cache: Path, say: Callable[[str], None], notes: list[str]
) -> list[tuple[str, Run]]:
    found: list[tuple[str, Run]] = []
    say("setting up the tools from PyPI")
    python = peers_python(cache)
    if python is None:
        notes.append("gharc and gharchive-streamer are skipped: they could not be installed.")
    else:
        for name, offers in (
            ("gharc", "filters, writes Parquet"),
            ("gharchive-streamer", "parses only"),
        ):
            _try(found, notes, f"{name} ({offers})", say, partial(_peer, name, part, python))
    _try(found, notes, "ghmap (maps to actions)", say, lambda: _once("ghmap", part))
    return found


def _try(
    found: list[tuple[str, Run]],
    notes: list[str],
    name: str,
    say: Callable[[str], None],
    once: Callable[[], Run],
) -> None:
    say(name)
    try:
        found.append((name, fastest([once(), once()])))
    except RunFailed as failed:
        notes.append(f"{name} is skipped: {failed}.")


def _once(who: str, file: Path) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        return run("ingest_runs", who, file, folder)


def _peer(who: str, file: Path, python: Path) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        return run("peer_runs", who, file, folder, python=python)


def _row(
    name: str, events: int, taken: Run, us: Run, our_events: int
) -> tuple[str, int, float, float, int, int, float, float]:
    times = our_events / events
    return (
        name,
        events,
        taken.seconds,
        taken.cpu_seconds,
        round(events / taken.seconds),
        round(taken.peak_mb),
        times * taken.seconds / us.seconds,
        times * taken.cpu_seconds / us.cpu_seconds,
    )


def _size(file: Path, events: int) -> str:
    raw = sum(map(len, _pieces(file)))
    return (
        f"The hour has {events:,} events, {raw / 1e6:,.0f} MB of text, "
        f"{file.stat().st_size / 1e6:,.0f} MB as gzip."
    )


def _pieces(file: Path) -> Iterable[bytes]:
    with gzip.open(file) as opened:
        while piece := opened.read(1 << 20):
            yield piece
