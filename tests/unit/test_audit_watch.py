"""The nightly check of the trail: what is new, some of the rest, and what a finding leads to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared import audit_integrity, audit_watch, notices
from shared.audit_seals import CHAIN
from shared.audit_watch import Watched
from shared.ports import Write
from tests.support.audit_trail import change, remove, sealed, stored
from tests.support.job_world import World
from tests.support.scenario import everything
from tests.support.watched_documents import Killed, WatchedDocuments, kill_after


@pytest.fixture
def told_outside(world: World) -> World:
    """A world in which somebody is to be told."""
    settings = world.services.settings.model_copy(
        update={"slack_webhook_url": "http://127.0.0.1:9"}
    )
    world.services = replace(world.services, settings=settings)
    return world


def night(world: World, sweeps: int = 4) -> list[str]:
    """The sweeps after a midnight. Returns what was said to be wrong, in order."""
    world.clock.advance(timedelta(days=1))
    with capture_logs() as logged:
        for _ in range(sweeps):
            audit_watch.check(world.services)
    return [line["reason"] for line in logged if line["event"] == "audit_not_intact"]


def watched(world: World) -> Mapping[str, Any]:
    return stored(world, audit_watch.STATE).fields


def records(world: World) -> list[str]:
    found = everything(world.services, "audit")
    return [str(d.fields["description"]) for d in found if d.fields["category"] == "audit"]


def test_a_night_checks_what_is_new_once_and_later_sweeps_of_the_day_nothing(world: World) -> None:
    sealed(world, 3, 2)
    assert night(world) == []
    assert (watched(world)["seal"], watched(world)["place"]) == (2, "records.")
    sealed(world, 4)
    found, *_ = audit_watch._new_seals(world.services, Watched.model_validate(watched(world)))
    assert (found.seals, found.records) == (1, 4)
    assert night(world) == []
    documents = WatchedDocuments(world.services.documents)
    audit_watch.check(replace(world.services, documents=documents))
    assert documents.read == [audit_watch.STATE]


def test_new_seals_are_checked_in_slices_before_the_day_is_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_integrity, "_SEALS_A_SLICE", 1)
    sealed(world, 1, 1, 1)
    seen = []
    for _ in range(4):
        audit_watch.check(world.services)
        seen.append((watched(world)["seal"], watched(world)["day"] != ""))
    assert seen == [(1, False), (2, False), (3, True), (3, True)]


def test_what_is_wrong_with_new_records_is_logged_told_and_put_on_the_trail_once(
    told_outside: World,
) -> None:
    world = told_outside
    sealed(world, 2)
    assert night(world) == []
    (batch,) = sealed(world, 3)
    remove(world, f"audit/{batch[1]}")
    said = f"Record {batch[1]} was removed."
    assert night(world) == [said]
    assert records(world) == [said]
    (notice,) = notices.waiting(world.services, audit_watch.EVENT)
    assert notice.text.startswith(said)
    assert notice.details["fault"] == {"record": batch[1], "what": "removed", "seal": 2}


def test_what_was_tampered_with_long_after_it_was_checked_is_found_by_the_round(
    world: World,
) -> None:
    first, _ = sealed(world, 2, 2)
    assert night(world) == []
    change(world, f"audit/{first[0]}", actor_id="nobody")
    found = [line for _ in range(3) for line in night(world)]
    assert set(found) == {f"Record {first[0]} was changed."}


def test_a_record_with_an_endless_id_is_told_of_all_the_same(told_outside: World) -> None:
    world = told_outside
    sealed(world, 2)
    (somebody, *_) = everything(world.services, "audit")
    world.services.documents.write([Write(f"audit/{'0' * 1400}", {**somebody.fields, "seal": 1})])
    found = [line for _ in range(2) for line in night(world)]
    assert found == [f"Record {'0' * 100} was added."]
    assert len(notices.waiting(world.services, audit_watch.EVENT)) == 1


BREAKS: Mapping[str, tuple[Callable[[World], None], str]] = {
    "a new seal is missing": (lambda w: remove(w, "audit_seals/3"), "Seal 3 is missing."),
    "a new seal was changed": (lambda w: change(w, "audit_seals/3", count=9), "Seal 3 is changed."),
    "the last that was checked": (lambda w: remove(w, "audit_seals/2"), "Seal 3 is unlinked."),
    "the chain is missing": (lambda w: remove(w, CHAIN), "Seal 1 is unlinked."),
    "the chain is longer": (lambda w: change(w, CHAIN, number=10**12), "Seal 5 is missing."),
    "all is gone": (lambda w: empty(w), "Seal 2 is missing."),
    "the chain is shorter": (lambda w: shorten(w), "Seal 1 is replaced."),
}


def empty(world: World) -> None:
    for collection in ("audit", "audit_seals"):
        for document in everything(world.services, collection):
            remove(world, document.path)
    remove(world, CHAIN)


def shorten(world: World) -> None:
    change(world, CHAIN, number=1)


@pytest.mark.parametrize("how", BREAKS)
def test_a_chain_that_was_broken_is_told_of(world: World, how: str) -> None:
    sealed(world, 1, 1)
    assert night(world) == []
    sealed(world, 1, 1)
    tamper, said = BREAKS[how]
    tamper(world)
    assert night(world)[0].startswith(said)


def test_a_chain_that_was_made_anew_is_not_the_one_that_was_checked(world: World) -> None:
    sealed(world, 2)
    assert night(world) == []
    empty(world)
    sealed(world, 3)
    assert night(world)[0] == "Seal 1 is replaced."


@pytest.mark.parametrize("at", [1, 2])
def test_a_kill_leaves_the_finding_to_the_next_sweep(told_outside: World, at: int) -> None:
    world = told_outside
    (batch,) = sealed(world, 2)
    change(world, f"audit/{batch[0]}", actor_id="nobody")
    documents = WatchedDocuments(world.services.documents)
    documents.after_write = kill_after(at)
    with pytest.raises(Killed):
        audit_watch.check(replace(world.services, documents=documents))
    audit_watch.check(world.services)
    said = f"Record {batch[0]} was changed."
    assert records(world) == [said]
    assert len(notices.waiting(world.services, audit_watch.EVENT)) == 1


def test_notes_that_cannot_be_read_make_everything_new(world: World) -> None:
    sealed(world, 2)
    assert night(world) == []
    change(world, audit_watch.STATE, seal="x")
    change(world, "audit_seals/1", count=7)
    assert night(world)[0] == "Seal 1 is changed."


def test_a_place_of_another_version_begins_the_round_anew(world: World) -> None:
    sealed(world, 2)
    assert night(world) == []
    change(world, audit_watch.STATE, place="elsewhere")
    assert night(world) == []
    assert watched(world)["place"] == "records."
