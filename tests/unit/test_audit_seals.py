"""Sealing the audit trail: batches in a chain, whoever comes late and wherever it is killed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared import audit, audit_seals
from shared.audit_integrity import Break, Checked
from shared.audit_seals import CHAIN, MOST_RECORDS, Seal
from shared.context import SYSTEM
from tests.support.audit_trail import check, remove, sealed, seals, stored, told
from tests.support.job_world import World
from tests.support.watched_documents import Killed, WatchedDocuments, kill_after


def test_each_seal_lists_its_records_and_follows_the_one_before(world: World) -> None:
    first, second = sealed(world, 3, 2)
    found = {n: Seal.model_validate(d.fields) for n, d in seals(world.services).items()}
    assert [list(audit_seals.listed(d.body or b"")) for d in seals(world.services).values()] == [
        first,
        second,
    ]
    assert found[1].previous == audit_seals.GENESIS
    assert found[2].previous == found[1].hash != found[2].hash
    assert (found[2].first, found[2].last, found[2].count) == (second[0], second[-1], 2)
    assert check(world) == Checked(seals=2, records=5, last=2, hash=found[2].hash)


def test_nothing_new_makes_no_seal_and_a_record_is_sealed_once(world: World) -> None:
    assert audit_seals.seal(world.services) == 0
    sealed(world, 3)
    assert audit_seals.seal(world.services) == 0
    assert seals(world.services).keys() == {1}


def test_many_records_make_several_seals_of_a_batch_each(world: World) -> None:
    assert sealed(world, 2 * MOST_RECORDS + 1)
    assert [d.fields["count"] for d in seals(world.services).values()] == [200, 200, 1]
    assert check(world).intact


def test_large_records_share_a_batch_only_as_far_as_it_goes(world: World) -> None:
    told(world.services, 9, old_value="x" * 700_000)
    assert audit_seals.seal(world.services) == 9
    assert [d.fields["count"] for d in seals(world.services).values()] == [4, 4, 1]
    assert check(world).intact


def test_a_record_that_becomes_visible_late_is_in_the_next_seal_and_told_of(world: World) -> None:
    services = world.services
    slow = audit.record(services, SYSTEM, "config.changed", ("rules", "1"), "a slow transaction")
    world.clock.advance(timedelta(minutes=20))
    sealed(world, 2)
    services.documents.write([slow])
    assert check(world).unsealed == 1
    assert audit_seals.seal(services) == 1
    found = check(world)
    assert found.intact
    assert (found.unsealed, found.late) == (0, 2)


def test_fractions_nulls_and_any_text_are_sealed_as_they_are(world: World) -> None:
    values = {"points": 0.5, "none": None, "text": "\x00\u202e é", "list": [{"a": 1}], "big": 2**60}
    told(world.services, 1, new_value=values)
    assert audit_seals.seal(world.services) == 1
    assert check(world).intact


def test_of_two_that_seal_at_once_one_does(world: World) -> None:
    told(world.services, 3)
    documents = WatchedDocuments(world.services.documents)
    watched = replace(world.services, documents=documents)
    before = documents.query

    def meanwhile(query: Any) -> Any:
        page = before(query)
        documents.query = before  # type: ignore[method-assign]
        assert audit_seals.seal(world.services) == 3
        return page

    documents.query = meanwhile  # type: ignore[method-assign]
    assert audit_seals.seal(watched) == 0
    assert check(world) == Checked(
        seals=1, records=3, last=1, hash=str(stored(world, CHAIN).fields["hash"])
    )


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_kill_between_any_two_writes_of_sealing_costs_nothing(
    world: World, side: str, at: int
) -> None:
    told(world.services, 2 * MOST_RECORDS + 1)
    documents = WatchedDocuments(world.services.documents)
    if side == "after":
        documents.after_write = kill_after(at)
    else:
        write = documents.write

        def die(writes: Any) -> None:
            if documents.calls + 1 == at:
                raise Killed
            write(writes)

        documents.write = die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        audit_seals.seal(replace(world.services, documents=documents))
    between = check(world)
    assert between.intact
    assert between.records + between.unsealed == 2 * MOST_RECORDS + 1
    audit_seals.seal(world.services)
    found = check(world)
    assert found.intact
    assert (found.seals, found.records, found.unsealed) == (3, 2 * MOST_RECORDS + 1, 0)


def test_a_chain_that_forgot_its_seals_is_not_begun_anew(world: World) -> None:
    sealed(world, 2)
    remove(world, CHAIN)
    told(world.services)
    with capture_logs() as logged:
        assert audit_seals.seal(world.services) == 0
    assert [line["event"] for line in logged] == ["audit_not_sealed"]
    assert seals(world.services).keys() == {1}
    assert check(world).broken == Break(seal=1, what="unlinked")
