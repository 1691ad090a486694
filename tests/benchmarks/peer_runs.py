"""One run of a tool from PyPI, in an environment of its own: only it and the standard library.

Both tools download; here they are given the file instead. ``gharc`` filters by event type and
writes Parquet; ``gharchive-streamer`` hands over parsed events, which are counted and dropped.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import Stopwatch, hand_back

_TRACKED = [
    "CommitCommentEvent", "IssueCommentEvent", "IssuesEvent", "PullRequestEvent",
    "PullRequestReviewCommentEvent", "PullRequestReviewEvent", "PushEvent", "ReleaseEvent",
]  # fmt: skip
_BEGIN, _END = datetime(2025, 3, 20, 12), datetime(2025, 3, 20, 13)  # noqa: DTZ001 - as they do


def gharc(file: Path, folder: Path) -> None:
    """The tracked event types into a Parquet file."""
    tool: Any = import_module("gharc.streamer")

    def copied(_url: str, temp_path: str, _session: object) -> str:
        shutil.copyfile(file, temp_path)
        return "ok"

    tool.download_resumable = copied
    with Stopwatch() as taken:
        tool.process_range(_BEGIN, _END, None, _TRACKED, str(folder / "events.parquet"), workers=1)
    hand_back(taken)


def gharchive_streamer(file: Path) -> None:
    """Every event parsed."""
    tool = import_module("gharchive_streamer")

    class Local:
        def fetch(self, url: str) -> Iterator[bytes]:
            with file.open("rb") as opened:
                while chunk := opened.read(65_536):
                    yield chunk

    with Stopwatch() as taken:
        events = sum(1 for _ in tool.stream_events(_BEGIN, _END, fetcher=Local()))
    hand_back(taken, rows=events)


def main() -> None:
    """Run what the command line names."""
    who, file, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if who == "gharc":
        gharc(file, folder)
    else:
        gharchive_streamer(file)


if __name__ == "__main__":
    main()
