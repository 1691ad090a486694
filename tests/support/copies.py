"""Copies of a backend's directory."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path


def copy_data(folder: Path, target: Path) -> None:
    """Copy a directory of the embedded backend that nobody writes to.

    Whoever closes an SQLite file last changes it and removes its companions, and that may be
    just now: those files are copied by SQLite itself.
    """
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("*.sqlite*"))
    for file in folder.rglob("*.sqlite"):
        copied = target / file.relative_to(folder)
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copied)) as made:
            source.backup(made)
