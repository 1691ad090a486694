"""docs/operations.md names every metric as it is pushed and as it is scraped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from functions.api.system import exposition
from shared import system_state
from shared.metrics import METRICS, Metric
from shared.system_state import Reading, SystemState

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_is_named_with_kind_unit_and_labels(metric: Metric) -> None:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    cells = (f"`{metric.name}`", metric.kind, f"`{metric.unit}`", *([labels] if labels else []))
    row = " | ".join(cells)
    assert f"| {row} |" in PAGE


def test_no_metric_is_named_that_there_is_not() -> None:
    named = set(re.findall(r"^\| `(leaderboard\.[a-z_.]+)`", PAGE, re.MULTILINE))
    assert named == {metric.name for metric in METRICS}


def test_every_number_that_is_scraped_is_named() -> None:
    gauges = [metric for metric in METRICS if metric.kind == "gauge"]
    readings = tuple(Reading(each, 1.0, dict.fromkeys(each.labels, "x")) for each in gauges)
    text, _ = exposition(SystemState(readings, ("boards",)))
    scraped = set(re.findall(rb"^(leaderboard_\w+)", text, re.MULTILINE))
    assert len(scraped) == len(gauges) + 1
    for name in scraped:
        short = "_" + name.decode().removeprefix("leaderboard_budget_")
        assert f"`{name.decode()}`" in PAGE or f"`{short}`" in PAGE, name


def test_the_bounds_of_a_scrape_are_those_of_the_code() -> None:
    assert f"{system_state.ROUND_TRIPS} calls" in PAGE
    assert f"{system_state.MOST_READS} where there is much" in PAGE
    assert "every 15 seconds" in PAGE
    assert system_state.KEPT.total_seconds() == 15
