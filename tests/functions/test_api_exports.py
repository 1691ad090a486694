"""Exports through the API: small ones at once, large ones by a job, a link and a clock."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from werkzeug.test import Client, TestResponse

from infra.gcp.blobs import CloudBlobs
from infra.local.blob_serving import BlobServing
from infra.local.blobs import LocalBlobs
from shared import exports, job_steps, jobs, notices, people, removals, retention, webhooks
from shared.auth import Role
from shared.blobs import Blob, Blobs
from shared.boards import ClassPart, pointer_path
from shared.context import SYSTEM, Services
from shared.export_rows import opened
from shared.export_wanted import Opened, Wanted
from shared.jobs import State
from shared.models import AccountClass, Kind
from shared.ports import Write
from tests.functions.conftest import TEAM, World
from tests.support.api_client import ApiClient
from tests.support.apps import app_over
from tests.support.by_hand import deliver, deliver_all
from tests.support.job_world import Killed
from tests.support.lines import ANA, ENGINE, WHEELS
from tests.support.ranked import Person, draft
from tests.support.scenario import everything
from tests.support.storage_server import storage

CROWD = [
    Person(1000 + n, f"=cmd{n}()" if n == 3 else f"user-{n:05}", 9_000_000 - n * 1000)
    for n in range(1100)
]
"""More than a page, and somebody whose name is a formula."""


def setting(world: World, **settings: object) -> World:
    """The world with other settings."""
    chosen = world.services.settings.model_copy(update=settings)
    services = replace(world.services, settings=chosen)
    return replace(world, services=services, app=app_over(lambda: services))


@pytest.fixture
def world(make_world: Callable[[], World]) -> World:
    """A global board of many, and no limit on what is small but the usual."""
    made = make_world()
    made.services.publisher.publish(draft(CROWD, board="global"))
    return made


@pytest.fixture
def by_job(world: World) -> World:
    """Where every export is made by a job."""
    return setting(world, export_small_bytes=0)


@pytest.fixture(scope="module")
def gathered(make_world: Callable[[], World]) -> World:
    """Two repositories with boards, for the tests of this file."""
    made = make_world()
    made.ingest("team.json.gz", TEAM)
    made.register(ENGINE, WHEELS)
    return made


def asked(
    client: ApiClient, type_: str = "global", format_: str = "csv", **rest: object
) -> TestResponse:
    return client.post("/api/v1/exports", {"type": type_, "format": format_, **rest})


def lines(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def fetched(world: World, link: str) -> TestResponse:
    blobs = world.services.blobs
    assert isinstance(blobs, LocalBlobs)
    return Client(BlobServing(blobs)).get(link.removeprefix("/blobs"), buffered=True)


def export_of(client: ApiClient, answer: TestResponse) -> dict[str, object]:
    assert answer.status_code == 202, answer.text
    shown = client.data(answer.headers["Location"])
    assert isinstance(shown, dict)
    return shown


# --- at once --------------------------------------------------------------------------------------


def test_a_small_export_is_the_whole_board_as_a_download(world: World) -> None:
    client = world.client(world.key(Role.USER))
    answer = asked(client)
    assert answer.status_code == 200
    assert (
        answer.headers["Content-Disposition"] == 'attachment; filename="leaderboard-global-all.csv"'
    )
    assert answer.headers["Cache-Control"] == "no-store"
    rows = lines(answer.data)
    assert [int(row["rank"]) for row in rows] == list(range(1, 1101))
    assert [int(row["github_id"]) for row in rows] == [person.id for person in CROWD]
    assert rows[3]["username"] == "'=cmd3()"
    head = world.services.boards.head("global", "all")
    assert answer.headers["X-Generation"] == head.generation
    assert answer.headers["X-Receipt"] == head.receipt.board
    assert answer.headers["X-Exporter"] == "user of a test"
    about = client.data(answer.headers["Location"])["about"]
    assert about["receipt"] == head.receipt.model_dump(mode="json")
    assert about["coverage"] == dict(head.coverage)


def test_every_format_holds_the_same_rows_and_what_they_are_of(world: World) -> None:
    client = world.client()
    head = world.services.boards.head("global", "all")
    whole = asked(client, format_="json").get_json()
    assert whole["about"]["generation"] == head.generation
    assert whole["about"]["rule_version"] == head.rules
    parquet = pq.read_table(io.BytesIO(asked(client, format_="parquet").data))
    assert parquet.to_pylist() == whole["rows"]
    assert len(whole["rows"]) == 1100
    first, *rest = asked(client, format_="ndjson").data.splitlines()
    assert [json.loads(line) for line in rest] == whole["rows"]
    assert json.loads(first)["about"]["receipt"] == whole["about"]["receipt"]
    assert asked(client, format_="xlsx").data.startswith(b"PK")


def test_an_older_generation_can_be_exported(world: World) -> None:
    before = world.services.boards.head("global", "all").generation
    world.services.publisher.publish(draft(CROWD[:10], "newer", board="global"))
    world.clock.advance(timedelta(minutes=2))
    client = world.client()
    assert len(lines(asked(client).data)) == 10
    assert len(lines(asked(client, filters={"generation": before}).data)) == 1100


def test_a_repository_and_all_classes_are_ranked_as_the_board_shows_them(gathered: World) -> None:
    client = setting(gathered).client(gathered.key(Role.USER))
    filters = {"repository": ENGINE.name, "class": "all"}
    answer = asked(client, "repository", "json", filters=filters)
    shown = client.data(f"/api/v1/leaderboard/{ENGINE.name}?class=all&page_size=100")
    rows = answer.get_json()["rows"]
    assert [(r["rank"], r["github_id"]) for r in rows] == [
        (r["rank"], r["github_id"]) for r in shown
    ]
    assert [r["score"] for r in rows] == [r["score"] for r in shown]
    assert [r["COMMIT"] for r in rows] == [r["counts"]["COMMIT"] for r in shown]


def test_somebodys_activity_is_exported_without_a_gap(gathered: World) -> None:
    client = gathered.client(gathered.key(Role.USER))
    days = "start_date=2025-03-01&end_date=2025-03-31&group_by=day"
    shown = client.data(f"/api/v1/contributors/{ANA.login}/activity?{days}")["timeline"]
    filters = {"login": "Ana", "start": "2025-03-01", "end": "2025-04-01", "group_by": "day"}
    rows = asked(client, "activity", "json", filters=filters).get_json()["rows"]
    assert len(rows) == 31
    assert [row["period"] for row in rows] == [period["period"] for period in shown]
    assert [row["COMMIT"] for row in rows] == [
        period["counts"].get("COMMIT", 0) for period in shown
    ]
    assert sum(row[kind.value] for row in rows for kind in Kind) > 0
    assert asked(client, "activity", filters={"login": "nobody"}).status_code == 404


def test_costs_and_the_trail_are_exported_to_the_last_record(world: World) -> None:
    admin = world.client(world.key(Role.ADMIN))
    records = asked(admin, "audit", "json").get_json()["rows"]
    assert [r["action"] for r in records] == [str(r["action"]) for r in world.audited()]
    assert records[-1]["action"] == "export.requested"
    assert lines(asked(admin, "costs").data) == []
    assert asked(world.client(), "audit").status_code == 401
    assert asked(world.client(world.key(Role.USER)), "audit").status_code == 403


BACKWARDS = {"start": "2025-02-01", "end": "2025-01-01"}


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"type": "global", "format": "doc"}, "format"),
        ({"type": "board", "format": "csv"}, "type"),
        ({"type": "global", "format": "csv", "filters": {"login": "ana"}}, "filters.login"),
        ({"type": "repository", "format": "csv"}, "filters.repository"),
        ({"type": "activity", "format": "csv"}, "filters.login"),
        ({"type": "costs", "format": "csv", "filters": BACKWARDS}, "filters.end"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_is_refused_with_the_field(
    world: World, wanted: dict[str, object], field: str
) -> None:
    answer = world.client().post("/api/v1/exports", wanted)
    assert answer.status_code == 400
    assert answer.get_json()["details"]["field"] == field
    assert not world.client().data("/api/v1/exports")


def test_more_than_the_most_is_refused_with_a_word_on_filters(world: World) -> None:
    head = world.services.boards.head("global", "all")
    many = {AccountClass.HUMAN: ClassPart(rows=600_000, pages=600)}
    (document,) = world.services.documents.get(pointer_path("global", "all"))
    assert document is not None
    body = head.model_copy(update={"classes": many}).model_dump_json().encode()
    world.services.documents.write([Write(document.path, document.fields, body)])
    world.clock.advance(timedelta(minutes=2))
    answer = asked(world.client())
    assert answer.status_code == 400
    assert "100 MB" in answer.get_json()["message"]
    assert "filters" in answer.get_json()["message"]


def test_a_key_has_five_an_hour(world: World) -> None:
    client, other = world.client(world.key(Role.USER)), world.client(world.key(Role.USER))
    for _ in range(exports.MOST_AN_HOUR):
        assert asked(client, "costs").status_code == 200
    refused = asked(client, "costs")
    assert refused.status_code == 429
    assert 3500 < int(refused.headers["Retry-After"]) <= 3601
    assert asked(other, "costs").status_code == 200
    world.clock.advance(timedelta(seconds=int(refused.headers["Retry-After"])))
    assert asked(client, "costs").status_code == 200


def test_every_export_is_on_the_trail_and_names_nobody(gathered: World) -> None:
    client = gathered.client(gathered.key(Role.USER))
    asked(client, "activity", filters={"login": "ana"})
    entry = gathered.audited()[-1]
    assert (entry["action"], entry["resource_type"]) == ("export.requested", "export")
    assert str(entry["actor_id"]).startswith("key:")
    assert "ana" not in str(entry["new_value"])


# --- by a job -------------------------------------------------------------------------------------


def test_a_large_export_is_made_by_a_job_and_fetched_by_a_link(by_job: World) -> None:
    client = by_job.client(by_job.key(Role.USER))
    answer = asked(client)
    shown = export_of(client, answer)
    assert (shown["state"], shown["link"]) == ("PENDING", None)
    deliver_all_of(by_job)
    shown = export_of(client, answer)
    assert shown["state"] == "READY"
    got = fetched(by_job, str(shown["link"]))
    assert got.status_code == 200
    assert len(lines(got.data)) == 1100
    assert shown["size"] == len(got.data)
    listed = client.data("/api/v1/exports")
    assert [each["id"] for each in listed] == [shown["id"]]
    job = client.data(f"/api/v1/jobs/{shown['job']}")
    assert (job["type"], job["state"]) == ("export", "COMPLETED")


def deliver_all_of(world: World) -> None:
    deliver_all(world.services, world.queue)


def test_a_link_works_for_an_hour_and_a_file_is_kept_for_a_day(by_job: World) -> None:
    client = by_job.client()
    answer = asked(client)
    deliver_all_of(by_job)
    link = str(export_of(client, answer)["link"])
    by_job.clock.advance(timedelta(minutes=59))
    assert fetched(by_job, link).status_code == 200
    by_job.clock.advance(timedelta(minutes=1))
    assert fetched(by_job, link).status_code == 403
    assert fetched(by_job, str(export_of(client, answer)["link"])).status_code == 200
    by_job.clock.advance(timedelta(hours=23))
    shown = export_of(client, answer)
    assert (shown["state"], shown["link"]) == ("EXPIRED", None)
    assert by_job.services.blobs.sweep(10) == 1


def test_an_export_is_shown_to_its_asker_and_to_admins_alone(by_job: World) -> None:
    owner, other = (by_job.client(by_job.key(Role.USER)) for _ in range(2))
    answer = asked(owner)
    address = answer.headers["Location"]
    assert other.get(address).status_code == 404
    assert other.data("/api/v1/exports") == []
    admin = by_job.client(by_job.key(Role.ADMIN))
    assert admin.get(address).status_code == 200
    assert len(admin.data("/api/v1/exports")) == 1


def test_a_step_that_is_killed_leaves_no_half_a_file_and_a_repeat_makes_the_same(
    by_job: World,
) -> None:
    client = by_job.client()
    answer = asked(client)
    (handed,) = by_job.queue.take()
    killed = replace(by_job.services, blobs=DyingBlobs(by_job.services.blobs))  # type: ignore[arg-type]
    with pytest.raises(Killed):
        deliver(killed, handed)
    shown = export_of(client, answer)
    assert (shown["state"], shown["link"]) == ("PENDING", None)
    by_job.clock.advance(timedelta(minutes=10))
    assert setting_retries(by_job) == 1
    deliver_all_of(by_job)
    shown = export_of(client, answer)
    assert shown["state"] == "READY"
    assert len(lines(fetched(by_job, str(shown["link"])).data)) == 1100
    assert job_steps.sweep(by_job.services) == 0


def setting_retries(world: World) -> int:
    """The sweep takes the dead worker's job for stuck and dispatches it anew."""
    chosen = world.services.settings.model_copy(update={"retry_seconds": (0,)})
    return job_steps.sweep(replace(world.services, settings=chosen))


