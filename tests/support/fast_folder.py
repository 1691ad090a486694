"""Folders in memory where the system has such: a kill loses nothing that was written to them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_MEMORY = Path("/dev/shm")


@contextmanager
def fast_folder() -> Iterator[Path]:
    """A folder while the block runs. Waiting for disks is not what these tests are about."""
    usable = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)
    with TemporaryDirectory(prefix="flow-", dir=_MEMORY if usable else None) as folder:
        yield Path(folder)
