"""Functions on one port, with tasks, events and schedules delivered to them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.local.dev_server import RunningServer, ServerPlan, listen, running_server
from infra.local.events import Subscription
from infra.local.lanes import Pacing, Retry
from infra.local.serving import discover
from infra.local.tasks import TaskQueue
from infra.local.threads import AT_ONCE
from shared.errors import Rejected
from shared.ports import Task
from tests.support import serve_tiny, tiny_functions
from tests.support.eventually import eventually

ROOT = Path(__file__).parents[2]
SOURCE = Path(tiny_functions.__file__)
SOON = timedelta(seconds=30)
IMPATIENT = TaskQueue(
    "default",
    Pacing(AT_ONCE),
    Retry(timedelta(seconds=0.1), timedelta(seconds=0.1), max_attempts=50),
)


def plan(directory: Path, **changes: Any) -> ServerPlan:
    settings: dict[str, Any] = {
        "source": SOURCE,
        "front": "tests.support.tiny_functions:front",
        "state": directory / "queue.sqlite",
        "port": 0,
        "queues": (IMPATIENT,),
        "subscriptions": (Subscription("changes", "changes-sub", "changed"),),
        "schedules": (),
    }
    return ServerPlan(**(settings | changes))


def get(url: str) -> Any:
    """JSON from a server that may be on its way back up."""

    def attempt() -> httpx.Response | None:
        try:
            return httpx.get(url, timeout=20, trust_env=False, verify=False)
        except httpx.TransportError:
            return None

    answer = eventually(attempt)
    assert answer is not None
    return answer.raise_for_status().json()


def refuses(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", int(url.rsplit(":", 1)[1]))) != 0


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(plan(tmp_path_factory.mktemp("server"))) as running:
        yield running


def test_the_public_function_has_every_path_but_those_of_the_others(server: RunningServer) -> None:
    assert get(f"{server.url}/repositories/1")["path"] == "/repositories/1"
    assert get(f"{server.url}/api/v1/jobs")["path"] == "/api/v1/jobs"


def test_strangers_reach_only_the_public_function(server: RunningServer) -> None:
    wrong = {"X-Leaderboard-Internal": "guessed"}
    for path in ("work", "changed"):
        assert httpx.post(f"{server.url}/{path}", json={}).status_code == 403
        assert httpx.post(f"{server.url}/{path}", json={}, headers=wrong).status_code == 403


def test_it_listens_on_loopback_and_tells_functions_the_port_it_found(
    server: RunningServer,
) -> None:
    assert server.url.startswith("http://127.0.0.1:")
    assert server.url.endswith(get(server.url)["port"])


def test_what_comes_before_the_functions_answers_first(server: RunningServer) -> None:
    assert httpx.get(f"{server.url}/at-once", trust_env=False).text == "at once"
    assert get(f"{server.url}/at-once/more")["path"] == "/at-once/more"


@pytest.mark.parametrize("holding", ["silence", "stream", "delivery"])
def test_pages_wait_for_none_that_wait(tmp_path: Path, holding: str) -> None:
    """Neither for connections that say nothing, nor for streams, nor for what is delivered."""
    known = {"X-Leaderboard-Internal": "known"}

    def hold(client: httpx.Client) -> None:
        if holding == "delivery":
            client.post("/work", json={"held": True}, headers=known)
        else:
            client.get("/held")

    with (
        running_server(plan(tmp_path, secret="known")) as server,
        ThreadPoolExecutor(AT_ONCE) as readers,
        ExitStack() as stack,
    ):
        # A connection's first request has a thread of its own, so each has had one before.
        clients = [
            stack.enter_context(
                httpx.Client(base_url=server.url, timeout=60, trust_env=False, verify=False)
            )
            for _ in range(AT_ONCE + 1)
        ]
        for client in clients:
            client.get("/").raise_for_status()
        *others, mine = clients
        if holding == "silence":
            address = ("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
            for _ in others:
                stack.enter_context(socket.create_connection(address))
        else:
            stack.callback(lambda: get(f"{server.url}/let-go"))
            for client in others:
                readers.submit(hold, client)
            # On connections of their own, which are answered all the same.
            eventually(lambda: get(server.url)["held"] == AT_ONCE)
        assert mine.get("/", timeout=4).json()["held"] == (0 if holding == "silence" else AT_ONCE)


def test_tasks_reach_their_function_and_share_state_with_the_others(server: RunningServer) -> None:
    server.tasks.add(Task("one", "work", {"n": 1}))
    assert server.drain(SOON)
    assert {"function": "work", "body": {"n": 1}} in get(server.url)["seen"]


def test_a_cloud_event_function_gets_what_was_published(server: RunningServer) -> None:
    server.events.publish("changes", {"repository": 7}, {"job": "j-1"})
    assert server.drain(SOON)
    (event,) = [item for item in get(server.url)["seen"] if item["function"] == "changed"]
    assert event["type"] == "google.cloud.pubsub.topic.v1.messagePublished"
    assert event["source"] == "//pubsub.googleapis.com/projects/local/topics/changes"
    assert event["data"] == {"repository": 7}
    assert event["attributes"] == {"job": "j-1"}
    assert event["id"] == event["messageId"]


def test_a_worker_that_kills_itself_over_a_task_gets_it_again(
    server: RunningServer, tmp_path: Path
) -> None:
    body = {"die_once": str(tmp_path / "died")}
    server.tasks.add(Task("deadly", "work", body))
    eventually(lambda: server.tasks.depths()["default"] == 0)
    assert {"function": "work", "body": body} in get(server.url)["seen"]


def test_a_killed_server_process_is_replaced_and_loses_no_task(server: RunningServer) -> None:
    before = server.server_pid
    os.kill(before, signal.SIGKILL)
    server.tasks.add(Task("after-the-kill", "work", {"n": 2}))
    eventually(lambda: server.server_pid != before)
    eventually(lambda: server.tasks.depths()["default"] == 0)
    eventually(lambda: {"function": "work", "body": {"n": 2}} in get(server.url)["seen"])


def test_a_taken_port_is_reported_with_the_setting_that_changes_it(
    server: RunningServer, tmp_path: Path
) -> None:
    port = int(server.url.rsplit(":", 1)[1])
    with (
        pytest.raises(Rejected, match=rf"Port {port} .* taken.*Set PORT") as refused,
        running_server(plan(tmp_path, port=port)),
    ):
        pass
    assert refused.value.details["variable"] == "PORT"


def test_an_address_that_is_not_ours_is_reported_with_the_setting_that_changes_it() -> None:
    with pytest.raises(Rejected, match="HOST"):
        listen("192.0.2.1", 0)


def test_functions_that_do_not_load_are_reported(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("raise RuntimeError('half-written')")
    with (
        pytest.raises(Rejected, match=r"broken\.py"),
        running_server(plan(tmp_path, source=broken)),
    ):
        pass


def test_functions_may_be_named_one_by_one(tmp_path: Path) -> None:
    named = plan(tmp_path, functions={"front-door": ("api", "http")}, root="front-door")
    with running_server(named) as running:
        assert get(f"{running.url}/front-door/x")["path"] == "/front-door/x"
        assert get(f"{running.url}/work")["path"] == "/work"


def test_discovery_finds_the_marked_functions_and_their_kinds() -> None:
    assert discover(SOURCE) == {
        "api": ("api", "http"),
        "work": ("work", "http"),
        "changed": ("changed", "cloudevent"),
    }


def test_a_function_exported_under_another_name_is_refused(tmp_path: Path) -> None:
    alias = tmp_path / "alias.py"
    alias.write_text("from tests.support.tiny_functions import changed as renamed\n")
    with pytest.raises(Rejected, match="renamed"):
        discover(alias)


def test_after_the_block_nothing_listens_and_nothing_runs(tmp_path: Path) -> None:
    with running_server(plan(tmp_path)) as running:
        url, pid = running.url, running.server_pid
        worker = get(url)["pid"]
    assert refuses(url)
    assert gone(pid)
    eventually(lambda: gone(worker))


def test_several_workers_answer_and_end_together(tmp_path: Path) -> None:
    pids: set[int] = set()
    with running_server(plan(tmp_path, workers=2)) as running:

        def both() -> bool:
            with ThreadPoolExecutor(8) as crowd:
                pids.update(crowd.map(lambda _: get(running.url)["pid"], range(8)))
            return len(pids) == 2

        eventually(both)
    eventually(lambda: all(gone(pid) for pid in pids))


def test_work_left_at_the_end_is_done_at_the_next_start(tmp_path: Path) -> None:
    nowhere = plan(tmp_path, functions={"api": ("api", "http")})
    with running_server(nowhere) as running:
        running.tasks.add(Task("one", "work", {"n": 1}))
        later = Task("two", "api", {})
        running.tasks.add(later)
    with running_server(plan(tmp_path)) as running:
        eventually(lambda: running.tasks.depths()["default"] == 0)


@contextmanager
def _serving(directory: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, int]]:
    with subprocess.Popen(
        [sys.executable, "-m", serve_tiny.__name__, str(directory / "queue.sqlite")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
    ) as parent:
        try:
            assert parent.stdout is not None
            url, pid = parent.stdout.readline().decode().split()
            yield parent, url, int(pid)
        finally:
            parent.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with _serving(tmp_path) as (parent, url, pid):
        assert get(url)
        parent.send_signal(number)
        assert parent.wait(30) == 0
        assert refuses(url)
        eventually(lambda: gone(pid))


def test_a_killed_parent_takes_the_server_process_with_it(tmp_path: Path) -> None:
    with _serving(tmp_path) as (parent, url, pid):
        worker = get(url)["pid"]
        parent.kill()
        parent.wait(30)
        eventually(lambda: gone(pid) and gone(worker))
        eventually(lambda: refuses(url))
