"""Which archive files somebody means, and fetching those that are not here yet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.errors import Rejected
from shared.models import ARCHIVE_BEGINS

ARCHIVE_URL = "https://data.gharchive.org"

_ENDINGS = (".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
_MOMENT = r"(\d{4}-\d{2}-\d{2})(?:-(\d{1,2}))?"
_RANGE = re.compile(rf"{_MOMENT}(?:\.\.{_MOMENT})?", re.ASCII)
_HOUR_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})-(\d|1\d|2[0-3])\.json(?:\.gz)?", re.ASCII)
_HOUR = timedelta(hours=1)
_EXAMPLES = "a path, a directory, a pattern such as 'data/*.json.gz', or days or hours such as \
2025-03-20 or 2025-03-20-9..2025-03-20-17"


@dataclass(frozen=True, slots=True)
class Source:
    """An archive file: one that is here (``path``), or an hour that can be fetched (``url``)."""

    name: str
    path: Path | None = None
    url: str | None = None


def hour_of(file_name: str) -> datetime | None:
    """The hour that a file's name says it covers, None for other names."""
    found = _HOUR_NAME.fullmatch(file_name)
    if not found:
        return None
    try:
        return datetime.fromisoformat(f"{found[1]}T{int(found[2]):02}:00:00+00:00")
    except ValueError:
        return None


def resolve(spec: str, *, now: datetime, base_url: str = ARCHIVE_URL) -> list[Source]:
    """The archive files that ``spec`` means, in order.

    ``spec`` is a path, a directory (all archive files below it), a pattern, or days or hours in
    UTC: ``2015-01-01``, ``2015-01-01-0``, ``2015-01-01..2015-01-03``,
    ``2015-01-01-0..2015-01-01-5``, both ends included. What exists under that name goes first. Of
    the current day those hours are meant that are over. Raises Rejected, with the remedy, where
    nothing is found or the hours are not in the archive.
    """
    path = Path(spec).expanduser()
    if path.is_file():
        return [Source(path.name, path=path)]
    if path.is_dir():
        return _local(spec, path.rglob("*"), "It holds no *.json.gz, *.json, *.jsonl or *.ndjson.")
    if found := _RANGE.fullmatch(spec.strip()):
        first, last = _hours(found, now)
        return list(_remote(first, last, base_url.rstrip("/")))
    if any(sign in spec for sign in "*?["):
        root = Path(path.anchor)
        pattern = str(path.relative_to(root))
        return _local(spec, root.glob(pattern), "No archive file matches it.")
    raise Rejected(f"There is no {spec!r}. Give {_EXAMPLES}.", details={"value": spec[:200]})


def _local(spec: str, paths: Iterator[Path], remedy: str) -> list[Source]:
    files = {path for path in paths if path.name.endswith(_ENDINGS) and path.is_file()}
    if not files:
        raise Rejected(
            f"Nothing to read in {spec!r}. {remedy} Give {_EXAMPLES}.",
            details={"value": spec[:200]},
        )
    return [Source(path.name, path=path) for path in sorted(files, key=_natural)]


def _natural(path: Path) -> list[tuple[int, str]]:
    """A key by which hour 2 comes before hour 10."""
    parts: list[str] = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (0, part) for part in parts]


def _remote(first: datetime, last: datetime, base_url: str) -> Iterator[Source]:
    hour = first
    while hour <= last:
        name = f"{hour:%Y-%m-%d}-{hour.hour}.json.gz"
        yield Source(name, url=f"{base_url}/{name}")
        hour += _HOUR


# --- days and hours --------------------------------------------------------------------------


def _hours(found: re.Match[str], now: datetime) -> tuple[datetime, datetime]:
    """The first and the last hour of a range, both over."""
    spec = found[0]
    first_day, first_hour, last_day, last_hour = found.groups()
    if last_day is None:
        last_day, last_hour = first_day, first_hour
    over = _start_of_hour(now) - _HOUR
    first = _moment(spec, first_day, first_hour or "0")
    last = _moment(spec, last_day, last_hour or "23")
    if last_hour is None and last.date() == now.date():
        last = over
    if first < ARCHIVE_BEGINS:
        raise _refused(spec, "Archives start at 2015-01-01; older ones follow another schema.")
    if first > last and first <= over:
        raise _refused(spec, "It ends before it begins. Put the earlier end first.")
    if max(first, last) > over:
        raise _refused(spec, f"The last hour that is over is {over:%Y-%m-%d}-{over.hour}.")
    return first, last


def _moment(spec: str, day: str, hour: str) -> datetime:
    try:
        return datetime.fromisoformat(day).replace(hour=int(hour), tzinfo=UTC)
    except ValueError as error:
        raise _refused(spec, "There is no such day or hour; hours are 0 to 23.") from error


def _start_of_hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _refused(spec: str, reason: str) -> Rejected:
    return Rejected(f"Cannot read {spec}. {reason}", details={"value": spec})
