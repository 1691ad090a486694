"""When scheduled functions run, as people are told."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from infra.local.schedules import SCHEDULES
from infra.set_times import set_times


@pytest.mark.parametrize("backend", ["local", "gcp"])
def test_every_schedule_is_told_with_what_it_is_for(backend: str) -> None:
    found = set_times(backend)
    assert {each.name for each in found} == {schedule.name for schedule in SCHEDULES}
    assert all(each.what for each in found)


def test_the_next_set_time_is_after_now() -> None:
    noon = datetime(2025, 3, 20, 12, tzinfo=UTC)
    nightly = next(each for each in set_times("gcp") if each.name == "run-pipeline")
    assert nightly.next_after(noon) == datetime(2025, 3, 21, 2, tzinfo=UTC)


def test_here_what_got_stuck_is_settled_more_often() -> None:
    crons = {
        backend: {each.name: each.cron for each in set_times(backend)}
        for backend in ("local", "gcp")
    }
    assert crons["local"]["sweep-jobs"] == "* * * * *"
    assert crons["gcp"]["sweep-jobs"] == "*/5 * * * *"
