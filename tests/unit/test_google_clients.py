"""Google's clients are made when they are needed, and what they lack is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.cloud import tasks_v2, tasks_v2beta3
from google.pubsub_v1 import types as pubsub
from grpc import StatusCode

from infra.gcp import ports
from infra.gcp.clients import Once
from infra.gcp.events import PubSubEvents
from infra.gcp.tasks import CloudTasks
from shared.errors import Rejected, RetryLater
from shared.ports import Task
from shared.settings import Settings
from tests.support.google_stub import GoogleStub, google_stub

NOW = datetime(2025, 3, 20, 12, tzinfo=UTC)
SETTINGS = Settings(
    backend="gcp",
    google_cloud_project="p",
    tasks_service_account="tasks@p.iam.gserviceaccount.com",
)


def test_a_value_is_made_once_and_again_after_it_was_taken_or_failed() -> None:
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        if len(made) == 1:
            raise OSError("not yet")
        return len(made)

    once = Once(make)
    with pytest.raises(OSError, match="not yet"):
        once()
    assert once() == once() == once.take() == 2
    assert once.take() is None
    assert once() == 3


def test_without_credentials_nothing_is_refused_before_it_is_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    documents, events = ports.documents(SETTINGS), ports.events(SETTINGS)
    tasks = ports.tasks(SETTINGS, lambda: NOW)
    for use in (
        lambda: documents.get("c/a"),
        lambda: events.publish("changed", {}, {}),
        lambda: tasks.add(Task("one", "work", {})),
        lambda: tasks.depths(),
    ):
        with pytest.raises(Rejected, match="credentials"):
            use()


@pytest.mark.parametrize("name", ["google_cloud_project", "tasks_service_account"])
def test_a_setting_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(Rejected, match=name.upper()):
        ports.tasks(SETTINGS.model_copy(update={name: None}), lambda: NOW)


def test_an_address_without_a_place_for_the_function_is_refused() -> None:
    with pytest.raises(Rejected, match="FUNCTION_URL"):
        ports.tasks(SETTINGS.model_copy(update={"function_url": "https://x"}), lambda: NOW)


def cloud_tasks(stub: GoogleStub) -> CloudTasks:
    stub.offer(
        "google.cloud.tasks.v2.CloudTasks",
        {"CreateTask": (tasks_v2.CreateTaskRequest, tasks_v2.Task, "unary_unary")},
    )
    stub.offer(
        "google.cloud.tasks.v2beta3.CloudTasks",
        {
            "ListQueues": (
                tasks_v2beta3.ListQueuesRequest, tasks_v2beta3.ListQueuesResponse, "unary_unary",
            )
        },
    )  # fmt: skip
    stub.usually["CreateTask"] = lambda request: request.task
    stub.start()
    settings = SETTINGS.model_copy(update={"cloud_tasks_emulator_host": stub.host})
    return ports.tasks(settings, lambda: NOW)


def test_a_task_names_its_queue_its_function_its_time_and_the_account_it_calls_as() -> None:
    with google_stub() as stub:
        tasks = cloud_tasks(stub)
        assert tasks.add(Task("one", "scrape", {"n": 1}, "low", NOW + timedelta(hours=1)))
        assert tasks.add(Task("two", "scrape", {}, "low", NOW - timedelta(hours=1)))
        tasks.close()
    one, two = (request.task for request in stub.requests["CreateTask"])
    queue = "projects/p/locations/us-central1/queues/leaderboard-low"
    assert stub.requests["CreateTask"][0].parent == queue
    assert one.name == f"{queue}/tasks/one"
    assert one.http_request.url == "https://us-central1-p.cloudfunctions.net/scrape"
    assert one.http_request.body == b'{"n": 1}'
    assert one.http_request.oidc_token.audience == one.http_request.url
    assert one.http_request.oidc_token.service_account_email == SETTINGS.tasks_service_account
    assert one.schedule_time == NOW + timedelta(hours=1)
    assert one.dispatch_deadline == timedelta(minutes=9)
    assert two.schedule_time is None


def test_failures_of_cloud_tasks_say_whether_to_try_again() -> None:
    task = Task("one", "scrape", {})
    with google_stub() as stub:
        tasks = cloud_tasks(stub)
        stub.answer("CreateTask", (StatusCode.UNAVAILABLE, "once"))
        assert tasks.add(task)
        stub.answer("CreateTask", (StatusCode.ALREADY_EXISTS, "taken"))
        assert not tasks.add(task)
        stub.answer("CreateTask", (StatusCode.NOT_FOUND, "no queue"))
        with pytest.raises(Rejected, match="leaderboard-default"):
            tasks.add(task)
        stub.answer("CreateTask", (StatusCode.RESOURCE_EXHAUSTED, "quota"))
        with pytest.raises(RetryLater, match="quota"):
            tasks.add(task)
        tasks.close()


def test_depths_of_all_queues_are_one_call_and_leave_out_queues_of_others() -> None:
    parent = "projects/p/locations/us-central1/queues"
    with google_stub() as stub:
        tasks = cloud_tasks(stub)
        stub.answer(
            "ListQueues",
            tasks_v2beta3.ListQueuesResponse(
                queues=[
                    {"name": f"{parent}/leaderboard-low", "stats": {"tasks_count": 7}},
                    {"name": f"{parent}/somebody-elses", "stats": {"tasks_count": 9}},
                ]
            ),
        )
        assert tasks.depths() == {"high": 0, "default": 0, "low": 7, "bulk": 0}
        assert set(stub.requests["ListQueues"][0].read_mask.paths) == {"name", "stats"}
        tasks.close()


def test_publishing_waits_for_the_answer_and_repeats_what_failed_on_the_way() -> None:
    with google_stub() as stub:
        stub.offer(
            "google.pubsub.v1.Publisher",
            {"Publish": (pubsub.PublishRequest, pubsub.PublishResponse, "unary_unary")},
        )
        stub.usually["Publish"] = lambda request: pubsub.PublishResponse(message_ids=["1"])
        stub.start()
        events = PubSubEvents("p", emulator_host=stub.host)
        stub.answer("Publish", (StatusCode.UNAVAILABLE, "once"))
        events.publish("changed", {"n": 1}, {"job": "j-1"})
        assert stub.calls["Publish"] == 2
        stub.answer("Publish", (StatusCode.RESOURCE_EXHAUSTED, "quota"))
        with pytest.raises(RetryLater, match="quota"):
            events.publish("changed", {}, {})
        events.close()
    assert stub.requests["Publish"][0].topic == "projects/p/topics/changed"
    (message,) = stub.requests["Publish"][0].messages
    assert (message.data, dict(message.attributes)) == (b'{"n": 1}', {"job": "j-1"})
