"""One history, seen as archive files: in full, or as the archive has been since it went blind.

The third door is the API alone (``github_bench.py``).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path

from tests.support.github_events import Events, Line
from tests.support.github_history import History
from tests.support.github_model import Happening
from tests.support.github_times import read

TRIMMED_SINCE = "2025-10-07T00:00:00Z"
CRAWLED_SINCE = "2025-05-24T00:00:00Z"
"""From when a file holds what was crawled in its hour, a little later than it happened."""
LAG = timedelta(minutes=5)
FILLER = 999_999
"""Id of a repository that somebody stars every day, so that no day looks like a hole."""

Lost = Mapping[int, Collection[int]]


def full_archive(history: History, folder: Path, *, one_file: bool = False) -> list[Path]:
    """All of a history with the payloads of before October 2025; nothing is lost.

    One file an hour in which something happened, or one of all, with an event of another
    repository for each day. Returns the paths, oldest first.
    """
    return _written(history, folder, one_file, None, {})


def trimmed_archive(
    history: History,
    folder: Path,
    lost: Lost,
    *,
    since: str = TRIMMED_SINCE,
    one_file: bool = False,
) -> list[Path]:
    """The same, with the payloads of October 2025 from ``since`` on.

    ``lost`` has the numbers of issues and pull requests by repository of which no event came
    through, whenever it was.
    """
    return _written(history, folder, one_file, since, lost)


def _written(
    history: History, folder: Path, one_file: bool, since: str | None, lost: Lost
) -> list[Path]:
    events, files = Events(history), dict[str, list[Line]]()
    for place, event in sorted(enumerate(history.happenings), key=_when):
        if event.number in lost.get(event.repository, ()):
            continue
        trimmed = since is not None and event.at >= since
        if (line := events.line(place, event, trimmed)) is not None:
            files.setdefault("archive" if one_file else _hour(event.at), []).append(line)
    if one_file and "archive" in files:
        files["archive"] += _days(files["archive"])
    folder.mkdir(parents=True, exist_ok=True)
    return [_file(folder / f"{name}.json.gz", lines) for name, lines in files.items()]


def _when(placed: tuple[int, Happening]) -> tuple[str, int]:
    return placed[1].at, placed[0]


def _hour(at: str) -> str:
    moment = read(at) + (LAG if at >= CRAWLED_SINCE else timedelta())
    return f"{moment:%Y-%m-%d}-{moment.hour}"


def _days(lines: Iterable[Line]) -> Iterable[Line]:
    """A star a day, from the first to the last."""
    times = [line["created_at"] for line in lines]
    day, last = (datetime.fromisoformat(at).date() for at in (min(times), max(times)))
    while day <= last:
        yield _star(day)
        day += timedelta(days=1)


def _star(day: date) -> Line:
    return {
        "id": str(40_000_000_000 + day.toordinal()),
        "type": "WatchEvent",
        "actor": {"id": FILLER, "login": "stargazer"},
        "repo": {"id": FILLER, "name": "others/stars"},
        "payload": {"action": "started"},
        "public": True,
        "created_at": f"{day}T00:00:00Z",
    }


def _file(path: Path, lines: Iterable[Line]) -> Path:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return path
