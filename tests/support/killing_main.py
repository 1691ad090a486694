"""The deployed functions, as main.py exports them, in a process that kills itself."""

from __future__ import annotations

import infra.services
from tests.support import killing

# Before any function is loaded: they take it from there once and for all.
infra.services.services = killing.services  # type: ignore[assignment]

from main import *  # noqa: E402, F403
from main import __all__ as __all__  # noqa: E402
