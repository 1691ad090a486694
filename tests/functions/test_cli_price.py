"""What the archive costs: the command, and the figures that the docs show."""

from __future__ import annotations

from pathlib import Path

from tests.support.command_line import answer, command

COSTS = Path(__file__).resolve().parents[2] / "docs" / "costs.md"


def test_the_docs_show_what_the_command_says(tmp_path: Path) -> None:
    told = answer(tmp_path, "price")
    rows = told["data"]
    assert [row["repositories"] for row in rows] == [1, 10, 100, 1000]
    text = COSTS.read_text(encoding="utf-8")
    for row in rows:
        begins = f"| {row['repositories']:,} |"
        line = next(each for each in text.splitlines() if each.startswith(begins))
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert [cells[2], cells[4], cells[5]] == [
            row[way]["usd"] for way in ("plain", "here", "month")
        ]
        assert [cells[1], cells[3]] == [
            f"{row[way]['bytes'] / 2**40:,.2f}" for way in ("plain", "here")
        ]
    assert f"costs {told['meta']['storage_usd_a_month']} USD a month" in text


def test_it_takes_how_many_repositories_and_days(tmp_path: Path) -> None:
    result = command(tmp_path / "none", "price", "--repositories", "3", "--days", "30")
    assert "30 days of history" in result.stdout
