"""What several unit tests start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.by_hand import by_hand
from tests.support.job_world import World
from tests.support.manual_clock import ManualClock
from tests.support.scenario import open_services


@pytest.fixture
def world(tmp_path: Path) -> World:
    clock = ManualClock()
    services, queue = by_hand(open_services(tmp_path, clock))
    return World(services, clock, queue)
