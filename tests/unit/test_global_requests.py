"""The global boards are made again only when something changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from functions import edge, recalculate
from shared import global_requests, jobs, recalculation, repositories
from shared.context import SYSTEM, Services
from shared.jobs import State
from shared.ports import Write
from tests.support.by_hand import HandQueue, by_hand, deliver_all
from tests.support.scenario import BOTH, LINES, everything, ingest, name_of, open_services, receipts
from tests.support.watched_ports import counting, watched


@pytest.fixture
def made(tmp_path: Path) -> tuple[Services, HandQueue]:
    """Two repositories on the boards, and nothing to do."""
    services, queue = by_hand(open_services(tmp_path / "data"))
    ingest(services, tmp_path / "files", {"events.json.gz": LINES})
    for repository in BOTH:
        repositories.register(services, name_of(repository), SYSTEM)
    deliver_all(services, queue)
    return services, queue


def test_unchanged_facts_cost_one_round_trip_and_publish_nothing(
    made: tuple[Services, HandQueue],
) -> None:
    services, queue = made
    calls: list[str] = []
    asked = global_requests.request_global_if_changed(watched(services, counting(calls)))
    assert asked is None
    assert calls == ["documents.get"]
    assert queue.depths() == {"all": 0}


@pytest.mark.parametrize(
    "change",
    [
        Write("state/account_classes", {"11": "bot"}),
        Write("state/scoring", {"version": 1}),
    ],
)
def test_other_rules_or_classes_are_a_change(
    made: tuple[Services, HandQueue], change: Write
) -> None:
    services, queue = made
    services.documents.write([change])
    assert global_requests.request_global_if_changed(services) is not None
    deliver_all(services, queue)
    assert global_requests.request_global_if_changed(services) is None


def test_a_change_that_was_noted_is_one(made: tuple[Services, HandQueue]) -> None:
    services, queue = made
    global_requests.note_change(services)
    assert queue.depths() == {"all": 0}
    assert global_requests.request_global_if_changed(services) is not None
    deliver_all(services, queue)
    assert not global_requests.outdated(services)


def test_a_change_whose_job_failed_is_tried_again(made: tuple[Services, HandQueue]) -> None:
    services, queue = made
    asked = global_requests.request_global(services)
    failed = asked.model_copy(update={"state": State.FAILED})
    services.documents.write([jobs.stored(failed)])
    queue.take()
    again = global_requests.request_global_if_changed(services)
    assert again is not None
    assert again.id != asked.id


def test_a_change_while_they_are_being_made_is_not_forgotten(
    made: tuple[Services, HandQueue],
) -> None:
    services, _ = made
    basis = global_requests.basis(services)
    global_requests.note_change(services)
    global_requests.made_from(services, basis)
    assert global_requests.outdated(services)
    global_requests.made_from(services, global_requests.basis(services))
    assert not global_requests.outdated(services)
    global_requests.made_from(services, replace(basis, asked=basis.asked - 1))
    assert not global_requests.outdated(services)


# --- everything anew ------------------------------------------------------------------------------


def test_everything_is_counted_anew_once_for_each_and_the_boards_stay(
    made: tuple[Services, HandQueue], monkeypatch: pytest.MonkeyPatch
) -> None:
    services, queue = made
    monkeypatch.setattr("shared.full_recalculation.REPOSITORIES_A_SLICE", 1)
    before = receipts(services)
    calls: list[str] = []
    time = "2025-03-23T04:00:00Z"
    for attempt in range(2):
        recalculate.everything(services, edge.Delivery({}, f"{time}#{attempt}", time))
    slices = [handed for handed in queue.given if handed.data.get("round")]
    deliver_all(watched(services, counting(calls)), queue)
    for handed in slices:
        recalculate.everything(services, edge.Delivery(handed.data, "late", "late"))
    deliver_all(services, queue)
    anew = [d for d in everything(services, "jobs") if d.fields["anew"]]
    assert sorted(d.id for d in anew) == [f"anew-20250323t040000z-{r.id}" for r in BOTH]
    assert {d.fields["state"] for d in anew} == {"COMPLETED"}
    assert calls.count("warehouse.derive") == len(BOTH)
    assert "events.publish" not in calls
    assert receipts(services) == before
    assert global_requests.outdated(services)
    actions = [d.fields["action"] for d in everything(services, "audit")]
    assert actions.count("recalculation.requested") == 1


def test_by_hand_what_is_counted_is_not_counted_again(made: tuple[Services, HandQueue]) -> None:
    services, queue = made
    calls: list[str] = []
    repository = repositories.get(services, name_of(BOTH[0]))
    recalculation.request_repository(services, repository, SYSTEM)
    deliver_all(watched(services, counting(calls)), queue)
    assert "warehouse.derive" not in calls
