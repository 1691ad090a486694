"""What holds for every implementation of Blobs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest

from shared.blobs import LINK_LASTS, LONGEST_KEPT, Blob, Blobs
from shared.errors import Conflict, NotFound, Rejected
from shared.ports import ABSENT
from tests.support.manual_clock import ManualClock

HOUR = timedelta(hours=1)
PIECE = b"0123456789abcdef" * 20_000


Fetch = Callable[[str], httpx.Response]
"""Follows a link as a browser does."""


@dataclass
class BlobsBench:
    """An implementation, the clock that it goes by, and whoever follows its links."""

    blobs: Blobs
    clock: ManualClock
    fetch: Fetch

    def put(
        self,
        name: str,
        *pieces: bytes,
        hours: int = 2,
        if_version: str | None = None,
    ) -> Blob:
        return self.blobs.put(
            name,
            pieces or (b"what it holds",),
            content_type="text/csv; charset=utf-8",
            expires_at=self.clock() + hours * HOUR,
            if_version=if_version,
        )

    def content(self, name: str) -> bytes:
        return b"".join(self.blobs.read(name))


class BlobsSuite:
    def test_what_was_put_is_read(self, bench: BlobsBench) -> None:
        put = bench.put("exports/octo-engine.csv", b"a,b\n", b"", b"1,2\n")
        assert bench.content(put.name) == b"a,b\n1,2\n"
        assert bench.blobs.about(put.name) == put
        assert (put.size, put.content_type) == (8, "text/csv; charset=utf-8")
        assert put.created_at == bench.clock()
        assert put.expires_at == bench.clock() + 2 * HOUR

    def test_what_is_not_there_is_absent(self, bench: BlobsBench) -> None:
        assert bench.blobs.about("none") is None
        bench.blobs.remove("none")
        with pytest.raises(NotFound):
            bench.content("none")
        with pytest.raises(NotFound):
            bench.blobs.link("none", filename="none.csv")

    def test_an_empty_one_and_a_large_one_are_kept_whole(self, bench: BlobsBench) -> None:
        assert bench.put("empty", b"").size == 0
        assert bench.content("empty") == b""
        assert bench.put("large", *[PIECE] * 7, b"end").size == 7 * len(PIECE) + 3
        assert bench.content("large") == PIECE * 7 + b"end"

    def test_content_is_taken_piece_by_piece(self, bench: BlobsBench) -> None:
        """A writer that makes gigabytes holds a piece of them, and so do those who pass it on."""
        alive: list[int] = []

        def made() -> Iterator[bytes]:
            for number in range(8):
                alive.append(number)
                yield bytes([number]) * 400_000

        bench.put("streamed")
        assert bench.blobs.put(
            "streamed",
            made(),
            content_type="application/octet-stream",
            expires_at=bench.clock() + HOUR,
        ).size == (8 * 400_000)
        assert alive == list(range(8))
        pieces = list(bench.blobs.read("streamed"))
        assert len(pieces) > 1
        assert b"".join(pieces) == b"".join(bytes([n]) * 400_000 for n in range(8))

    def test_another_takes_its_place_whole(self, bench: BlobsBench) -> None:
        first = bench.put("one", PIECE, PIECE)
        second = bench.put("one", b"short")
        assert bench.content("one") == b"short"
        assert first.version != second.version
        assert bench.blobs.about("one") == second

    def test_a_writer_that_fails_leaves_what_was_there(self, bench: BlobsBench) -> None:
        def broken() -> Iterator[bytes]:
            yield PIECE * 3
            raise LookupError("the maker's own error")

        before = bench.put("one", b"old")
        for name in ("one", "other"):
            with pytest.raises(LookupError, match="own error"):
                bench.blobs.put(
                    name, broken(), content_type="text/csv", expires_at=bench.clock() + HOUR
                )
        assert bench.content("one") == b"old"
        assert bench.blobs.about("one") == before
        assert bench.blobs.about("other") is None

    def test_a_condition_holds_or_nothing_is_written(self, bench: BlobsBench) -> None:
        first = bench.put("one", b"1", if_version=ABSENT)
        with pytest.raises(Conflict):
            bench.put("one", b"2", if_version=ABSENT)
        second = bench.put("one", b"2", if_version=first.version)
        with pytest.raises(Conflict):
            bench.put("one", b"3", if_version=first.version)
        assert bench.content("one") == b"2"
        assert bench.blobs.about("one") == second

    def test_of_two_who_put_it_first_one_does(self, bench: BlobsBench) -> None:
        def attempt(number: int) -> bool:
            try:
                bench.put("race", bytes([number]) * 600_000, if_version=ABSENT)
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(attempt, range(4))) == 1
        assert len(set(bench.content("race"))) == 1

    def test_what_was_removed_is_gone(self, bench: BlobsBench) -> None:
        bench.put("one")
        bench.put("one-more")
        bench.blobs.remove("one")
        bench.blobs.remove("one")
        assert bench.blobs.about("one") is None
        assert bench.blobs.about("one-more") is not None

    def test_what_has_expired_is_absent_before_it_is_swept(self, bench: BlobsBench) -> None:
        bench.put("short", hours=1)
        kept = bench.put("long", hours=3)
        bench.clock.advance(HOUR)
        assert bench.blobs.about("short") is None
        with pytest.raises(NotFound):
            bench.content("short")
        with pytest.raises(NotFound):
            bench.blobs.link("short", filename="short.csv")
        assert bench.blobs.about("long") == kept

    def test_the_sweep_removes_what_has_expired_and_nothing_else(self, bench: BlobsBench) -> None:
        for number in range(5):
            bench.put(f"short/{number}", hours=1)
        bench.put("long", b"kept", hours=3)
        assert bench.blobs.sweep(10) == 0
        bench.clock.advance(HOUR)
        assert bench.blobs.sweep(3) == 3
        assert bench.blobs.sweep(3) == 2
        assert bench.blobs.sweep(3) == 0
        assert bench.content("long") == b"kept"

    def test_what_was_put_anew_after_it_expired_is_there(self, bench: BlobsBench) -> None:
        bench.put("one", b"old", hours=1)
        bench.clock.advance(HOUR)
        bench.put("one", b"new", hours=1)
        assert bench.blobs.sweep(10) == 0
        assert bench.content("one") == b"new"

    @pytest.mark.parametrize(
        "name",
        ["", ".", "..", "../x", "a/../b", "/a", "a/", "a//b", "a b", "a\\b", "a\0", "a\n", "é",
         ".hidden", "a/.hidden", "%2e%2e/x", "a" * 121],
    )  # fmt: skip
    def test_a_name_that_is_a_trick_is_rejected(self, bench: BlobsBench, name: str) -> None:
        with pytest.raises(Rejected):
            bench.put(name)
        for call in (bench.blobs.about, bench.blobs.remove, bench.content):
            with pytest.raises(Rejected):
                call(name)
        with pytest.raises(Rejected):
            bench.blobs.link(name, filename="x.csv")

    def test_what_nobody_keeps_is_rejected(self, bench: BlobsBench) -> None:
        now = bench.clock()
        for expires_at in (now, now - HOUR, now + LONGEST_KEPT + HOUR):
            with pytest.raises(Rejected):
                bench.blobs.put("one", [b"x"], content_type="text/csv", expires_at=expires_at)
        for content_type in ("", "text", "text/csv\r\nX-Evil: 1", 'text/csv; a="b"'):
            with pytest.raises(Rejected):
                bench.blobs.put(
                    "one", [b"x"], content_type=content_type, expires_at=now + LONGEST_KEPT
                )
        assert bench.blobs.about("one") is None

    def test_a_link_gives_the_blob_to_be_saved_under_a_name(self, bench: BlobsBench) -> None:
        bench.put("exports/one.csv", b"a,b\n", b"1,2\n")
        link = bench.blobs.link("exports/one.csv", filename="octo-engine.csv")
        answer = bench.fetch(link)
        assert answer.status_code == 200
        assert answer.content == b"a,b\n1,2\n"
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="octo-engine.csv"'

    def test_a_link_is_for_one_blob_under_one_name(self, bench: BlobsBench) -> None:
        bench.put("one.csv", b"one")
        bench.put("two.csv", b"two")
        link = bench.blobs.link("one.csv", filename="saved.csv")
        for wrong in (
            link.replace("one.csv", "two.csv"),
            link.replace("saved.csv", "other.html"),
            link[:-1] + ("0" if link[-1] != "0" else "1"),
        ):
            assert wrong != link
            assert bench.fetch(wrong).status_code == 403

    @pytest.mark.parametrize("filename", ["", "a/b", '"', "a b", "x\r\ny", "..", "é", "a" * 101])
    def test_a_file_name_that_is_not_plain_is_rejected(
        self, bench: BlobsBench, filename: str
    ) -> None:
        bench.put("one")
        with pytest.raises(Rejected):
            bench.blobs.link("one", filename=filename)

    def test_a_link_lasts_an_hour_and_no_longer_than_its_blob(self, bench: BlobsBench) -> None:
        assert timedelta(hours=1) == LINK_LASTS
        bench.put("long", hours=5)
        bench.put("short", hours=1)
        bench.clock.advance(HOUR / 2)
        assert self.seconds(bench.blobs.link("long", filename="x"), bench) == 3600
        assert self.seconds(bench.blobs.link("short", filename="x"), bench) == 1800
        with pytest.raises(Rejected):
            bench.blobs.link("long", filename="x", lasts=timedelta(0))

    def seconds(self, link: str, bench: BlobsBench) -> int:
        """How long a link works, by what stands in it."""
        asked = httpx.URL(link).params
        if "X-Goog-Expires" in asked:
            return int(asked["X-Goog-Expires"])
        return int(asked["expires"]) - int(bench.clock().timestamp())
