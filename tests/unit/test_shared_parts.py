"""Parts of boards in Redis: read by one instance for all, and never in the way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fakeredis import FakeRedis, FakeServer
from structlog.testing import capture_logs

from infra.redis_pause import PAUSE_SECONDS
from infra.services import build
from infra.shared_parts import KEPT_SECONDS, SharedParts
from shared.board_reading import BoardReader, Selection
from shared.settings import Settings
from tests.support.board_bench import BoardBench
from tests.support.ranked import BOARD, WINDOW, crowd
from tests.support.watched_documents import WatchedDocuments


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[BoardBench]:
    bench = BoardBench(tmp_path / "documents.sqlite")
    bench.publish(crowd(1100, 5), "first")
    yield bench
    bench.store.close()


def instance(bench: BoardBench, server: FakeServer) -> tuple[BoardReader, WatchedDocuments]:
    documents = WatchedDocuments(bench.store)
    parts = SharedParts(FakeRedis(server=server), documents)
    return BoardReader(parts, now=bench.clock, pointer_seconds=0), documents


def ids(reader: BoardReader) -> list[int]:
    rows = reader.read(BOARD, WINDOW, Selection(offset=100, limit=50)).rows
    return [row.github_id for row in rows]


def test_what_one_instance_has_read_costs_the_other_no_document_but_the_pointer(
    bench: BoardBench,
) -> None:
    server = FakeServer()
    (one, read_by_one), (other, read_by_other) = (instance(bench, server) for _ in range(2))
    assert ids(one) == ids(other) == ids(bench.reader)
    assert [path for path in read_by_one.read if path.startswith("board_parts/")]
    assert not [path for path in read_by_other.read if path.startswith("board_parts/")]
    assert read_by_other.read


def test_a_new_board_is_seen_at_once_and_nothing_lies_for_long(bench: BoardBench) -> None:
    server = FakeServer()
    (one, _), (other, _) = (instance(bench, server) for _ in range(2))
    before = ids(one)
    bench.publish(crowd(1100, 6), "second")
    assert ids(one) == ids(other) == ids(bench.reader) != before
    client = FakeRedis(server=server)
    assert all(0 < client.ttl(key) <= KEPT_SECONDS for key in client.scan_iter())


def test_a_redis_that_fails_is_gone_without_and_left_alone_for_a_while(bench: BoardBench) -> None:
    server, now = FakeServer(), [0.0]
    server.connected = False
    parts = SharedParts(FakeRedis(server=server), bench.store, clock=lambda: now[0])
    reader = BoardReader(parts, now=bench.clock, pointer_seconds=0, cached_parts=0)
    with capture_logs() as logs:
        assert ids(reader) == ids(bench.reader)
        assert ids(reader) == ids(bench.reader)
    assert [line["event"] for line in logs] == ["shared_parts_failed"]
    server.connected = True
    now[0] = PAUSE_SECONDS
    assert ids(reader) == ids(bench.reader)
    assert FakeRedis(server=server).keys()


def test_boards_are_read_behind_the_redis_that_is_set_and_else_behind_none(tmp_path: Path) -> None:
    without = build(Settings(data_dir=tmp_path))
    assert without.boards._documents is without.documents
    behind = build(Settings(data_dir=tmp_path, redis_url="redis://:hunter2@10.0.0.3"))
    assert isinstance(behind.boards._documents, SharedParts)
    assert "hunter2" not in repr(behind.boards._documents)
