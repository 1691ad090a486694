"""Pack what functions are made from into ``build/source.zip``, the same bytes each time."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULT = ROOT / "build" / "source.zip"

_LEFT_OUT = {"__pycache__", "sample", "gcloud", "rollout"}
"""Folders that no function reads: the invented events, and the tools that deploy."""

_EPOCH = (1980, 1, 1, 0, 0, 0)


def sources() -> Iterator[Path]:
    """What functions need: the code with its SQL, rules, pages and pinned requirements."""
    yield ROOT / "main.py"
    yield ROOT / "requirements.txt"
    for folder in ("functions", "infra", "shared"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and not _LEFT_OUT & set(path.relative_to(ROOT).parts):
                yield path


def pack(target: Path = DEFAULT) -> Path:
    """Write the archive. Times and owners are left out, so that equal sources give equal bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sources():
            entry = zipfile.ZipInfo(path.relative_to(ROOT).as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    return target


if __name__ == "__main__":
    made = pack(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT)
    sys.stdout.write(f"{made.relative_to(ROOT) if made.is_relative_to(ROOT) else made}\n")
