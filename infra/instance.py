"""Which copy of which version this process is."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from infra.clock import utc_now

VERSION = "0.1.0"
"""That of pyproject.toml, which is not deployed."""


@dataclass(frozen=True, slots=True)
class Instance:
    """``function`` and ``revision`` are None where no platform has named them."""

    id: str
    pid: int
    started_at: datetime
    function: str | None
    revision: str | None


@cache
def this_instance() -> Instance:
    """This process, as it was when first asked for."""
    revision = os.environ.get("K_REVISION") or None
    return Instance(
        id=secrets.token_hex(8),
        pid=os.getpid(),
        started_at=utc_now(),
        # On one machine a process serves all functions, and this names any of them.
        function=os.environ.get("FUNCTION_TARGET") if revision else None,
        revision=revision,
    )
