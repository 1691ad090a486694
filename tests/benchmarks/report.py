"""What a benchmark found: rows of figures and aims, as a table for people or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Aim:
    """Something that was to be reached, what was measured, and whether that is it."""

    aim: str
    measured: str
    reached: bool


@dataclass(frozen=True, slots=True)
class Section:
    """One comparison. ``notes`` say what was left out or scaled, and why."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[Cell]] = field(default_factory=list)
    aims: list[Aim] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Rows by column, aims and notes."""
        return {
            "title": self.title,
            "rows": [dict(zip(self.columns, row, strict=True)) for row in self.rows],
            "aims": [asdict(aim) for aim in self.aims],
            "notes": self.notes,
        }

    def show(self, console: Console) -> None:
        """Print it for people."""
        table = Table(title=self.title, title_justify="left")
        for number, name in enumerate(self.columns):
            table.add_column(name, justify="right" if number else "left")
        for row in self.rows:
            table.add_row(*map(_text, row))
        console.print()
        if self.rows:
            console.print(table)
        for aim in self.aims:
            verdict = "[green]reached[/]" if aim.reached else "[red]not reached[/]"
            console.print(f"aim: {aim.aim}: {aim.measured}, {verdict}")
        for note in self.notes:
            console.print(f"note: {note}")


def _text(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:,.2f}" if cell < 1000 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else cell
