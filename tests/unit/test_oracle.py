"""The independent count agrees with outcomes that were reasoned out by hand."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support import oracle
from tests.support.case import Case, LeftOut, Row
from tests.support.cases import CASES
from tests.support.lines import ANA, Line, day, encode, push, watch, write_gz
from tests.support.real_data import real_file
from tests.support.worked_examples import EXAMPLES

every_case = pytest.mark.parametrize("case", CASES + EXAMPLES, ids=lambda case: case.name)


def _read(lines: tuple[Line, ...]) -> oracle.Reading:
    return oracle.read_events(encode(lines).splitlines())


def _window(case: Case, reading: oracle.Reading) -> oracle.Window:
    if case.window is None:
        return (None, oracle.as_of(reading.events))
    start, end = case.window
    return (None if start is None else datetime.fromisoformat(start), datetime.fromisoformat(end))


def _standings(case: Case, lines: tuple[Line, ...]) -> list[oracle.Standing]:
    reading = _read(lines)
    return oracle.standings(oracle.credit(reading.events), _window(case, reading))


@every_case
def test_the_oracle_counts_what_the_case_says(case: Case) -> None:
    found = {(s.repo_id, s.contributor_id): s for s in _standings(case, case.lines)}
    expected = {(c.repo_id, c.contributor_id): c for c in case.counts}

    assert {key: s.counts for key, s in found.items()} == {
        key: c.quantities for key, c in expected.items()
    }
    scores = {key: c.score for key, c in expected.items() if c.score is not None}
    assert {key: found[key].score for key in scores} == scores


@every_case
def test_the_oracle_leaves_out_what_the_case_says(case: Case) -> None:
    reading = _read(case.lines)
    contributions = oracle.credit(reading.events)

    excluded = [
        LeftOut(c.event_id, c.kind, c.exclusion) for c in contributions if c.exclusion is not None
    ]
    assert Counter(excluded) == Counter(case.left_out)
    assert {c.event_id: c.copies for c in contributions if c.copies > 1} == case.copies
    assert (reading.broken, reading.refused) == (case.broken, case.refused)


@pytest.mark.parametrize("case", [c for c in CASES if c.boards], ids=lambda case: case.name)
def test_the_oracle_ranks_as_the_case_says(case: Case) -> None:
    entries = _standings(case, case.lines)
    for shown, expected in case.boards.items():
        places = oracle.board(entries, case.classes, shown)
        rows = [Row(p.rank, p.contributor_id, p.score, p.at_or_below) for p in places]
        assert rows == list(expected)
        assert {p.total for p in places} <= {len(expected)}


@every_case
def test_neither_order_nor_copies_of_lines_change_the_count(case: Case) -> None:
    counted = _standings(case, case.lines)
    assert _standings(case, case.lines[::-1]) == counted
    assert _standings(case, case.lines + case.lines[::-1]) == counted


def test_every_case_has_its_own_name_and_stays_small() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 50
    assert max(len(case.lines) for case in CASES) <= 15


def test_a_board_of_one_repository_leaves_the_others_out() -> None:
    case = next(c for c in CASES if c.name.startswith("The board over all repositories"))
    places = oracle.board(_standings(case, case.lines), repo_id=101)
    assert places == [oracle.Place(1, ANA.id, 525_000, 1, 1)]


def test_the_as_of_time_is_the_end_of_the_hour_of_the_last_event_of_any_kind() -> None:
    early = push(1, day(1), ANA, push_id=1, distinct_size=1)
    for last, end in (("17:59:59", 18), ("17:00:00", 18), ("18:00:00", 19)):
        events = _read((watch(2, day(3, last), ANA), early)).events
        assert oracle.as_of(events) == datetime(2025, 3, 3, end, tzinfo=UTC)


@pytest.mark.parametrize(
    "bad",
    [
        b"\x00\x00\x00\x00",
        b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>",
        b'{"id": "1", "type": "PushEvent", "repo": {"id": 1',
        b'{"id": "1"} {"id": "2"}',
        b'["id", "type"]',
        b'{"id": "\xff"}',
        b'{"repo": {"id": NaN}}',
        b"[" * 100_000,
    ],
    ids=["nul", "xml", "truncated", "two", "array", "encoding", "nan", "nested"],
)
def test_a_broken_line_is_counted_and_the_rest_of_the_file_read(bad: bytes) -> None:
    good = encode([push(1, day(1), ANA, push_id=1, distinct_size=1)])
    reading = oracle.read_events([good, bad + b"\n", b"\n", good])
    assert (len(reading.events), reading.broken, reading.refused) == (2, 1, 0)


def test_files_are_read_zipped_and_plain_alike(tmp_path: Path) -> None:
    lines = [push(1, day(1), ANA, push_id=1, distinct_size=1), watch(2, day(1), ANA)]
    write_gz(tmp_path / "hour.json.gz", lines)
    (tmp_path / "hour.json").write_bytes(encode(lines))

    zipped = oracle.read_file(tmp_path / "hour.json.gz")
    assert zipped == oracle.read_file(tmp_path / "hour.json")
    assert len(zipped.events) == 2
    assert gzip.decompress((tmp_path / "hour.json.gz").read_bytes()) == encode(lines)


@dataclass(frozen=True)
class Totals:
    """What a real file comes to, checked against a separate count in SQL."""

    file: str
    events: int
    contributors: int
    score: int
    quantities: Mapping[str, int]
    left_out: Mapping[tuple[str, str], int]


REAL = (
    Totals(
        "gha-2015-01-01-0",
        events=7_702,
        contributors=2_868,
        score=105_226_330,
        quantities={
            "COMMIT": 9_165,
            "PR_OPENED": 163,
            "PR_MERGED": 126,
            "PR_REVIEW_COMMENT": 85,
            "ISSUE_OPENED": 235,
            "ISSUE_CLOSED": 134,
            "COMMENT": 706,
            "RELEASE": 24,
            "LINES_ADDED": 221_122,
            "LINES_DELETED": 53_648,
        },
        left_out={("COMMIT", "no_distinct_commits"): 115},
    ),
    Totals(
        "gha-2015-01-01-1",
        events=7_427,
        contributors=2_652,
        score=291_725_900,
        quantities={
            "COMMIT": 27_962,
            "PR_OPENED": 179,
            "PR_MERGED": 89,
            "PR_REVIEW_COMMENT": 92,
            "ISSUE_OPENED": 218,
            "ISSUE_CLOSED": 108,
            "COMMENT": 713,
            "RELEASE": 42,
            "LINES_ADDED": 60_457,
            "LINES_DELETED": 89_666,
        },
        left_out={("COMMIT", "no_distinct_commits"): 132, ("RELEASE", "repeated"): 1},
    ),
    Totals(
        "gha-2016-07-07-first2000-pinot-parquet",
        events=2_000,
        contributors=1_013,
        score=25_051_355,
        quantities={
            "COMMIT": 2_112,
            "PR_OPENED": 53,
            "PR_MERGED": 53,
            "PR_REVIEW_COMMENT": 60,
            "ISSUE_OPENED": 33,
            "ISSUE_CLOSED": 39,
            "COMMENT": 153,
            "RELEASE": 4,
            "LINES_ADDED": 36_140,
            "LINES_DELETED": 22_391,
        },
        left_out={("COMMIT", "no_distinct_commits"): 128},
    ),
    Totals(
        "gha-2021-07-21-sample800-pinot",
        events=800,
        contributors=408,
        score=14_922_760,
        quantities={
            "COMMIT": 1_298,
            "PR_OPENED": 33,
            "PR_MERGED": 25,
            "PR_REVIEWED": 19,
            "PR_REVIEW_COMMENT": 10,
            "ISSUE_OPENED": 13,
            "ISSUE_CLOSED": 8,
            "COMMENT": 38,
            "RELEASE": 3,
            "LINES_ADDED": 2_490,
            "LINES_DELETED": 3_972,
        },
        left_out={
            ("COMMIT", "no_distinct_commits"): 11,
            ("PR_REVIEWED", "own_pull_request"): 5,
            ("PR_REVIEWED", "repeated"): 4,
        },
    ),
    Totals(
        "ghmap-julia-2025-03-20-input100",
        events=100,
        contributors=18,
        score=1_065_600,
        quantities={
            "COMMIT": 41,
            "PR_OPENED": 2,
            "PR_MERGED": 4,
            "PR_REVIEWED": 15,
            "PR_REVIEW_COMMENT": 13,
            "ISSUE_OPENED": 5,
            "ISSUE_CLOSED": 7,
            "COMMENT": 28,
            "LINES_ADDED": 149,
            "LINES_DELETED": 22,
        },
        left_out={("PR_REVIEWED", "own_pull_request"): 2},
    ),
    Totals(
        "api-post-2025-10-events",
        events=648,
        contributors=1,
        score=928_000,
        quantities={"PR_OPENED": 23, "PR_MERGED": 23, "ISSUE_OPENED": 1},
        left_out={("COMMIT", "commits_unknown"): 530},
    ),
)


@pytest.mark.parametrize("totals", REAL, ids=lambda totals: totals.file)
def test_a_real_file_comes_to_its_known_totals(totals: Totals) -> None:
    reading = oracle.read_file(real_file(totals.file))
    assert (len(reading.events), reading.broken, reading.refused) == (totals.events, 0, 0)

    contributions = oracle.credit(reading.events)
    reasons = Counter((c.kind, c.exclusion) for c in contributions if c.exclusion is not None)
    assert reasons == totals.left_out

    entries = oracle.standings(contributions, (None, oracle.as_of(reading.events)))
    quantities: Counter[str] = Counter()
    for entry in entries:
        quantities.update(entry.counts)
    assert quantities == totals.quantities

    places = oracle.board(entries)
    assert (len(places), sum(p.score for p in places)) == (totals.contributors, totals.score)


def test_rows_of_the_old_schema_are_all_refused() -> None:
    reading = oracle.read_file(real_file("gha-old-schema-2012-2014-fixtures"))
    assert (reading.events, reading.broken, reading.refused) == ((), 0, 26)
