"""The implementations of Blobs that are held to ``blobs_suite``, and what is each one's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from werkzeug.test import Client

from infra.clock import utc_now
from infra.gcp.blobs import CloudBlobs
from infra.local.blob_serving import BlobServing
from infra.local.blobs import LocalBlobs
from infra.local.serving import build_app
from shared.blobs import LONGEST_KEPT
from shared.errors import Rejected, RetryLater
from tests.support.manual_clock import ManualClock
from tests.support.storage_server import StorageServer, storage
from tests.support.terraform_files import parsed

pytest.register_assert_rewrite("tests.contract.blobs_suite")
from tests.contract.blobs_suite import BlobsBench, BlobsSuite  # noqa: E402 - rewritten first

QUARTER = 256 * 1024


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def local(tmp_path: Path, clock: ManualClock) -> BlobsBench:
    blobs = LocalBlobs(tmp_path / "blobs", now=clock)
    client = Client(BlobServing(blobs))

    def fetch(link: str) -> httpx.Response:
        assert link.startswith("/blobs/")
        answer = client.get(link.removeprefix("/blobs"), buffered=True)
        return httpx.Response(answer.status_code, headers=[*answer.headers], content=answer.data)

    return BlobsBench(blobs, clock, fetch)


@pytest.fixture
def server() -> Iterator[StorageServer]:
    with storage("p-leaderboard-blobs") as running:
        yield running


@pytest.fixture
def cloud(server: StorageServer, clock: ManualClock) -> Iterator[BlobsBench]:
    blobs = CloudBlobs(
        "p", server.bucket, now=clock, emulator_host=server.host, patience=10, piece=QUARTER
    )

    def fetch(link: str) -> httpx.Response:
        return httpx.get(link, trust_env=False)

    with closing(blobs):
        yield BlobsBench(blobs, clock, fetch)


@pytest.fixture(params=["local", "cloud"])
def bench(request: pytest.FixtureRequest) -> BlobsBench:
    made: BlobsBench = request.getfixturevalue(request.param)
    return made


class TestBlobs(BlobsSuite):
    pass


# --- the embedded one -------------------------------------------------------------------------


def test_a_link_is_refused_once_its_time_is_over(local: BlobsBench) -> None:
    local.put("one", hours=3)
    link = local.blobs.link("one", filename="x", lasts=timedelta(minutes=5))
    assert local.fetch(link).status_code == 200
    local.clock.advance(timedelta(minutes=5))
    assert local.fetch(link).status_code == 403


def test_what_is_handed_out_is_neither_guessed_nor_run_nor_kept_by_anybody(
    local: BlobsBench,
) -> None:
    local.put("page", b"<script>")
    answer = local.fetch(local.blobs.link("page", filename="page.html"))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert "sandbox" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    ["/", "/one", "/one?signature=x", "/../secret", "/secret", "/%2e%2e/secret", "/one?expires=x"],
)
def test_what_is_not_linked_is_not_handed_out(local: BlobsBench, path: str) -> None:
    local.put("one")
    local.blobs.link("one", filename="x")
    assert local.fetch(f"/blobs{path}").status_code == 403


def test_a_link_outlives_the_process_that_made_it(local: BlobsBench, tmp_path: Path) -> None:
    local.put("one", b"kept")
    link = local.blobs.link("one", filename="x")
    again = Client(BlobServing(LocalBlobs(tmp_path / "blobs", now=local.clock)))
    assert again.get(link.removeprefix("/blobs"), buffered=True).data == b"kept"
    elsewhere = Client(BlobServing(LocalBlobs(tmp_path / "other", now=local.clock)))
    assert elsewhere.get(link.removeprefix("/blobs"), buffered=True).status_code == 403


def test_links_are_for_reading(local: BlobsBench, tmp_path: Path) -> None:
    local.put("one", b"kept")
    link = local.blobs.link("one", filename="x").removeprefix("/blobs")
    client = Client(BlobServing(LocalBlobs(tmp_path / "blobs", now=local.clock)))
    assert client.post(link).status_code == 405
    head = client.head(link)
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", "4")


def test_the_secret_is_nobody_elses_to_read(local: BlobsBench, tmp_path: Path) -> None:
    local.put("one")
    local.blobs.link("one", filename="x")
    secret = tmp_path / "blobs" / "secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert len(secret.read_bytes()) == 32


def test_what_a_dead_writer_left_goes_and_what_a_living_one_writes_stays(
    local: BlobsBench, tmp_path: Path
) -> None:
    local.put("one")
    left = tmp_path / "blobs" / "unfinished" / "left"
    left.write_bytes(b"half")
    local.clock.now = local.clock.now.fromtimestamp(left.stat().st_mtime, local.clock.now.tzinfo)
    local.blobs.sweep(10)
    assert left.exists()
    local.clock.advance(timedelta(hours=2))
    local.blobs.sweep(10)
    assert not left.exists()


def test_the_embedded_server_hands_out_at_the_address_of_the_link(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "blobs", now=utc_now)
    blobs.put(
        "exports/one.csv",
        [b"a,b"],
        content_type="text/csv",
        expires_at=utc_now() + LONGEST_KEPT / 2,
    )
    link = blobs.link("exports/one.csv", filename="one.csv")
    client = Client(build_app(tmp_path / "main.py", {}, "api", tmp_path / "blobs"))
    assert client.get(link, buffered=True).data == b"a,b"
    assert client.get(link.partition("?")[0]).status_code == 403


# --- Google's -----------------------------------------------------------------------------------


def test_an_upload_goes_in_pieces_and_goes_on_after_one_failed(
    cloud: BlobsBench, server: StorageServer
) -> None:
    server.fail(503, method="PUT", times=1)
    server.fail(0, method="PUT", times=1)
    content = [bytes([n]) * 100_000 for n in range(20)]
    assert cloud.put("large", *content).size == 2_000_000
    assert cloud.content("large") == b"".join(content)
    assert server.most_sent == QUARTER


def test_a_read_goes_on_after_a_piece_failed(cloud: BlobsBench, server: StorageServer) -> None:
    cloud.put("large", b"x" * 900_000)
    server.fail(503, method="GET", path="/download", times=2)
    assert cloud.content("large") == b"x" * 900_000


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_pass_is_to_be_tried_again(
    server: StorageServer, clock: ManualClock, status: int
) -> None:
    blobs = CloudBlobs("p", server.bucket, now=clock, emulator_host=server.host, patience=0.1)
    cloud = BlobsBench(blobs, clock, httpx.get)
    server.fail(status, times=1_000)
    for call in (
        lambda: cloud.put("two"),
        lambda: cloud.blobs.about("one"),
        lambda: cloud.blobs.remove("one"),
        lambda: cloud.blobs.sweep(1),
    ):
        with pytest.raises(RetryLater) as raised:
            call()
        assert raised.value.details["service"] == "Cloud Storage"
    blobs.close()


def test_a_role_that_is_not_known_everywhere_yet_is_waited_for(
    cloud: BlobsBench, server: StorageServer
) -> None:
    server.fail(403)
    with pytest.raises(RetryLater):
        cloud.blobs.about("one")


def test_a_signature_that_cannot_be_had_is_to_be_tried_again(
    cloud: BlobsBench, server: StorageServer
) -> None:
    cloud.put("one")
    server.fail(403, path=":signBlob")
    with pytest.raises(RetryLater):
        cloud.blobs.link("one", filename="x")


def test_a_bucket_that_is_not_there_is_said(server: StorageServer, clock: ManualClock) -> None:
    blobs = CloudBlobs("p", "none", now=clock, emulator_host=server.host, patience=0.2)
    server.fail(404, times=5)
    with closing(blobs), pytest.raises(Rejected, match="Cloud Storage"):
        BlobsBench(blobs, clock, httpx.get).put("one")


def test_what_was_put_anew_while_it_was_swept_stays(
    cloud: BlobsBench, server: StorageServer
) -> None:
    old = cloud.put("one", b"old", hours=1)
    listed = dict(server.objects["one"].resource)
    cloud.clock.advance(timedelta(hours=1))
    cloud.put("one", b"new", hours=1)
    current = server.objects["one"].resource
    assert listed["generation"] == old.version
    # The list that the sweep works by is older than what is there now.
    current["generation"], real = listed["generation"], current["generation"]
    current["metadata"], fresh = listed["metadata"], current["metadata"]
    found = next(iter(cloud.blobs._client().list_blobs(server.bucket)))  # type: ignore[attr-defined]
    current["generation"], current["metadata"] = real, fresh
    assert cloud.blobs._remove_version(found) == 0  # type: ignore[attr-defined]
    assert cloud.content("one") == b"new"


def test_the_bucket_removes_by_itself_nothing_that_is_still_kept() -> None:
    bucket = parsed().resources["google_storage_bucket", "blobs"]
    condition = bucket.only("lifecycle_rule").only("condition").attributes
    assert timedelta(days=condition["age"]) >= LONGEST_KEPT
    assert bucket.attributes["public_access_prevention"] == "enforced"
    assert bucket.attributes["uniform_bucket_level_access"] is True
