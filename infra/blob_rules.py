"""What blobs may be called and how long they are kept, whoever keeps them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from shared.blobs import LONGEST_KEPT, Blob
from shared.errors import Rejected

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_LONGEST_NAME = 120
_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_CONTENT_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+(; ?charset=[a-z0-9-]+)?")


def check_name(name: str) -> None:
    """Raises Rejected for a name that no blob can have."""
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise Rejected(
            f"{name[:200]!r} cannot be the name of a blob.", details={"name": name[:200]}
        )


def check_put(name: str, content_type: str, expires_at: datetime, now: datetime) -> None:
    """Raises Rejected for a blob that nobody keeps."""
    check_name(name)
    if not _CONTENT_TYPE.fullmatch(content_type):
        raise Rejected(f"{content_type[:200]!r} cannot be the type of a blob.")
    if not now < expires_at <= now + LONGEST_KEPT:
        hours = LONGEST_KEPT // timedelta(hours=1)
        raise Rejected(f"A blob is kept for at most {hours} hours from now.")


def check_filename(filename: str) -> None:
    """Raises Rejected for what a browser might save under another name."""
    if not _FILENAME.fullmatch(filename):
        raise Rejected(f"{filename[:200]!r} cannot be the name of a download.")


def disposition(filename: str) -> str:
    """The header that has a browser save what it fetches. Plain names need no quoting."""
    return f'attachment; filename="{filename}"'


def seconds_of_link(blob: Blob, lasts: timedelta, now: datetime) -> int:
    """Whole seconds that a link works: at least one, and no longer than the blob is kept.

    Raises Rejected for a time of zero or less.
    """
    if lasts <= timedelta(0):
        raise Rejected("A link lasts longer than no time.")
    return max(1, int(min(lasts, blob.expires_at - now).total_seconds()))
