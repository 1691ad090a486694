"""Validators and lifetimes of answers."""

from __future__ import annotations

import gzip
from datetime import timedelta
from typing import Any

import pytest

from functions.api import form
from shared.auth import Role
from shared.board_reading import Slice
from tests.functions.conftest import World
from tests.support.api_client import ApiClient
from tests.support.lines import ANA, day, push

ENGINE_BOARD = "/api/v1/leaderboard/octo/engine"
READABLE = (
    ENGINE_BOARD,
    "/api/v1/leaderboard/global?class=all&window=7d",
    f"{ENGINE_BOARD}?start=2025-01-01&end=2025-04-01",
    "/api/v1/contributors/ana/explain",
    "/api/v1/contributors/ana/activity?group_by=week",
    "/api/v1/contributors/ana/repositories",
    "/api/v1/leaderboard/compare?repos=octo/engine,octo/wheels",
    "/api/v1/repositories",
    "/api/v1/repositories/octo/engine",
    "/api/v1/jobs",
    "/api/v1/coverage",
    "/api/v1/coverage/octo/engine",
    "/api/v1/config/scoring",
    "/openapi.json",
    "/docs",
)


@pytest.mark.parametrize("address", READABLE)
def test_who_has_an_answer_is_told_so_without_it(api: ApiClient, address: str) -> None:
    answer = api.get(address)
    assert answer.headers["Cache-Control"] == "no-cache"
    etag = answer.headers["ETag"]
    assert etag.startswith('"')
    again = api.get(address, headers={"If-None-Match": f'"other", {etag}'})
    assert again.status_code == 304
    assert again.data == b""
    assert again.headers["ETag"] == etag
    assert api.get(address, headers={"If-None-Match": '"other"'}).data == answer.data


def test_an_address_with_a_generation_never_changes(api: ApiClient) -> None:
    generation = api.get(ENGINE_BOARD).get_json()["meta"]["generation"]
    pinned = api.get(f"{ENGINE_BOARD}?generation={generation}")
    assert pinned.headers["Cache-Control"] == "public, max-age=60"
    assert pinned.get_json()["data"] == api.data(ENGINE_BOARD)


def test_a_profile_may_be_shown_while_it_is_asked_for_anew(api: ApiClient) -> None:
    answer = api.get("/api/v1/contributors/ana")
    lagging = "max-age=0, stale-while-revalidate=60"
    assert answer.headers["Cache-Control"] == lagging
    again = api.get("/api/v1/contributors/ana", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.headers["Cache-Control"]) == (304, lagging)


def test_different_questions_have_different_validators(api: ApiClient) -> None:
    addresses = [
        ENGINE_BOARD,
        f"{ENGINE_BOARD}?page=2",
        f"{ENGINE_BOARD}?page_size=51",
        f"{ENGINE_BOARD}?class=all",
        f"{ENGINE_BOARD}?sort=COMMIT",
        f"{ENGINE_BOARD}?order=desc",
        f"{ENGINE_BOARD}?search=a",
        f"{ENGINE_BOARD}?window=7d",
        "/api/v1/leaderboard/global",
    ]
    etags = {api.get(address).headers["ETag"] for address in addresses}
    assert len(etags) == len(addresses)


def test_a_new_board_is_a_new_answer_and_the_old_one_stays_readable(engine: World) -> None:
    api = engine.client()
    before = api.get(ENGINE_BOARD)
    engine.ingest("more.json.gz", [push(901, day(14), ANA, push_id=901, distinct_size=5)])
    engine.client(engine.key(Role.USER)).post("/api/v1/repositories/octo/engine/refresh")
    engine.work()
    after = api.get(ENGINE_BOARD, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    old = before.get_json()["meta"]["generation"]
    assert after.get_json()["meta"]["generation"] != old
    assert api.data(f"{ENGINE_BOARD}?generation={old}") == before.get_json()["data"]


def test_errors_are_not_kept(api: ApiClient) -> None:
    for address in ("/api/v1/nothing", f"{ENGINE_BOARD}?page=0", "/api/v1/jobs/none"):
        answer = api.get(address)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "ETag" not in answer.headers


def test_head_tells_the_same_without_the_body(api: ApiClient) -> None:
    full = api.get(ENGINE_BOARD)
    head = api._client.head(ENGINE_BOARD)
    assert head.status_code == 200
    assert head.data == b""
    assert head.headers["ETag"] == full.headers["ETag"]


def test_a_page_is_read_made_and_packed_once_for_as_long_as_its_board_stays(
    engine: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, boards, pack = engine.client(), engine.services.boards, form._PACKERS["gzip"]
    reads: list[Slice] = []
    packs: list[bytes] = []
    read = boards.read

    def reading(*given: Any) -> Slice:
        reads.append(read(*given))
        return reads[-1]

    def packing(body: bytes) -> bytes:
        packs.append(body)
        return pack(body)

    monkeypatch.setattr(boards, "read", reading)
    monkeypatch.setattr(form, "_PACKERS", {"gzip": packing})
    plain = [api.get(ENGINE_BOARD) for _ in range(3)]
    packed = [api.flask.get(ENGINE_BOARD, headers={"Accept-Encoding": "gzip"}) for _ in range(3)]
    assert (len(reads), len(packs)) == (1, 1)
    assert len({answer.data for answer in plain}) == len({answer.data for answer in packed}) == 1
    assert gzip.decompress(packed[0].data) == plain[0].data
    engine.clock.advance(timedelta(minutes=1))
    assert api.get(ENGINE_BOARD).data == plain[0].data
    assert len(reads) == 1
    api.get(f"{ENGINE_BOARD}?page=2")
    assert len(reads) == 2


def test_the_page_of_a_generation_before_is_not_taken_for_the_present_one(
    engine: World,
) -> None:
    api = engine.client()
    before = api.get(ENGINE_BOARD).get_json()
    pinned = f"{ENGINE_BOARD}?generation={before['meta']['generation']}"
    assert api.get(pinned).get_json()["data"] == before["data"]
    engine.ingest("more.json.gz", [push(902, day(14), ANA, push_id=902, distinct_size=5)])
    engine.client(engine.key(Role.USER)).post("/api/v1/repositories/octo/engine/refresh")
    engine.work()
    after = api.get(ENGINE_BOARD).get_json()
    assert after["meta"]["generation"] != before["meta"]["generation"]
    assert api.get(pinned).get_json()["meta"]["generation"] == before["meta"]["generation"]
    assert api.get(pinned).get_json()["data"] == before["data"] != after["data"]
