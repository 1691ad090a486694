"""Measures ingest, publishing and pages: ``python -m tests.benchmarks``."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from infra.environment import settings_from
from infra.logs import configure
from tests.benchmarks import growth, ingest, load, pages, publish
from tests.benchmarks.report import Section

_SECTIONS: dict[str, Callable[..., Section]] = {
    "ingest": ingest.measure,
    "publish": publish.measure,
    "growth": growth.measure,
    "pages": pages.measure,
    "load": load.measure,
}


@click.command()
@click.argument("sections", nargs=-1, type=click.Choice([*_SECTIONS]))
@click.option("--scale", default=1.0, show_default=True, help="More or less work than usual.")
@click.option(
    "--minutes", default=5.0, show_default=True, help="How long the mixed load of pages lasts."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of tables.")
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(os.environ.get("DATA_DIR") or ".data") / "benchmarks",
    show_default=True,
    help="Where input is kept between runs (1 GB).",
)
def main(
    sections: tuple[str, ...], scale: float, minutes: float, as_json: bool, cache: Path
) -> None:
    """Run the SECTIONS that are named, or all of them. It takes about twenty minutes."""
    if scale <= 0:
        raise click.BadParameter("must be above 0", param_hint="--scale")
    progress, console = Console(stderr=True), Console()
    if not console.is_terminal:
        console.width = 120
    configure(settings_from({"LOG_LEVEL": "ERROR"}))
    cache = cache.absolute()
    cache.mkdir(parents=True, exist_ok=True)
    found = {}
    for name in dict.fromkeys(sections or _SECTIONS):
        with progress.status(name) as status:
            more = {"minutes": minutes} if name == "load" else {}
            found[name] = _SECTIONS[name](cache, scale, status.update, **more)
        if not as_json:
            found[name].show(console)
    if as_json:
        about = {"cores": os.cpu_count(), "python": platform.python_version(), "scale": scale}
        shown = {name: section.as_json() for name, section in found.items()}
        click.echo(json.dumps({**about, **shown}, indent=2))


main(prog_name="python -m tests.benchmarks")
