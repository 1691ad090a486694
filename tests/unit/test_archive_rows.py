"""The embedded reader: what it keeps, what it counts, and that no file is too broken for it."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra import archive_blocks, archive_decoder, archive_lines, archive_rows
from infra.archive_blocks import SCHEMA, BlockDecoder
from infra.archive_decoder import Columns, Fault, patiently, quickly
from infra.archive_report import Report, Tally, Times
from infra.archive_rows import SORT_KEYS, ArchiveRows
from shared.archive_fields import FIELDS, TRACKED_TYPES
from shared.errors import Rejected

NOW = datetime(2026, 11, 22, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]


def event(**changes: Any) -> dict[str, Any]:
    """A row as the archive has it."""
    row: dict[str, Any] = {
        "id": "100",
        "type": "PullRequestEvent",
        "actor": {"id": 7, "login": "mira"},
        "repo": {"id": 9, "name": "o/r"},
        "payload": {
            "action": "closed",
            "number": 5,
            "pull_request": {
                "number": 5,
                "merged": True,
                "additions": 10,
                "deletions": 2,
                "user": {"id": 8, "login": "noor", "type": "User"},
            },
        },
        "public": True,
        "created_at": "2020-03-04T05:06:07Z",
    }
    return row | changes


def line(**changes: Any) -> bytes:
    return json.dumps(event(**changes), separators=(",", ":")).encode()


def push(payload: dict[str, Any], **changes: Any) -> bytes:
    return line(type="PushEvent", payload=payload, **changes)


def read(path: Path) -> tuple[list[dict[str, Any]], Report]:
    rows = ArchiveRows(path, now=NOW)
    found = [row for batch in rows for row in batch.to_pylist()]
    return found, rows.report


@pytest.fixture
def read_bytes(tmp_path: Path) -> Any:
    def reader(content: bytes) -> tuple[list[dict[str, Any]], Report]:
        path = tmp_path / "archive.json.gz"
        path.write_bytes(content)
        return read(path)

    return reader


def read_one(read_bytes: Any, text: bytes) -> dict[str, Any]:
    rows, report = read_bytes(text)
    assert report.lines == len(rows) == 1, report
    return rows[0]  # type: ignore[no-any-return]


# --- what is kept ----------------------------------------------------------------------------


def test_a_row_becomes_the_columns_of_the_field_table(read_bytes: Any) -> None:
    row = read_one(read_bytes, line())
    assert list(row) == [field.name for field in FIELDS]
    known = {name: value for name, value in row.items() if value is not None}
    assert known == {
        "event_id": "100",
        "event_type": "PullRequestEvent",
        "created_at": datetime(2020, 3, 4, 5, 6, 7, tzinfo=UTC),
        "repo_id": 9,
        "repo_name": "o/r",
        "actor_id": 7,
        "actor_login": "mira",
        "action": "closed",
        "number": 5,
        "author_id": 8,
        "author_login": "noor",
        "author_type": "User",
        "merged": True,
        "additions": 10,
        "deletions": 2,
    }


@pytest.mark.parametrize(
    ("payload", "column", "value"),
    [
        ({"number": "12"}, "number", 12),
        ({"number": " 0x1F\n"}, "number", 31),
        ({"number": "+" + "0" * 200 + "7"}, "number", 7),
        ({"number": 5.0}, "number", None),
        ({"number": 1e3}, "number", None),
        ({"number": "abc", "pull_request": {"number": 4}}, "number", None),
        ({"number": {}, "pull_request": {"number": 4}}, "number", 4),
        ({"number": None, "issue": {"number": 3}}, "number", 3),
        ({"push_id": 2**63 - 1}, "object_id", 2**63 - 1),
        ({"push_id": 2**63}, "object_id", None),
        ({"push_id": True}, "object_id", None),
        ({"pull_request": {"merged": "TRUE"}}, "merged", True),
        ({"pull_request": {"merged": " true"}}, "merged", None),
        ({"pull_request": {"merged": 1}}, "merged", None),
        ({"pull_request": "gone"}, "merged", None),
        ({"pull_request": None, "issue": {"user": {"id": 4}}}, "author_id", 4),
        ({"pull_request": {"user": None}, "issue": {"user": {"id": 4}}}, "author_id", 4),
        ({"action": 7}, "action", "7"),
        ({"action": 1.50}, "action", "1.5"),
        ({"action": False}, "action", "false"),
        ({"action": ["x"]}, "action", None),
        ({"action": "a\u0000b\u2028c"}, "action", "a\u0000b\u2028c"),
        ({"commits": None}, "push_listed_distinct", None),
        ({"commits": []}, "push_listed_distinct", 0),
        ({"commits": {"distinct": True}}, "push_listed_distinct", None),
        (
            {"commits": [{"distinct": True}, {"distinct": False}, {}]},
            "push_listed_distinct",
            1,
        ),
        (
            {"commits": [{"distinct": "True"}, None, 3, [True], {"distinct": True}]},
            "push_listed_distinct",
            2,
        ),
    ],
)
def test_a_value_that_does_not_fit_is_null_and_the_row_stays(
    read_bytes: Any, payload: dict[str, Any], column: str, value: object
) -> None:
    assert read_one(read_bytes, push(payload))[column] == value


@pytest.mark.parametrize("payload", [None, "text", [1], 5])
def test_a_payload_that_is_no_object_has_no_columns(read_bytes: Any, payload: object) -> None:
    row = read_one(read_bytes, line(payload=payload))
    assert row["repo_id"] == 9
    assert row["action"] is None


def test_ids_written_as_text_or_number_read_the_same(read_bytes: Any) -> None:
    row = read_one(read_bytes, line(id=100, repo={"id": "9"}, actor={"id": "7", "login": None}))
    assert (row["event_id"], row["repo_id"], row["actor_id"]) == ("100", 9, 7)


@pytest.mark.parametrize(
    "text",
    [
        "2020-03-04T05:06:07Z",
        "2020-03-04T05:06:07",
        "2020-03-04 05:06:07 UTC",
        "2020-03-04T06:06:07+01:00",
        "2020-03-03T21:06:07.000-0800",
    ],
)
def test_times_are_utc_however_they_are_written(read_bytes: Any, text: str) -> None:
    row = read_one(read_bytes, line(created_at=text))
    assert row["created_at"] == datetime(2020, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_batches_are_sorted_by_repository_and_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_rows, "BATCH_ROWS", 1000)
    monkeypatch.setattr(archive_rows, "_BLOCK_BYTES", 1)
    monkeypatch.setattr(archive_blocks, "_CONVERTED_ROWS", 100)
    chance = random.Random(1)
    path = tmp_path / "many.json"
    path.write_bytes(
        b"\n".join(
            line(id=str(chance.randrange(10**6)), repo={"id": chance.randrange(50)})
            for _ in range(5000)
        )
    )
    batches = list(ArchiveRows(path, now=NOW))
    assert sum(batch.num_rows for batch in batches) == 5000
    assert len(batches) > 1
    for batch in batches:
        assert batch.schema == SCHEMA
        keys = [tuple(row[key] for key in SORT_KEYS) for row in batch.to_pylist()]
        assert keys == sorted(keys)


# --- what is counted -------------------------------------------------------------------------


def test_the_report_counts_everything_once(read_bytes: Any) -> None:
    rows, report = read_bytes(
        gzip.compress(
            b"\n".join(
                [
                    line(),
                    b"",
                    b"  \r",
                    line(type="WatchEvent", created_at="2020-03-04T06:00:00Z"),
                    line(type="WatchEvent"),
                    line(type="<script>"),
                    line(created_at="2014-12-31T23:59:59Z"),
                    line(created_at="2026-11-23T00:00:01Z"),
                    line(created_at="2026-11-23T00:00:00Z"),
                    line(created_at="soon"),
                    line(created_at=None),
                    line(actor=None),
                    line(repo={"id": "x"}),
                    line(id=None),
                    b'{"type":"WatchEvent","actor":"x","created_at":"2012-01-01T00:00:00-08:00"}',
                    b'{"type":"WatchEvent","repository":{},"created_at":"2020-01-01T00:00:00Z"}',
                    b"<html>busy</html>",
                    b"\0" * 90,
                ]
            )
            + b"\n"
        )
    )
    assert len(rows) == report.events == 2
    assert report.as_json() == {
        "lines": 16,
        "events": 2,
        "ignored": {"WatchEvent": 2, "other": 1},
        "broken": {"incomplete": 5, "no_object": 2},
        "before_2015": 3,
        "from_future": 1,
        "hours": {
            "2020-03-04T05:00:00.000000Z": 3,
            "2020-03-04T06:00:00.000000Z": 1,
            "2026-11-23T00:00:00.000000Z": 1,
        },
        "first_at": "2020-03-04T05:06:07.000000Z",
        "last_at": "2026-11-23T00:00:00.000000Z",
        "bytes_read": report.bytes_read,
        "sha256": report.sha256,
        "truncated": False,
    }


def test_an_empty_file_is_an_empty_hour(read_bytes: Any) -> None:
    for content in (b"", gzip.compress(b""), b"\n\n"):
        rows, report = read_bytes(content)
        assert (rows, report.lines, report.hours, report.first_at) == ([], 0, {}, None)
        assert not report.truncated


@pytest.mark.parametrize("name", ["nothing.json.gz", "."])
def test_only_a_file_that_cannot_be_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Rejected, match="Give the path of an archive file"):
        list(ArchiveRows(tmp_path / name, now=NOW))


# --- damage ----------------------------------------------------------------------------------

ONE, TWO, THREE = (line(id=number) for number in ("1", "2", "3"))


@pytest.mark.parametrize(
    ("text", "ids", "broken"),
    [
        (b"\xef\xbb\xbf" + ONE, "1", {}),
        (b"\0\0" + ONE + b"\0", "1", {}),
        (ONE + TWO + b" " + THREE, "123", {}),
        (b"[" + ONE + b"," + TWO + b"]", "12", {}),
        (b"junk" + ONE + b"junk", "1", {"no_object": 2}),
        (ONE[:90] + TWO, "2", {"malformed": 1}),
        (ONE[:25] + TWO[:140] + THREE + ONE[:60], "3", {"malformed": 3}),
        (ONE.replace(b"true", b"tr\0\0", 1) + TWO, "2", {"malformed": 1}),
        (ONE[:-1], "", {"malformed": 1}),
        (b"{" * 100_000, "", {"malformed": 1}),
        (b'{"id":"' * 1_000, "", {"malformed": archive_decoder._MOST_FAULTS}),
        (ONE[:-1] + b',"x":' + b"[" * 5000 + b"]" * 5000 + b"}", "", {"malformed": 1}),
        (b'"text"', "", {"no_object": 1}),
        (b"\x1f\x8b\x00\x00 binary \xff\xfe", "", {}),
        (b'\\"' * 50_000 + b'{"' + b'\\"' * 50_000, "", {"malformed": 1, "no_object": 1}),
    ],
)
def test_damaged_lines_are_counted_and_the_rest_is_read(
    read_bytes: Any, text: bytes, ids: str, broken: dict[str, int]
) -> None:
    rows, report = read_bytes(text + b"\n")
    assert sorted(row["event_id"] for row in rows) == list(ids)
    assert report.broken == broken


def test_texts_that_are_not_unicode_are_read_with_replacements(read_bytes: Any) -> None:
    bad = line(actor={"id": 7, "login": "@"})
    for inserted, login in (
        (b"m\xff", "m\ufffd"),
        (b"m\\ud83d", "m\ufffd"),
        (b"\\ud83d\\ude00", "😀"),
        (b"\\ud83d\\ud83d\\ude00\\ude00", "\ufffd😀\ufffd"),
        (b"\\\\ud83d\\ude00", "\\ud83d\ufffd"),
    ):
        assert read_one(read_bytes, bad.replace(b"@", inserted))["actor_login"] == login
    skipped = line(org={"login": "@"})
    for inserted in (b"\xff\xfe", b"\\udc00", b"\\ud800\\\\"):
        assert read_one(read_bytes, skipped.replace(b"@", inserted))["actor_login"] == "mira"


def test_what_came_before_a_cut_is_kept_and_the_cut_reported(read_bytes: Any) -> None:
    whole = gzip.compress(b"\n".join(line(id=str(n)) for n in range(5000)) + b"\n")
    rows, report = read_bytes(whole[: len(whole) // 2])
    assert report.truncated
    assert 1000 < len(rows) < 5000
    rows, report = read_bytes(whole[:-4])
    assert report.truncated
    assert len(rows) == 5000


def test_members_that_stand_one_after_the_other_are_one_file(read_bytes: Any) -> None:
    members = [gzip.compress(line(id=str(n)) + b"\n") for n in range(300)]
    rows, report = read_bytes((b"\0" * 512).join(members))
    assert (len(rows), report.truncated) == (300, False)


def test_after_a_damaged_member_the_next_one_is_read(read_bytes: Any) -> None:
    first, second = (gzip.compress(line(id=number) + b"\n") for number in ("1", "2"))
    spoilt = first[:30] + bytes(255 - byte for byte in first[30:-20]) + first[-20:]
    for content in (spoilt + second, first + b"not gzip" * 100 + second, first + second + b"\x1f"):
        rows, report = read_bytes(content)
        assert report.truncated
        assert "2" in {row["event_id"] for row in rows}


def test_a_line_beyond_the_bound_is_passed_over(
    read_bytes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_lines, "LONGEST_LINE", 1 << 20)
    long = line(org="x" * (3 << 20))
    rows, report = read_bytes(gzip.compress(b"\n".join([ONE, long, TWO, long]), 1))
    assert [row["event_id"] for row in rows] == ["1", "2"]
    assert report.broken == {"too_long": 2}
    assert report.lines == 4


# Not ru_maxrss: what starts with the memory of a larger parent has that as its peak for ever.
_BOUNDED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from infra.archive_rows import ArchiveRows
rows = ArchiveRows(Path(sys.argv[1]), now=datetime(2026, 11, 22, tzinfo=UTC))
kept = sum(batch.num_rows for batch in rows)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
peak = int(status["VmHWM"].split()[0]) // 1024
print(kept, rows.report.broken.get("too_long", 0), peak)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says what the peak was")
def test_memory_stays_below_half_a_gigabyte(tmp_path: Path) -> None:
    path = tmp_path / "huge.json.gz"
    row = b"".join(
        push({"ref": f"refs/heads/{n}", "commits": []}, id=str(n)) + b"\n" for n in range(10_000)
    )
    dense = push({"commits": []}).replace(b"[]", b"[" + b"{}," * 2_000_000 + b"{}]") + b"\n"
    texts = push({"ref": "x" * 4_000_000}) + b"\n"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(15):
            file.write(row)
        file.write(b'{"id":"')
        for _ in range(300):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n')
        file.write(dense)
        for _ in range(40):
            file.write(b"\n" + texts)
        for _ in range(5):
            file.write(row)
    result = subprocess.run(
        [sys.executable, "-c", _BOUNDED, str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    kept, too_long, peak = map(int, result.stdout.split())
    assert kept == 200_041
    assert too_long == 1
    assert peak < 512, f"{peak} MB"


# --- properties ------------------------------------------------------------------------------

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["12", " 7 ", "0x1f", "true", "False", "2020-01-01T00:00:00Z"]),
)


def objects(depth: int) -> st.SearchStrategy[Any]:
    """Objects of the members that are read, with whatever may stand in them."""
    names = sorted({part for field in FIELDS for path in field.payload for part in path.split(".")})
    inner = SCALARS if depth == 0 else st.one_of(SCALARS, objects(depth - 1))
    values = st.one_of(inner, st.lists(inner, max_size=3))
    return st.dictionaries(st.sampled_from([*names, "distinct"]), values, max_size=6)


def quick_columns(text: bytes) -> Columns:
    """What the quick way makes of a line. Raises where it does not fit."""
    row: Any = quickly(text)
    at = archive_decoder.read_time(row.created_at)
    decoded = archive_blocks._Decoded(Times(0), Tally())
    decoded._quick, decoded._moments = [row], [at or 0]
    (batch,) = decoded.batches()
    columns: Columns = batch.set_column(
        2, "created_at", batch["created_at"].cast(pa.int64())
    ).to_pylist()[0]
    return columns


def fitting(depth: int = 2) -> st.SearchStrategy[Any]:
    """Payloads that mostly fit the quick way."""
    user = st.fixed_dictionaries(
        {}, optional={"id": st.integers(0, 2**63), "login": st.text(max_size=5)}
    )
    about = st.fixed_dictionaries(
        {},
        optional={
            "user": user,
            "number": st.integers(),
            "id": st.integers(0, 99),
            "merged": st.booleans(),
        },
    )
    entry = st.fixed_dictionaries(
        {}, optional={"distinct": st.booleans(), "sha": st.text(max_size=3)}
    )
    return st.fixed_dictionaries(
        {},
        optional={
            "action": st.text(max_size=5),
            "number": st.integers(-5, 5),
            "pull_request": about,
            "issue": about,
            "comment": about,
            "release": about,
            "commits": st.lists(entry, max_size=4),
            "push_id": st.integers(0, 2**64),
        },
    )


@settings(max_examples=300, deadline=None)
@given(payload=st.one_of(objects(2), fitting()), event_type=st.sampled_from(TRACKED_TYPES))
def test_the_quick_and_the_patient_way_agree(payload: Any, event_type: str) -> None:
    text = line(payload=payload, type=event_type)
    (patient,) = patiently(text)
    assert not isinstance(patient, Fault)
    try:
        quick = quick_columns(text)
    except archive_decoder.UNREADABLE:
        return
    assert quick == patient


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_mutation_of_a_line_is_too_much(data: st.DataObject) -> None:
    text = bytearray(line(payload=data.draw(fitting())))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(text)))
        end = min(len(text), at + data.draw(st.integers(0, 30)))
        text[at:end] = data.draw(
            st.one_of(
                st.binary(max_size=12),
                st.just(bytes(text[at:end]) * 2),
                st.sampled_from([b"", b"\0" * 9, b'{"id":"', b'"', b"\\", b"}{", b"\\ud800", ONE]),
            )
        )
    batches, tally = BlockDecoder(NOW).decode([bytes(text)])
    assert sum(batch.num_rows for batch in batches) == tally.events


@settings(max_examples=100, deadline=None)
@given(line_=st.binary(max_size=200))
def test_no_line_is_too_strange(line_: bytes) -> None:
    for found in patiently(line_):
        assert isinstance(found, Fault | dict)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(order=st.randoms(use_true_random=False), cuts=st.lists(st.integers(0, 40), max_size=3))
def test_the_rows_do_not_depend_on_parts_order_or_copies(
    tmp_path: Path, order: random.Random, cuts: list[int]
) -> None:
    lines = [push({"ref": f"r{n}", "number": [n] if n % 3 else n}, id=str(n)) for n in range(40)]
    whole = {msgspec.json.encode(row) for row in _rows_of(tmp_path, [lines])}
    shuffled = [*lines, *order.choices(lines, k=10)]
    order.shuffle(shuffled)
    edges = [0, *sorted(cuts), len(shuffled)]
    parts = [shuffled[a:b] for a, b in pairwise(edges)]
    found = {msgspec.json.encode(row) for row in _rows_of(tmp_path, parts)}
    assert found == whole
    assert len(whole) == 40


def _rows_of(folder: Path, parts: list[list[bytes]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for number, part in enumerate(parts):
        path = folder / f"part-{number}.json"
        path.write_bytes(b"\n".join(part))
        found += read(path)[0]
    return found
