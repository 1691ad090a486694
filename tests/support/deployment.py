"""What is deployed, as ``infra/deployment.json`` says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[2] / "infra" / "deployment.json"


def load() -> dict[str, Any]:
    """The table. Each function names the secrets of all functions among its own."""
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    for function in found["functions"].values():
        function["secrets"] += found["secrets_of_all"]
    return found
