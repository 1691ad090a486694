"""The port for files that are handed to people: written once, fetched by link, gone within a day.

As with ``shared/ports.py``, implementations raise only ``shared.errors``: RetryLater for anything
that may pass, Rejected for calls that can never work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

LONGEST_KEPT = timedelta(hours=24)
"""How far ahead a blob may expire. The cloud's bucket removes whatever is older by itself."""

LINK_LASTS = timedelta(hours=1)
"""How long a link works unless another time is asked for."""


@dataclass(frozen=True, slots=True)
class Blob:
    """What is known of a blob: ``size`` in bytes, aware times in UTC.

    ``version`` is opaque and another one whenever the blob is put.
    """

    name: str
    size: int
    content_type: str
    created_at: datetime
    expires_at: datetime
    version: str


class Blobs(Protocol):
    """Named files of any size. A name is ``part/part...`` of letters, digits and ``. _ -``.

    What has expired is absent for every call, whether it was removed already or not.
    """

    def put(
        self,
        name: str,
        content: Iterable[bytes],
        *,
        content_type: str,
        expires_at: datetime,
        if_version: str | None = None,
    ) -> Blob:
        """Put a blob in place of what was there under its name, streaming ``content``.

        Readers see the old one or the new one whole. What ``content`` raises passes through and
        nothing is written. ``if_version`` is a condition: ``ports.ABSENT``, or the version that
        was read. Raises Conflict if it fails, Rejected for a name or type that cannot be, and for
        a time that is past or more than ``LONGEST_KEPT`` ahead.
        """
        ...

    def read(self, name: str) -> Iterator[bytes]:
        """The content in pieces, of one version even while another is put. Raises NotFound."""
        ...

    def about(self, name: str) -> Blob | None:
        """What is known of a blob, None where there is none."""
        ...

    def remove(self, name: str) -> None:
        """Remove a blob. Nothing happens where there is none."""
        ...

    def link(self, name: str, *, filename: str, lasts: timedelta = LINK_LASTS) -> str:
        """An address from which anybody may fetch the blob for a while, saved as ``filename``.

        It is absolute, or a path of the own server; it works no longer than the blob is kept.
        Raises NotFound, and Rejected for a file name that is not plain, or a time of zero or less.
        """
        ...

    def sweep(self, limit: int) -> int:
        """Remove at most ``limit`` blobs that have expired; fewer say that no more are left."""
        ...
