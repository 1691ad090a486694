"""What the flow tests start from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fast_folder import fast_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder on the fastest disk there is."""
    with fast_folder() as found:
        yield found
