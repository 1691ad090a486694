"""Which files somebody means, and fetching them over a connection that may fail."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from infra.archive_download import ATTEMPTS, download
from infra.archive_files import hour_of, resolve
from shared.errors import Rejected, RetryLater

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)


def names(spec: str) -> list[str]:
    return [source.name for source in resolve(spec, now=NOW)]


# --- which files -----------------------------------------------------------------------------


def test_an_hour_a_day_and_a_range_are_hours_of_the_archive() -> None:
    (hour,) = resolve("2015-01-01-0", now=NOW)
    assert hour.url == "https://data.gharchive.org/2015-01-01-0.json.gz"
    assert hour.path is None
    assert names("2015-01-01") == [f"2015-01-01-{n}.json.gz" for n in range(24)]
    assert len(names("2015-01-01..2015-01-03")) == 72
    assert names("2015-01-01-22..2015-01-02-1") == [
        "2015-01-01-22.json.gz",
        "2015-01-01-23.json.gz",
        "2015-01-02-0.json.gz",
        "2015-01-02-1.json.gz",
    ]


def test_the_address_of_the_archive_is_a_setting() -> None:
    (hour,) = resolve("2024-02-29-07", now=NOW, base_url="http://mirror/x/")
    assert hour.url == "http://mirror/x/2024-02-29-7.json.gz"


def test_of_today_the_hours_that_are_over_are_meant() -> None:
    assert names("2026-11-22")[-1] == "2026-11-22-9.json.gz"
    assert len(names("2026-11-21..2026-11-22")) == 34


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("2014-12-31", "Archives start at 2015-01-01"),
        ("2014-12-31..2015-01-02", "Archives start at 2015-01-01"),
        ("2011-02-12-5", "Archives start at 2015-01-01"),
        ("2026-11-23", "The last hour that is over is 2026-11-22-9"),
        ("2026-11-22-10", "The last hour that is over is 2026-11-22-9"),
        ("2026-11-20..2027-01-01", "The last hour that is over is 2026-11-22-9"),
        ("2015-01-03..2015-01-01", "Put the earlier end first"),
        ("2015-01-01-5..2015-01-01-2", "Put the earlier end first"),
        ("2015-02-30", "no such day or hour"),
        ("2015-01-01-24", "no such day or hour"),
        ("yesterday", "There is no 'yesterday'"),
        ("", "Nothing to read|There is no"),
        ("/no/such/*.json.gz", "No archive file matches"),
    ],
)
def test_what_is_not_there_is_refused_with_the_remedy(
    spec: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Rejected, match=reason):
        resolve(spec, now=NOW)


def test_files_folders_and_patterns_are_found_in_order_of_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("2020-01-01-10.json.gz", "2020-01-01-9.json.gz", "a/b.jsonl", "x.part", "y.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    in_order = ["2020-01-01-9.json.gz", "2020-01-01-10.json.gz", "b.jsonl"]
    assert names(str(tmp_path)) == in_order
    assert names(f"{tmp_path}/*.json.gz") == in_order[:2]
    assert names(f"{tmp_path}/y.txt") == ["y.txt"]
    monkeypatch.chdir(tmp_path)
    assert names("**/*.jsonl") == ["b.jsonl"]
    (tmp_path / "2015-01-01").touch()
    assert names("2015-01-01") == ["2015-01-01"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(Rejected, match="Nothing to read"):
        resolve("empty", now=NOW)


@pytest.mark.parametrize(
    ("name", "hour"),
    [
        ("2015-01-01-0.json.gz", datetime(2015, 1, 1, tzinfo=UTC)),
        ("2015-01-01-23.json", datetime(2015, 1, 1, 23, tzinfo=UTC)),
        ("2015-01-01-24.json", None),
        ("2015-01-01-05.json", None),
        ("2015-02-30-5.json", None),
        ("x2015-01-01-0.json", None),
        ("2015-01-01-0.json.gz.part", None),
    ],
)
def test_only_the_archives_own_names_name_an_hour(name: str, hour: datetime | None) -> None:
    assert hour_of(name) == hour


# --- fetching --------------------------------------------------------------------------------

CONTENT = gzip.compress(bytes(range(256)) * 4000, mtime=0) + gzip.compress(b"end\n", mtime=0)
OTHER = gzip.compress(b"another state of the file\n" * 999, mtime=0)

Answer = Callable[["Handler"], None]


@dataclass
class Archive:
    """A server that gives one scripted answer a request, the last one ever after."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)

    def get(self, target: Path) -> Path | None:
        pauses: list[float] = []
        with httpx.Client(timeout=2, trust_env=False) as client:
            path = download(client, self.url, target, pause=pauses.append)
        assert pauses == sorted(pauses)
        return path


