"""Archive files into the warehouse, fetched where they are not here, with a bar for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from infra.archive_download import download
from infra.archive_files import Source, hour_of, resolve
from infra.cli.app import App
from infra.cli.texts import plural
from infra.ingest import ingest_file
from infra.tls import trusted
from shared import people, removals
from shared.archive_fields import EXTRACTION_VERSION
from shared.ports import Unit
from shared.tables import Dataset

_FETCH_SECONDS = 60.0
_LEFT_OUT = {
    "broken": "broken rows",
    "before_2015": "rows from before 2015 (another schema)",
    "from_future": "rows from the future",
}
"""What a report counts, in words."""


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of some files. ``fresh`` are units with content that was not there before."""

    units: tuple[Unit, ...]
    fresh: tuple[Unit, ...]
    missing: tuple[str, ...]

    @property
    def events(self) -> int:
        return sum(unit.rows for unit in self.units)

    def left_out(self, what: str) -> int:
        """How many rows the reports count under ``broken``, ``before_2015`` or ``from_future``."""
        found: list[Any] = [unit.about.get(what) or 0 for unit in self.units]
        return sum(sum(f.values()) if isinstance(f, dict) else f for f in found)


def sources_of(app: App, spec: str) -> list[Source]:
    """The files that somebody means. Raises Rejected with the remedy."""
    return resolve(spec, now=app.services.now(), base_url=app.settings.archive_url)


def ingest(app: App, sources: Sequence[Source]) -> Ingested:
    """Read the files, those of which nothing changed in no time. What was read stays read."""
    before = {unit.name: unit for unit in app.services.warehouse.units(Dataset.EVENTS)}
    units: list[Unit] = []
    missing: list[str] = []
    with _bars(app) as bars, httpx.Client(timeout=_FETCH_SECONDS, verify=trusted()) as client:
        task = bars.add_task("", total=None, visible=False)
        for number, source in enumerate(sources, 1):
            unit = _known(source, before)
            if unit is None:
                bar = _Bar(bars, task, f"{number}/{len(sources)}")
                unit = _take_in(app, client, source, bar)
            if unit is None:
                missing.append(source.name)
            else:
                units.append(unit)
    fresh = [unit for unit in units if before.get(unit.name) != unit]
    return Ingested(tuple(units), tuple(fresh), tuple(missing))


def summary(done: Ingested) -> list[str]:
    """What was read, in a few lines for people."""
    lines: list[str] = []
    if done.units and not done.fresh:
        lines.append(
            f"{plural(len(done.units), 'file')} with {plural(done.events, 'event')} "
            f"{'is' if len(done.units) == 1 else 'are'} there already."
        )
    elif done.units:
        lines.append(f"Read {plural(len(done.units), 'file')}: {plural(done.events, 'event')}.")
    left_out = [
        f"{done.left_out(what):,} {words}"
        for what, words in _LEFT_OUT.items()
        if done.fresh and done.left_out(what)
    ]
    if left_out:
        lines.append(f"Left out: {', '.join(left_out)}.")
    if done.missing:
        shown = ", ".join(done.missing[:3]) + (", ..." if len(done.missing) > 3 else "")
        lines.append(f"The archive does not have {plural(len(done.missing), 'hour')}: {shown}")
    return lines


def _known(source: Source, before: dict[str, Unit]) -> Unit | None:
    """The unit of an hour to fetch, if it was fetched and read before."""
    if source.path is not None or hour_of(source.name) is None:
        return None
    unit = before.get(source.name.removesuffix(".json.gz"))
    current = unit is not None and unit.about.get("extraction_version") == EXTRACTION_VERSION
    return unit if current else None


@dataclass(frozen=True, slots=True)
class _Bar:
    bars: Progress
    task: TaskID
    position: str

    def begin(self, text: str) -> None:
        self.bars.reset(self.task, description=f"{self.position} {text}", total=None, visible=True)

    def __call__(self, done: int, size: int) -> None:
        self.bars.update(self.task, completed=done, total=size or None)


def _take_in(app: App, client: httpx.Client, source: Source, bar: _Bar) -> Unit | None:
    path: Path | None = source.path
    if path is None:
        bar.begin(f"fetching {source.name}")
        target = app.settings.data_dir / "archive" / source.name
        path = download(client, str(source.url), target, progress=bar)
        if path is None:
            return None
    bar.begin(f"reading {source.name}")
    return ingest_file(
        app.services.warehouse,
        path,
        now=app.services.now(),
        progress=bar,
        removed=lambda: removals.removed_ids(app.services),
        lifts=people.lifts(app.services.documents),
    )


def _bars(app: App) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=app.err,
        transient=True,
        disable=not app.err.is_terminal,
    )
