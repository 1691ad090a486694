"""Publishing one window of a global board: ours beside PostgreSQL rebuilding a ranked table."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from shared.tables import Dataset
from tests.benchmarks import postgres
from tests.benchmarks.measuring import Run, fastest, run
from tests.benchmarks.report import Aim, Section
from tests.benchmarks.standings import Size, warehouse_of

ROUNDS = 3


def measure(cache: Path, scale: float, say: Callable[[str], None]) -> Section:
    """Ours and PostgreSQL in turn, the best run of each."""
    size = Size().scaled(scale)
    section = Section(
        f"Publishing one window: {size.standings:,} standings of {size.contributors:,} "
        f"contributors in {size.repositories:,} repositories",
        (
            "contestant",
            "seconds",
            "CPU s",
            "contributors/s",
            "peak MB",
            "writes",
            "MB",
            "ours is faster by",
            "by CPU",
        ),
    )
    say("building the standings")
    warehouse = warehouse_of(size, cache)
    rows = warehouse.query("rank_board", _everything(size))
    theirs: list[tuple[float, float]] = []
    ours: list[Run] = []
    programs = postgres.programs()
    if programs is None:
        section.notes.append("PostgreSQL is skipped: it is not installed (initdb is not found).")
        for number in range(ROUNDS):
            say(f"round {number + 1} of {ROUNDS}")
            ours.append(once("publish", size, cache))
    else:
        with postgres.cluster(programs) as server:
            say("loading PostgreSQL")
            server.load(warehouse.query("list_standings", _of_all(size)))
            server.rebuild()  # so that there is something to delete
            _compare(rows, server.board(), section)
            for number in range(ROUNDS):
                say(f"round {number + 1} of {ROUNDS}: ours and PostgreSQL")
                ours.append(once("publish", size, cache))
                theirs.append(server.rebuild())
    say("counting again by changed rules")
    counted = once("rescore", size, cache)

    us = fastest(ours)
    section.rows.append(_row("ours", us, us))
    if theirs:
        best, cpu = (min(times) for times in zip(*theirs, strict=True))
        speed = round(size.contributors / best)
        ratios = best / us.seconds, cpu / us.cpu_seconds
        name = "PostgreSQL, DELETE + INSERT"
        section.rows.append(
            (name, best, cpu, speed, None, size.contributors, None, *ratios),
        )
        section.aims.append(Aim("five times PostgreSQL", f"{ratios[0]:.1f} times", ratios[0] >= 5))
    section.rows.append(_row("ours, counting by new rules first", counted, us))
    writes = int(us.more["writes"])
    section.aims.append(Aim("a few hundred document writes", f"{writes}", writes < 500))
    section.aims.append(Aim("below 512 MB", f"{us.peak_mb:.0f} MB", us.peak_mb < 512))
    contributions = warehouse.units(Dataset.CONTRIBUTIONS)[0].rows
    section.notes.append(
        f"Counting by new rules reads the {contributions:,} contributions behind the standings; "
        "PostgreSQL computes its scores from the eleven counts of each standing."
    )
    section.notes.append(
        "Ours ranks within each class and over all, tells movement, writes pages in final JSON, "
        "indexes by id and login and the orders of twelve other sorts, and reads all of it back. "
        "PostgreSQL writes one ranked table with three indexes."
    )
    return section


def once(what: str, size: Size, cache: Path) -> Run:
    """One publication in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        return run(
            "publish_runs", what, size.contributors, size.standings, size.repositories,
            cache, folder,
        )  # fmt: skip


def _row(
    name: str, taken: Run, us: Run
) -> tuple[str, float, float, int, int, int, float, float, float]:
    more = taken.more
    return (
        name,
        taken.seconds,
        taken.cpu_seconds,
        round(more["total"] / taken.seconds),
        round(taken.peak_mb),
        more["writes"],
        more["bytes"] / 1e6,
        taken.seconds / us.seconds,
        taken.cpu_seconds / us.cpu_seconds,
    )


def _of_all(size: Size) -> dict[str, str | list[int]]:
    return {"repo_ids": [1000 + n for n in range(size.repositories)], "window": "all"}


def _everything(size: Size) -> dict[str, str | list[int]]:
    return {**_of_all(size), "classes": "[]"}


def _compare(rows: pa.Table, board: list[tuple[int, int]], section: Section) -> None:
    """Say so if PostgreSQL did not come to the same board."""
    first = rows.slice(0, len(board))
    expected = [*zip(first["contributor_id"].to_pylist(), first["score"].to_pylist(), strict=True)]
    if board != expected:
        section.notes.append("PostgreSQL's first hundred rows differ from ours.")
