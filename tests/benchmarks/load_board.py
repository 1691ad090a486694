"""The board that servers are asked for: 82,000 humans, published once into a data directory."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from infra.environment import settings_from
from infra.services import build
from tests.benchmarks.publish_runs import publish
from tests.benchmarks.standings import Size, warehouse_of

HUMANS = 82_000
_RECIPE = 1


def size_of(scale: float) -> Size:
    """One in forty is a bot, and not on the board that is asked for."""
    people = max(int(HUMANS * scale), 2_000) * 40 // 39
    return Size(people, people * 3, 300)


def standings_of(size: Size, cache: Path) -> pa.Table:
    """The rows that PostgreSQL gets."""
    everything: dict[str, str | list[int]] = {
        "repo_ids": [1000 + n for n in range(size.repositories)],
        "window": "all",
    }
    return warehouse_of(size, cache).query("list_standings", everything)


def data_folder(size: Size, cache: Path) -> Path:
    """A data directory with the board, made on first use. Whoever serves it takes a copy."""
    folder = cache / f"board-{size.contributors}-{_RECIPE}"
    if not folder.exists():
        unfinished = cache / f"{folder.name}.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        services = build(settings_from({"DATA_DIR": str(unfinished), "LOG_LEVEL": "ERROR"}))
        publish(replace(services, warehouse=warehouse_of(size, cache)), 1)
        unfinished.rename(folder)
    return folder