class Handler(BaseHTTPRequestHandler):
    """Answers by the script. HTTP/1.0 closes after each answer."""

    archive: Archive

    def do_GET(self) -> None:
        script = self.archive.answers
        self.archive.ranges.append(self.headers.get("Range"))
        (script.pop(0) if len(script) > 1 else script[0])(self)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def status(code: int) -> Answer:
    def answer(handler: Handler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def gives(
    content: bytes, tag: str | None = '"one"', *, cut: int | None = None, length: bool = True
) -> Answer:
    """The file, resumable; broken off after ``cut`` bytes."""

    def answer(handler: Handler) -> None:
        begin, span = 0, handler.headers.get("Range")
        if span and handler.headers.get("If-Range") == tag:
            begin = int(span.removeprefix("bytes=").removesuffix("-"))
            handler.send_response(206)
            end = len(content) - 1
            handler.send_header("Content-Range", f"bytes {begin}-{end}/{len(content)}")
        else:
            handler.send_response(200)
        if length:
            handler.send_header("Content-Length", str(len(content) - begin))
        if tag:
            handler.send_header("ETag", tag)
        handler.end_headers()
        handler.wfile.write(content[begin:cut])

    return answer


@pytest.fixture
def archive() -> Iterator[Archive]:
    handler = type("ThisHandler", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    served = Archive(f"http://127.0.0.1:{server.server_port}/2020-01-01-0.json.gz")
    handler.archive = served  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "archive" / "2020-01-01-0.json.gz"


def only_the_file(target: Path) -> bool:
    return [path.name for path in target.parent.iterdir()] == [target.name]


def test_a_file_comes_whole_and_is_not_fetched_twice(archive: Archive, target: Path) -> None:
    archive.answers = [gives(CONTENT)]
    assert archive.get(target) == target
    assert archive.get(target) == target
    assert target.read_bytes() == CONTENT
    assert archive.ranges == [None]
    assert only_the_file(target)


def test_a_cut_connection_is_resumed_where_it_broke(archive: Archive, target: Path) -> None:
    archive.answers = [gives(CONTENT, cut=1000), gives(CONTENT, cut=2000), gives(CONTENT)]
    archive.get(target)
    assert target.read_bytes() == CONTENT
    assert archive.ranges == [None, "bytes=1000-", "bytes=2000-"]
    assert only_the_file(target)


def test_a_part_of_an_earlier_process_is_resumed(archive: Archive, target: Path) -> None:
    archive.answers = [gives(CONTENT, cut=1000), status(503)]
    with pytest.raises(RetryLater, match="resumed"):
        archive.get(target)
    assert not target.exists()
    archive.answers = [gives(CONTENT)]
    archive.get(target)
    assert archive.ranges[-1] == "bytes=1000-"
    assert target.read_bytes() == CONTENT


def test_a_file_that_changed_in_between_is_fetched_anew(archive: Archive, target: Path) -> None:
    archive.answers = [gives(CONTENT, cut=1000), gives(OTHER, '"two"')]
    archive.get(target)
    assert target.read_bytes() == OTHER


@pytest.mark.parametrize("tag", [None, 'W/"weak"'])
def test_without_a_strong_validator_nothing_is_patched_together(
    archive: Archive, target: Path, tag: str | None
) -> None:
    archive.answers = [gives(CONTENT, tag, cut=1000), gives(OTHER, tag)]
    archive.get(target)
    assert archive.ranges == [None, None]
    assert target.read_bytes() == OTHER


def test_a_missing_hour_is_a_hole_and_no_failure(archive: Archive, target: Path) -> None:
    archive.answers = [status(404)]
    assert archive.get(target) is None
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("code", [500, 502, 503, 429, 408, 416])
def test_a_failing_server_is_asked_again(archive: Archive, target: Path, code: int) -> None:
    archive.answers = [status(code), status(code), gives(CONTENT)]
    archive.get(target)
    assert target.read_bytes() == CONTENT


def test_a_server_that_keeps_failing_is_left_for_later(archive: Archive, target: Path) -> None:
    archive.answers = [status(500)]
    with pytest.raises(RetryLater, match="the server answered 500"):
        archive.get(target)
    assert len(archive.ranges) == ATTEMPTS


def test_a_refusal_is_not_repeated(archive: Archive, target: Path) -> None:
    archive.answers = [status(403)]
    with pytest.raises(Rejected, match="answered 403"):
        archive.get(target)
    assert len(archive.ranges) == 1


def test_without_an_announced_length_the_gzip_must_be_whole(archive: Archive, target: Path) -> None:
    archive.answers = [gives(CONTENT, cut=1000, length=False), gives(CONTENT, length=False)]
    archive.get(target)
    assert target.read_bytes() == CONTENT
    assert archive.ranges == [None, None]


def test_a_damaged_file_of_the_announced_length_is_kept_as_the_archive_has_it(
    archive: Archive, target: Path
) -> None:
    archive.answers = [gives(CONTENT[:-9])]
    assert archive.get(target) == target


def test_nobody_listening_is_a_failure_for_later(tmp_path: Path) -> None:
    with httpx.Client(timeout=1, trust_env=False) as client, pytest.raises(RetryLater):
        download(client, "http://127.0.0.1:9/x", tmp_path / "x", pause=lambda _: None)


def test_progress_is_told_in_bytes(archive: Archive, target: Path) -> None:
    archive.answers = [gives(CONTENT)]
    told: list[tuple[int, int]] = []
    with httpx.Client(timeout=2, trust_env=False) as client:
        download(client, archive.url, target, progress=lambda done, size: told.append((done, size)))
    assert told[-1] == (len(CONTENT), len(CONTENT))
