"""Old records of the audit trail go, and the chain stays whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shared import audit_expiry, audit_seals
from shared.audit_integrity import Fault
from shared.audit_seals import CHAIN
from shared.context import Services
from shared.errors import Conflict
from shared.ports import Write
from tests.support.audit_trail import change, check, remove, sealed, seals, stored, told
from tests.support.job_world import World
from tests.support.scenario import everything
from tests.support.watched_documents import Killed, WatchedDocuments, kill_after


def expire(services: Services, most: int = 200) -> int:
    """A whole round."""
    removed = 0
    while True:
        some, more = audit_expiry.expire(services, most)
        removed += some
        if more is None:
            return removed


def old_and_new(world: World) -> tuple[list[str], list[str]]:
    """Two seals that are older than records are kept, and one that is not."""
    old = sealed(world, 3, 2)
    world.clock.advance(timedelta(days=world.services.settings.audit_days))
    (new,) = sealed(world, 2)
    return old[0] + old[1], new


def test_old_records_go_with_whole_seals_and_the_chain_stays_whole(world: World) -> None:
    old, new = old_and_new(world)
    assert expire(world.services, 2) == len(old)
    left = list(everything(world.services, "audit"))
    (entry,) = [record for record in left if record.fields["action"] == "audit.expired"]
    assert entry.fields["new_value"] == {
        "through": 2, "newest": stored(world, "audit_seals/2").fields["newest"],
    }  # fmt: skip
    assert {record.id for record in left} == {*new, entry.id}
    assert seals(world.services).keys() == {1, 2, 3}
    assert check(world).intact
    audit_seals.seal(world.services)
    assert check(world).intact
    assert expire(world.services) == 0


def test_what_has_no_seal_is_kept_however_old(world: World) -> None:
    (id_,) = told(world.services)
    world.clock.advance(timedelta(days=4000))
    assert expire(world.services) == 0
    assert stored(world, f"audit/{id_}")


def test_a_record_that_says_it_is_old_goes_no_sooner(world: World) -> None:
    told(world.services, 1, timestamp="2001-01-01T00:00:00.000000Z")
    audit_seals.seal(world.services)
    assert expire(world.services) == 0


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_a_kill_during_expiry_is_made_good_by_the_next_round(world: World, calls: int) -> None:
    old, _ = old_and_new(world)
    documents = WatchedDocuments(world.services.documents)
    documents.after_write = kill_after(calls)
    with pytest.raises(Killed):
        expire(replace(world.services, documents=documents), 2)
    assert check(world).intact
    expire(world.services, 2)
    assert check(world).intact
    left = [r.fields["action"] for r in everything(world.services, "audit")]
    assert left.count("audit.expired") == 1
    assert not {r.id for r in everything(world.services, "audit")} & set(old)


def test_who_only_says_that_records_have_expired_is_found_out(world: World) -> None:
    old, _ = old_and_new(world)
    expire(world.services)
    third = next(iter(audit_seals.listed(stored(world, "audit_seals/3").body or b"")))
    remove(world, f"audit/{third}")
    change(world, CHAIN, expired=3)
    assert check(world).fault == Fault(record=old[0], what="removed", seal=1)


def test_expiry_stops_before_a_seal_that_is_missing(world: World) -> None:
    old, _ = old_and_new(world)
    remove(world, "audit_seals/2")
    assert expire(world.services) == 3
    assert stored(world, f"audit/{old[3]}")


def test_sealing_during_expiry_is_tried_again(world: World) -> None:
    """Both change the chain, each under the condition that nobody else has."""
    old_and_new(world)
    before = stored(world, CHAIN)
    expire(world.services)
    with pytest.raises(Conflict):
        world.services.documents.write([Write(CHAIN, before.fields, if_version=before.version)])
    assert audit_seals.seal(world.services) == 1
    assert stored(world, CHAIN).fields["expired"] == 2
