"""What the tiny functions saw. Kept apart because the framework imports theirs once for each."""

from __future__ import annotations

import threading
from typing import Any

seen: list[dict[str, Any]] = []
held: list[None] = []
"""One for each that waits, or waited, to be let go."""
let_go = threading.Event()
