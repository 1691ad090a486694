"""The environment of the tools that are not among the project's requirements."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

_LIST = Path(__file__).with_name("peers.txt")


def peers_python(cache: Path) -> Path | None:
    """A Python that has them, set up on first use; None where they cannot be installed."""
    folder = cache / "peers"
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    ready = folder / "installed.txt"
    if not ready.exists() or ready.read_text() != _LIST.read_text():
        venv.create(folder, with_pip=True)
        installed = subprocess.run(
            [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", _LIST],
            capture_output=True,
            check=False,
        )
        if installed.returncode:
            return None
        ready.write_text(_LIST.read_text())
    return python
