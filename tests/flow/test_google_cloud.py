"""The whole flow on Google's emulators, from real files as archive tables to the served page."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest

from infra.clock import utc_now
from infra.gcp.bigquery_names import Place
from infra.ingest import ingest_file
from infra.local.deliveries import DeliveryStore
from infra.local.dispatch import Dispatcher
from infra.local.events import SUBSCRIPTIONS
from infra.services import build
from shared import auth, jobs, repositories
from shared.boards import GLOBAL, repository_board
from shared.context import SYSTEM, Services
from shared.jobs import State
from shared.models import WINDOW_DAYS, RepositoryName
from shared.ports import Query
from shared.settings import Settings
from tests.support.bigquery_archive import archive_rows, publish
from tests.support.bigquery_bench import make_tables
from tests.support.bigquery_server import BigQueryServer, bigquery
from tests.support.by_hand import by_hand, deliver_all
from tests.support.cloud import ACCOUNT, Platform, platform
from tests.support.cloud_tasks_server import CloudTasksServer
from tests.support.eventually import eventually
from tests.support.pubsub_bench import subscribed
from tests.support.real_data import real_file
from tests.support.scenario import head, open_services

LOCATION = "us-central1"
FILES = {
    "day.20150101": ("gha-2015-01-01-0",),
    "day.20160707": ("gha-2016-07-07-first2000-pinot-parquet",),
    "day.20210721": ("gha-2021-07-21-sample800-pinot",),
}
HISTORY = (utc_now().date() - date(2015, 1, 1)).days + 2


@dataclass
class Cloud:
    """A project with everything in it, its front, and services that look into it."""

    platform: Platform
    bigquery: BigQueryServer
    services: Services
    key: str

    def call(self, method: str, path: str, **options: object) -> httpx.Response:
        return httpx.request(
            method, f"{self.platform.url}/api{path}", headers={"X-API-Key": self.key},
            timeout=60, trust_env=False, **options,  # type: ignore[arg-type]
        )  # fmt: skip

    def is_quiet(self) -> bool:
        """True when no job is under way."""
        page = self.services.documents.query(Query("jobs", limit=500))
        return all(jobs.read(document).ended for document in page.documents)


@contextmanager
def cloud(folder: Path, firestore: str, pubsub: str) -> Iterator[Cloud]:
    project = f"p{uuid.uuid4().hex[:12]}"
    with ExitStack() as stack:
        front = stack.enter_context(platform(folder / "functions"))
        warehouse = stack.enter_context(bigquery())
        make_tables(warehouse, Place(project, "leaderboard", "US"))
        store = DeliveryStore(folder / "tasks.sqlite", utc_now)
        tasks = CloudTasksServer(
            f"projects/{project}/locations/{LOCATION}", store, prefix="leaderboard-"
        )
        stack.callback(tasks.stop)
        dispatcher = Dispatcher(store, (tasks,), base_url=front.url, secret="")
        stack.callback(dispatcher.stop, timedelta(seconds=30))
        stack.enter_context(subscribed(pubsub, project, SUBSCRIPTIONS, front.url))
        settings = {
            "BACKEND": "gcp", "GOOGLE_CLOUD_PROJECT": project, "GOOGLE_CLOUD_LOCATION": LOCATION,
            "FIRESTORE_EMULATOR_HOST": firestore, "PUBSUB_EMULATOR_HOST": pubsub,
            "BIGQUERY_EMULATOR_HOST": warehouse.host, "CLOUD_TASKS_EMULATOR_HOST": tasks.host,
            "TASKS_SERVICE_ACCOUNT": ACCOUNT, "INVOKER_SERVICE_ACCOUNTS": ACCOUNT,
            "FUNCTION_URL": f"{front.url}/{{function}}", "SETTLE_SECONDS": "0",
            "HISTORY_DAYS": str(HISTORY), "LOG_FORMAT": "json",
        }  # fmt: skip
        front.environment.update(settings)
        chosen = {name.lower(): value for name, value in settings.items()}
        chosen["invoker_service_accounts"] = (ACCOUNT,)  # type: ignore[assignment]
        services = build(Settings.model_validate(chosen))
        key = auth.create_first_key(services)
        assert key is not None
        dispatcher.start()
        yield Cloud(front, warehouse, services, key)


def most_active(services: Services, count: int) -> list[RepositoryName]:
    found = services.warehouse.query("most_active_repositories", {"top": count})
    ids = found["repo_id"].to_pylist()
    names = services.warehouse.query("latest_repository_names", {"repo_ids": ids})
    return [RepositoryName.parse(name) for name in names["repo_name"].to_pylist()]


def shown(services: Services, names: Sequence[RepositoryName]) -> dict[tuple[str, str], str]:
    """The hash of every board, by board and window."""
    boards = [GLOBAL]
    for name in names:
        github_id = repositories.get(services, name).github_id
        assert github_id is not None
        boards.append(repository_board(github_id))
    found = {(b, w): head(services, b, w) for b in boards for w in WINDOW_DAYS}
    return {place: f"{at.generation} {at.receipt.board}" for place, at in found.items() if at}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("backend", [pytest.param("gcp", id="firestore-pubsub")])
def test_real_hours_as_archive_tables_give_the_boards_of_the_embedded_backend(
    tmp_path: Path, firestore_emulator: str, pubsub_emulator: str, backend: str
) -> None:
    paths = {table: [real_file(name) for name in names] for table, names in FILES.items()}
    here, queue = by_hand(open_services(tmp_path / "here"))
    for path in (path for each in paths.values() for path in each):
        ingest_file(here.warehouse, path, now=utc_now())
    names = most_active(here, 3)
    for name in names:
        repositories.register(here, name, SYSTEM)
    deliver_all(here, queue)

    assert backend == "gcp"
    with cloud(tmp_path / "cloud", firestore_emulator, pubsub_emulator) as there:
        publish(there.bigquery, "month.201401", [])
        for table, files in paths.items():
            rows = (row for path in files for row in archive_rows(path))
            publish(there.bigquery, table, rows)
        for name in names:
            answer = there.call("POST", "/api/v1/repositories", json={"repository": name.full})
            assert answer.status_code in {200, 201}, answer.text
        eventually(there.is_quiet, within=240)
        assert [(job.state, job.error) for job in everything(there.services) if job.repository] == [
            (State.COMPLETED, None)
        ] * len(names)

        answer = there.platform.schedule("run_pipeline")
        assert answer.status_code == 204, answer.text
        eventually(there.is_quiet, within=240)
        eventually(lambda: shown(there.services, names) == shown(here, names), within=60)

        page = there.call("GET", f"/repositories/{names[0].full}")
        assert page.status_code == 200
        board = there.call("GET", f"/api/v1/leaderboard/{names[0].full}").json()
        assert board["data"][0]["username"] in page.text
        scanned = [job.statement for job in there.bigquery.ran("extract_events")]
        assert len(scanned) == len(FILES)
        assert there.services.budget.room().bytes > 0


def test_a_stranger_cannot_call_a_function_of_the_platform(
    tmp_path: Path, firestore_emulator: str, pubsub_emulator: str
) -> None:
    with cloud(tmp_path, firestore_emulator, pubsub_emulator) as there:
        own = there.platform.address_of("sweep_jobs")
        for headers in ({}, {"Authorization": f"Bearer {there.platform.token('api')}"}):
            answer = httpx.post(own, json={}, headers=headers, timeout=30, trust_env=False)
            assert answer.status_code == 403
        assert there.platform.schedule("sweep_jobs").status_code == 204


def everything(services: Services) -> list[jobs.Job]:
    page = services.documents.query(Query("jobs", limit=500))
    return [jobs.read(document) for document in page.documents]