class DyingBlobs:
    """Ends its caller in the middle of what it is given to put. Nothing else is asked of it."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def put(self, name: str, content: Iterable[bytes], **rest: Any) -> Blob:
        def some() -> Iterator[bytes]:
            yield next(iter(content))
            raise Killed

        return self._blobs.put(name, some(), **rest)

    def remove(self, name: str) -> None:
        self._blobs.remove(name)


def test_a_task_that_comes_twice_changes_nothing(by_job: World) -> None:
    client = by_job.client()
    answer = asked(client)
    (handed,) = by_job.queue.take()
    assert deliver(by_job.services, handed)
    first = export_of(client, answer)
    assert deliver(by_job.services, handed)
    assert export_of(client, answer)["expires_at"] == first["expires_at"]


def test_a_ready_file_is_told_signed_and_without_its_link(by_job: World) -> None:
    secret, url = "s" * 20, "https://example.org/in"
    posts: list[tuple[str, bytes, dict[str, str]]] = []

    class Mailbox:
        def post(self, to: str, body: bytes, headers: dict[str, str]) -> None:
            posts.append((to, body, headers))

    world = setting(by_job, notify_webhook_url=url, notify_webhook_secret=secret)
    world.services = replace(world.services, outward=Mailbox())  # type: ignore[arg-type]
    answer = asked(world.client())
    deliver_all_of(world)
    notices.sweep(world.services)
    ((to, body, headers),) = posts
    told = json.loads(body)
    assert (to, told["event"]) == (url, "export_ready")
    assert told["details"]["export"] == answer.headers["Location"].rsplit("/", 1)[1]
    assert b"signature" not in body
    expected = webhooks.signature(secret, headers[webhooks.TIMESTAMP_HEADER], body)
    assert headers[webhooks.SIGNATURE_HEADER] == expected


def test_the_clouds_blobs_hand_out_the_same_file(by_job: World) -> None:
    with storage("p-leaderboard-blobs") as server:
        blobs = CloudBlobs("p", server.bucket, now=by_job.clock, emulator_host=server.host)
        services = replace(by_job.services, blobs=blobs)
        cloud = replace(by_job, services=services, app=app_over(lambda: services))
        client = cloud.client()
        answer = asked(client, format_="parquet")
        deliver_all_of(cloud)
        got = httpx.get(str(export_of(client, answer)["link"]), trust_env=False)
        blobs.close()
    assert pq.read_metadata(io.BytesIO(got.content)).num_rows == 1100
    assert "leaderboard-global-all.parquet" in got.headers["Content-Disposition"]


# --- people ---------------------------------------------------------------------------------------


def test_somebody_removed_is_in_no_export_from_the_moment_they_are(
    make_world: Callable[[], World],
) -> None:
    made = make_world()
    made.ingest("team.json.gz", TEAM)
    made.register(ENGINE, WHEELS)
    world = setting(made, export_small_bytes=0)
    small, client = made.client(), world.client()
    stored = asked(client)
    deliver_all_of(world)
    link = str(export_of(client, stored)["link"])
    assert ANA.login in fetched(world, link).text
    waiting = asked(client, "activity", filters={"login": ANA.login})
    removals.remove(world.services, ANA.id, SYSTEM)
    # The wish is written and no board was made anew.
    at_once = asked(small)
    assert ANA.login not in at_once.text
    assert str(ANA.id) not in {row["github_id"] for row in lines(at_once.data)}
    assert asked(small, "activity", filters={"login": ANA.login}).status_code == 404
    world.work()
    assert fetched(world, link).status_code == 404
    assert export_of(client, stored)["state"] == "WITHDRAWN"
    assert client.get(waiting.headers["Location"]).status_code == 404
    documents = everything(world.services, "exports")
    assert ANA.login not in str([(document.fields, document.body) for document in documents])


def test_an_export_that_is_asked_for_while_somebody_goes_does_not_come_after(
    by_job: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def removing(services: Services, wanted: Wanted) -> Opened:
        source = opened(services, wanted)
        people.note_change(by_job.services)
        return source

    monkeypatch.setattr("shared.exports.opened", removing)
    answer = asked(by_job.client())
    assert answer.status_code == 503
    assert list(everything(by_job.services, "exports")) == []


@pytest.mark.parametrize("format_", ["xlsx", "parquet"])
def test_a_file_that_gives_nothing_before_its_last_row_is_no_request_s_work(
    world: World, format_: str
) -> None:
    admin = world.client(world.key(Role.ADMIN))
    assert asked(admin, "audit", format_).status_code == 202
    assert asked(admin, "audit", "csv").status_code == 200


def test_what_is_noted_of_exports_goes_with_retention(by_job: World) -> None:
    client = by_job.client()
    asked(client)
    deliver_all_of(by_job)
    by_job.clock.advance(timedelta(days=by_job.services.settings.retention_days + 1))
    counts = retention.apply(by_job.services, "a-round")
    assert (counts["exports"], counts["blobs"]) == (1, 1)
    assert client.data("/api/v1/exports") == []


def test_a_file_that_was_begun_before_a_wish_is_thrown_away(by_job: World) -> None:
    client = by_job.client()
    answer = asked(client)
    (handed,) = by_job.queue.take()

    class Wishing(DyingBlobs):
        def put(self, name: str, content: Iterable[bytes], **rest: Any) -> Blob:
            put = self._blobs.put(name, content, **rest)
            people.note_change(by_job.services)
            return put

    deliver(replace(by_job.services, blobs=Wishing(by_job.services.blobs)), handed)  # type: ignore[arg-type]
    shown = export_of(client, answer)
    assert (shown["state"], shown["link"]) == ("FAILED", None)  # no retries are left in this world
    assert jobs.get(by_job.services, str(shown["job"])).state is State.FAILED
    name = exports.get(by_job.services, str(shown["id"]))[0].blob
    assert by_job.services.blobs.about(name) is None
