"""What the tiny functions saw. Kept apart because the framework imports theirs once for each."""

from __future__ import annotations

from typing import Any

seen: list[dict[str, Any]] = []
