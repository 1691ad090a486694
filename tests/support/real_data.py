"""Where the real event files stand, for tests that skip without them."""

from __future__ import annotations

from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def real_file(name: str) -> Path:
    """The path of a real file; skips the test, saying so, where it is absent."""
    path = DATA / f"{name}.json.gz"
    if not path.exists():
        pytest.skip(f"real event data is absent: ../shared/data/{path.name}")
    return path
