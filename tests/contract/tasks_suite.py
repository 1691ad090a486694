"""What every implementation of Tasks does. An implementation is named in ``test_tasks.py``.

The suite gets a ``bench`` fixture: the port, a recording receiver, and a hold on time. Queues are
the declared ones: high 2, default 4, low 2 (ten a minute), bulk 1, retries after 60, 120, 240 s.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

import pytest

from shared.errors import Rejected
from shared.ports import Json, Queue, Task, Tasks
from tests.support.eventually import eventually
from tests.support.receiver import Receiver


class TasksBench(Protocol):
    """An implementation under test and the means to observe it."""

    @property
    def tasks(self) -> Tasks: ...

    @property
    def receiver(self) -> Receiver: ...

    def now(self) -> datetime: ...

    def advance(self, by: timedelta) -> None:
        """Let that much time pass for the implementation."""
        ...

    def deliver(self) -> None:
        """Return when everything due now was delivered and answered."""
        ...

    def delivering(self) -> AbstractContextManager[None]:
        """Deliver in the background within the block."""
        ...

    def restart(self) -> None:
        """Throw away every object and open the same state again."""
        ...


def task(name: str, queue: Queue = "default", **changes: Any) -> Task:
    return Task(name=name, function="work", body={"name": name}, queue=queue, **changes)


def names(bench: TasksBench) -> list[str]:
    return [call.json["name"] for call in bench.receiver.calls("work")]


def _started(bench: TasksBench, number: int) -> bool:
    return len(names(bench)) >= number


class TasksSuite:
    def test_a_task_calls_its_function_once_with_its_body(self, bench: TasksBench) -> None:
        body: dict[str, Json] = {"repository": "ä/😀", "days": [1, 2], "nested": {"none": None}}
        assert bench.tasks.add(Task("scrape-1", "scrape", body))
        bench.deliver()
        bench.deliver()
        (call,) = bench.receiver.calls("scrape")
        assert call.json == body
        assert call.headers["content-type"] == "application/json"

    def test_a_call_says_which_task_it_is_and_how_often_it_was_tried(
        self, bench: TasksBench
    ) -> None:
        bench.receiver.answer("work", 500, 404)
        bench.tasks.add(task("one", "high"))
        bench.deliver()
        bench.advance(timedelta(seconds=60))
        bench.deliver()
        bench.advance(timedelta(seconds=120))
        bench.deliver()
        calls = [call.headers for call in bench.receiver.calls("work")]
        assert {call["x-cloudtasks-queuename"] for call in calls} == {"high"}
        assert {call["x-cloudtasks-taskname"] for call in calls} == {"one"}
        assert [call["x-cloudtasks-taskretrycount"] for call in calls] == ["0", "1", "2"]
        # Answers of 500 and above do not count as executions.
        assert [call["x-cloudtasks-taskexecutioncount"] for call in calls] == ["0", "0", "1"]
        assert all(re.fullmatch(r"\d+\.\d+", call["x-cloudtasks-tasketa"]) for call in calls)

    def test_a_name_that_waits_is_not_added_again(self, bench: TasksBench) -> None:
        assert bench.tasks.add(task("one"))
        assert not bench.tasks.add(Task("one", "work", {"name": "another"}))
        bench.deliver()
        assert names(bench) == ["one"]

    def test_a_name_stays_taken_for_hours_after_its_task_has_ended(self, bench: TasksBench) -> None:
        bench.tasks.add(task("one"))
        bench.deliver()
        assert not bench.tasks.add(task("one"))
        bench.advance(timedelta(minutes=59))
        bench.restart()
        assert not bench.tasks.add(task("one"))
        bench.deliver()
        assert names(bench) == ["one"]

    def test_a_name_is_free_again_after_two_days(self, bench: TasksBench) -> None:
        bench.tasks.add(task("one"))
        bench.deliver()
        bench.advance(timedelta(days=2))
        assert bench.tasks.add(task("one"))
        bench.deliver()
        assert names(bench) == ["one", "one"]

    def test_a_name_of_one_queue_is_free_in_another(self, bench: TasksBench) -> None:
        assert bench.tasks.add(task("one", "high"))
        assert bench.tasks.add(task("one", "bulk"))
        bench.deliver()
        assert names(bench) == ["one", "one"]

    def test_a_delayed_task_waits_for_its_time(self, bench: TasksBench) -> None:
        bench.tasks.add(task("later", not_before=bench.now() + timedelta(minutes=10)))
        bench.deliver()
        bench.advance(timedelta(minutes=9, seconds=59))
        bench.deliver()
        assert names(bench) == []
        bench.advance(timedelta(seconds=1))
        bench.deliver()
        assert names(bench) == ["later"]

    def test_a_time_that_has_passed_means_now(self, bench: TasksBench) -> None:
        bench.tasks.add(task("late", not_before=bench.now() - timedelta(days=1)))
        bench.deliver()
        assert names(bench) == ["late"]

    @pytest.mark.parametrize(
        ("queue", "limit", "another"),
        [("high", 2, "bulk"), ("default", 4, "high"), ("bulk", 1, "default")],
    )
    def test_no_more_calls_of_a_queue_run_at_once_than_it_allows(
        self, bench: TasksBench, queue: Queue, limit: int, another: Queue
    ) -> None:
        for number in range(3 * limit):
            bench.tasks.add(task(f"task-{number}", queue))
        with bench.delivering(), bench.receiver.holding():
            eventually(lambda: bench.receiver.busy["work"] == limit)
            # Another queue is served while this one is full.
            bench.tasks.add(Task("urgent", "other", {}, another))
            eventually(lambda: bench.receiver.calls("other"))
        bench.deliver()
        assert len(names(bench)) == 3 * limit
        assert bench.receiver.most_busy["work"] == limit

    def test_a_backlog_does_not_hold_up_an_urgent_task(self, bench: TasksBench) -> None:
        for number in range(20):
            bench.tasks.add(task(f"old-{number}", "bulk"))
        bench.tasks.add(task("urgent", "high"))
        with bench.delivering(), bench.receiver.holding():
            eventually(lambda: "urgent" in names(bench))
            assert len(names(bench)) <= 2

    def test_the_low_queue_starts_at_most_ten_tasks_a_minute(self, bench: TasksBench) -> None:
        for number in range(12):
            bench.tasks.add(task(f"enrich-{number}", "low"))
        with bench.delivering():
            eventually(lambda: len(names(bench)) == 1)
            for started in range(2, 11):
                bench.advance(timedelta(seconds=6))
                eventually(partial(_started, bench, started))
            bench.advance(timedelta(seconds=5))
            bench.tasks.add(Task("probe", "other", {}))
            eventually(lambda: bench.receiver.calls("other"))
            assert len(names(bench)) == 10

    def test_a_failing_task_is_repeated_after_60_120_and_240_seconds_and_then_dropped(
        self, bench: TasksBench
    ) -> None:
        bench.receiver.answer("work", 500, 302, 429, 503, 500)
        bench.tasks.add(task("one"))
        bench.deliver()
        for attempts, wait in enumerate((60, 120, 240), start=1):
            bench.advance(timedelta(seconds=wait - 1))
            bench.deliver()
            assert len(names(bench)) == attempts
            bench.advance(timedelta(seconds=1))
            bench.deliver()
            assert len(names(bench)) == attempts + 1
        assert bench.tasks.depths()["default"] == 0
        bench.advance(timedelta(hours=1))
        bench.deliver()
        assert len(names(bench)) == 4

    def test_the_name_of_a_dropped_task_stays_taken(self, bench: TasksBench) -> None:
        bench.receiver.answer("work", *[500] * 4)
        bench.tasks.add(task("one"))
        for wait in (0, 60, 120, 240):
            bench.advance(timedelta(seconds=wait))
            bench.deliver()
        assert not bench.tasks.add(task("one"))

    def test_a_call_that_is_cut_off_is_repeated(self, bench: TasksBench) -> None:
        bench.receiver.answer("work", 0)
        bench.tasks.add(task("one"))
        bench.deliver()
        bench.advance(timedelta(seconds=60))
        bench.deliver()
        assert names(bench) == ["one", "one"]

    def test_a_task_is_delivered_when_a_dead_receiver_is_back(self, bench: TasksBench) -> None:
        bench.receiver.die()
        bench.tasks.add(task("one"))
        bench.deliver()
        assert bench.tasks.depths()["default"] == 1
        bench.receiver.start()
        bench.advance(timedelta(seconds=60))
        bench.deliver()
        assert names(bench) == ["one"]

    def test_tasks_and_their_attempts_survive_a_restart(self, bench: TasksBench) -> None:
        bench.receiver.answer("work", 500)
        bench.tasks.add(task("failed"))
        bench.deliver()
        bench.tasks.add(task("waiting", not_before=bench.now() + timedelta(seconds=60)))
        bench.restart()
        bench.advance(timedelta(seconds=60))
        bench.deliver()
        assert sorted(names(bench)[1:]) == ["failed", "waiting"]
        retries = {
            call.json["name"]: call.headers["x-cloudtasks-taskretrycount"]
            for call in bench.receiver.calls("work")
        }
        assert retries == {"failed": "1", "waiting": "0"}

    def test_depths_count_what_has_not_ended(self, bench: TasksBench) -> None:
        assert bench.tasks.depths() == {"high": 0, "default": 0, "low": 0, "bulk": 0}
        bench.tasks.add(task("one", "high"))
        bench.tasks.add(task("two", "high", not_before=bench.now() + timedelta(hours=1)))
        bench.tasks.add(task("three", "bulk"))
        assert bench.tasks.depths() == {"high": 2, "default": 0, "low": 0, "bulk": 1}
        bench.deliver()
        assert bench.tasks.depths() == {"high": 1, "default": 0, "low": 0, "bulk": 0}

    @pytest.mark.parametrize(
        "hopeless",
        [
            Task("a name with spaces", "work", {}),
            Task("", "work", {}),
            Task("x" * 501, "work", {}),
            Task("one", "../work", {}),
            Task("one", "work", {}, "urgent"),  # type: ignore[arg-type]
            Task("one", "work", {"text": "x" * 1_100_000}),
            Task("one", "work", {"number": float("nan")}),
        ],
        ids=["spaces", "empty", "long", "path", "queue", "large", "not JSON"],
    )
    def test_a_task_that_could_never_be_delivered_is_rejected(
        self, bench: TasksBench, hopeless: Task
    ) -> None:
        with pytest.raises(Rejected):
            bench.tasks.add(hopeless)

    def test_a_task_due_in_more_than_thirty_days_is_rejected(self, bench: TasksBench) -> None:
        with pytest.raises(Rejected):
            bench.tasks.add(task("one", not_before=bench.now() + timedelta(days=31)))
