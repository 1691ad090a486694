"""The services of a worker process that counts every call of a port and dies at one of them.

What to work on and when to die stands in a file that the variable KILL_PLAN names. Another content
of it begins another count.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from shared.context import Services
from tests.support.scenario import open_services
from tests.support.watched_ports import watched

VARIABLE = "KILL_PLAN"
Side = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class KillPlan:
    """Die right before or after call ``at`` (from 1; 0 is never), once.

    ``calls`` is a file to which the name of each call is added before it is made; ``died`` one
    that is there once the process has died.
    """

    data_dir: str
    calls: str
    died: str
    at: int = 0
    side: Side = "before"

    def put(self, file: Path) -> None:
        """Make this the plan of the worker that looks at ``file``."""
        draft = file.with_suffix(".part")
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(file)


class Killer:
    """Makes the calls of ports, or ends the process."""

    def __init__(self, plan: KillPlan) -> None:
        self._plan = plan
        self._made = 0
        self._lock = threading.Lock()

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        with self._lock:
            self._made += 1
            number = self._made
            with Path(self._plan.calls).open("ab", buffering=0) as calls:
                calls.write(f"{name}\n".encode())
        due = number == self._plan.at and not Path(self._plan.died).exists()
        if due and self._plan.side == "before":
            self._die()
        result = call()
        if due:
            self._die()
        return result

    def _die(self) -> None:
        Path(self._plan.died).touch()
        os.kill(os.getpid(), signal.SIGKILL)


_lock = threading.Lock()
_opened: dict[str, Services] = {}


def services() -> Services:
    """The services of the plan as it is now."""
    text = Path(os.environ[VARIABLE]).read_text()
    with _lock:
        if text not in _opened:
            plan = KillPlan(**json.loads(text))
            opened = open_services(Path(plan.data_dir), log_level="CRITICAL")
            _opened.clear()
            _opened[text] = watched(opened, Killer(plan))
        return _opened[text]
