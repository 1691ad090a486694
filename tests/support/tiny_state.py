"""What the tiny functions saw. A module of its own: the framework imports theirs once per function."""

from __future__ import annotations

from typing import Any

seen: list[dict[str, Any]] = []
