"""Write the sample archive files beside this program: ``python -m infra.sample.generate``.

One file a month, with what real archive files have: rows that stand twice, rows in the file of
the next month, a day that is missing and lines that are broken. Every run writes the same bytes.
"""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from infra.sample.cast import HOLE
from infra.sample.payloads import stamp
from infra.sample.story import Told, tell_story

FOLDER = Path(__file__).parent

_FIRST_ID = 45_000_000_000
_SEQUENCE_RESTARTS = datetime(2025, 10, 8, tzinfo=UTC)
_FIRST_ID_AFTER = 5_100_000_000
_LATE_ROWS = 6
_DAMAGED_MONTHS = ("2025-02", "2025-06", "2025-11")


def sample_files() -> dict[str, bytes]:
    """The sample: gzip files by name."""
    months: dict[str, list[bytes]] = {}
    for event, line in _lines(tell_story()):
        months.setdefault(f"{event.at:%Y-%m}", []).append(line)
    chance = random.Random(7)  # noqa: S311 - a sample, not a secret
    before: list[bytes] = []
    files = {}
    for month, lines in months.items():
        rows = [*before[-_LATE_ROWS:], *lines]
        for _ in range(len(lines) // 150):
            at = chance.randrange(len(rows))
            rows.insert(at, rows[at])
        if month in _DAMAGED_MONTHS:
            rows = list(_damaged(rows))
        files[f"sample-{month}.json.gz"] = _zipped(b"\n".join(rows) + b"\n")
        before = lines
    return files


def _lines(events: Sequence[Told]) -> Iterator[tuple[Told, bytes]]:
    number = 0
    for event in events:
        if event.at.date() == HOLE:
            continue
        number += 1
        restarted = event.at >= _SEQUENCE_RESTARTS
        event_id = (_FIRST_ID_AFTER if restarted else _FIRST_ID) + 7 * number
        yield event, json.dumps(_row(event, str(event_id)), separators=(",", ":")).encode()


def _row(event: Told, event_id: str) -> dict[str, Any]:
    repository, login = event.repository, event.actor.login_at(event.at)
    name = repository.name_at(event.at)
    row: dict[str, Any] = {
        "id": event_id,
        "type": event.type,
        "actor": {
            "id": event.actor.id,
            "login": login,
            "display_login": login.removesuffix("[bot]"),
            "url": f"https://api.github.com/users/{login}",
        },
        "repo": {
            "id": repository.id,
            "name": name,
            "url": f"https://api.github.com/repos/{name}",
        },
        "payload": event.payload,
        "public": True,
        "created_at": stamp(event.at),
    }
    if repository.owner != "quietgears":
        row["org"] = {"id": repository.owner_id, "login": repository.owner}
    return row


def _damaged(rows: list[bytes]) -> Iterator[bytes]:
    """The rows with every sort of damage that archive files have among them."""
    yield b"\xef\xbb\xbf" + rows[0]
    yield from rows[1:20]
    yield b""
    yield b"\0" * 300
    yield b"\0" * 40 + rows[20]
    yield rows[21] + rows[22] + b" " + rows[23]  # ran into each other
    yield rows[24][: len(rows[24]) // 2]  # cut off
    yield rows[25][: len(rows[25]) // 3] + rows[26]  # spliced
    yield b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>'
    yield b"[1, 2, 3]"
    yield b'{"message":"Server Error"}'
    yield rows[27].replace(b'"display_login":"', b'"display_login":"\xff\xfe', 1)
    yield rows[28].replace(b'"display_login":"', b'"display_login":"\\ud83d', 1)
    yield rows[29].replace(b'"public":true', b'"public":tr\0\0', 1)
    yield rows[30].replace(rows[30][rows[30].rindex(b'"created_at"') :], b'"created_at":null}')
    yield _redated(rows[31], b"2014-12-31T23:59:59Z")
    yield _redated(rows[32], b"2031-01-01T00:00:00Z")
    yield b'{"type":"WatchEvent","actor":"old-timer","repository":{"id":1},"payload":{},\
"created_at":"2012-07-26T00:02:16-07:00"}'
    yield rows[33] + b"\r"
    yield from rows[34:]


def _redated(row: bytes, created_at: bytes) -> bytes:
    begin = row.rindex(b'"created_at":"') + len(b'"created_at":"')
    return row[:begin] + created_at + row[begin + len(created_at) :]


def _zipped(text: bytes) -> bytes:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9, mtime=0, filename="") as file:
        file.write(text)
    return packed.getvalue()


def write(folder: Path) -> None:
    """Write the sample into a folder, in place of an older one."""
    files = sample_files()
    for old in folder.glob("sample-*.json.gz"):
        if old.name not in files:
            old.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    write(FOLDER)
