"""The sealed chain of the audit trail: sealing, every kind of tampering, kills, expiry."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared import audit, audit_expiry, audit_integrity, audit_seals
from shared.audit_integrity import Break, Checked, Fault
from shared.audit_seals import CHAIN, MOST_RECORDS, Seal
from shared.context import SYSTEM, Services
from shared.errors import Conflict, Rejected
from shared.models import iso
from shared.ports import Document, Write
from tests.support.job_world import World
from tests.support.scenario import everything
from tests.support.watched_documents import Killed, WatchedDocuments, kill_after


def told(services: Services, count: int = 1, **fields: Any) -> list[str]:
    """Records on the trail; their ids, the earliest first."""
    writes = [
        audit.record(services, SYSTEM, "config.changed", ("rules", str(n)), f"change {n}")
        for n in range(count)
    ]
    writes = [replace(w, fields={**(w.fields or {}), **fields}) for w in writes]
    for start in range(0, count, 400):
        services.documents.write(writes[start : start + 400])
    return sorted(write.path.removeprefix("audit/") for write in writes)


def sealed(world: World, *batches: int) -> list[list[str]]:
    """Batches of records, each under a seal of its own, ten minutes apart."""
    made = []
    for count in batches:
        made.append(told(world.services, count))
        assert audit_seals.seal(world.services) == count
        world.clock.advance(timedelta(minutes=10))
    return made


def stored(world: World, path: str) -> Document:
    (document,) = world.services.documents.get(path)
    assert document is not None
    return document


def change(world: World, path: str, *, body: bytes | None = None, **fields: Any) -> None:
    """What somebody does who can write documents."""
    before = stored(world, path)
    world.services.documents.write([Write(path, {**before.fields, **fields}, body or before.body)])


def remove(world: World, path: str) -> None:
    world.services.documents.write([Write(path, None)])


def check(world: World) -> Checked:
    return audit_integrity.check(world.services)


def seals(services: Services) -> dict[int, Document]:
    return {int(d.id): d for d in everything(services, "audit_seals")}


# --- sealing --------------------------------------------------------------------------------------


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


# --- tampering ------------------------------------------------------------------------------------

Tampering = Callable[[World, list[list[str]]], None]


def change_one_and_remove_another(world: World, batches: list[list[str]]) -> None:
    change(world, f"audit/{batches[2][0]}", actor_id="nobody")
    remove(world, f"audit/{batches[1][0]}")


def forged(world: World, id_: str, seal: object) -> None:
    """A record that never was written by the system, said to be under a seal."""
    (somebody, *_) = everything(world.services, "audit")
    fields = {**somebody.fields, "id": id_, "seal": seal}
    world.services.documents.write([Write(f"audit/{id_}", fields)])  # type: ignore[arg-type]


FAULTS: Mapping[str, tuple[Tampering, int, str, int | None]] = {
    # What is done, to which record of the second batch, what the check says, and of which seal.
    "a value": (lambda w, b: change(w, f"audit/{b[1][1]}", actor_id="nobody"), 1, "changed", 2),
    "a time": (lambda w, b: change(w, f"audit/{b[1][0]}", timestamp="2001"), 0, "changed", 2),
    "a new field": (lambda w, b: change(w, f"audit/{b[1][2]}", more="x"), 2, "changed", 2),
    "a body": (lambda w, b: change(w, f"audit/{b[1][0]}", body=b"x"), 0, "changed", 2),
    "unsealed": (lambda w, b: change(w, f"audit/{b[1][1]}", seal=None), 1, "changed", 2),
    "another seal": (lambda w, b: change(w, f"audit/{b[1][1]}", seal=3), 1, "changed", 2),
    "removed": (lambda w, b: remove(w, f"audit/{b[1][2]}"), 2, "removed", 2),
    "two at once": (change_one_and_remove_another, 0, "removed", 2),
}  # fmt: skip


@pytest.mark.parametrize("how", FAULTS)
def test_the_first_record_that_was_tampered_with_is_named(world: World, how: str) -> None:
    batches = sealed(world, 2, 3, 2)
    tamper, which, what, seal = FAULTS[how]
    tamper(world, batches)
    found = check(world)
    assert found.fault == Fault.model_validate(
        {"record": batches[1][which], "what": what, "seal": seal}
    )
    assert found.broken is None


@pytest.mark.parametrize("seal", [1, 2, 0, -1, 99, "2", True, 2.0, [2]])
def test_a_record_that_was_added_is_named_whatever_seal_it_claims(
    world: World, seal: object
) -> None:
    sealed(world, 2, 2)
    forged(world, "0-forged", seal)
    found = check(world)
    assert found.fault is not None
    assert (found.fault.record, found.fault.what) == ("0-forged", "added")


def test_a_record_without_any_word_of_a_seal_was_added(world: World) -> None:
    sealed(world, 2)
    (somebody, *_) = everything(world.services, "audit")
    fields = {name: value for name, value in somebody.fields.items() if name != "seal"}
    world.services.documents.write([Write("audit/zz", fields)])
    assert check(world).fault == Fault(record="zz", what="added", seal=None)


def relisted(world: World, number: int) -> None:
    """A record is changed, and its seal is made to fit, hash and all."""
    document = stored(world, audit_seals.path(number))
    ids = list(audit_seals.listed(document.body or b""))
    change(world, f"audit/{ids[0]}", actor_id="nobody")
    found = world.services.documents.get(*(f"audit/{id_}" for id_ in ids))
    body = audit_seals.listing([each for each in found if each is not None])
    seal = Seal.model_validate(document.fields).model_copy(
        update={"records": hashlib.sha256(body).hexdigest()}
    )
    fields = seal.model_copy(update={"hash": seal.true_hash}).model_dump()
    change(world, document.path, body=body, **fields)


BREAKS: Mapping[str, tuple[Callable[[World], None], int, str]] = {
    "missing": (lambda w: remove(w, "audit_seals/2"), 2, "missing"),
    "its time": (lambda w: change(w, "audit_seals/2", sealed_at=iso(w.clock())), 2, "changed"),
    "its list": (lambda w: change(w, "audit_seals/2", body=b"{}"), 2, "changed"),
    "no list": (lambda w: change(w, "audit_seals/2", body=b"\xff"), 2, "changed"),
    "a new field": (lambda w: change(w, "audit_seals/2", more=1), 2, "changed"),
    "nonsense": (lambda w: change(w, "audit_seals/2", number="two"), 2, "changed"),
    "made to fit": (lambda w: relisted(w, 2), 3, "unlinked"),
    "the last made to fit": (lambda w: relisted(w, 3), 3, "replaced"),
    "the last is missing": (lambda w: remove(w, "audit_seals/3"), 3, "missing"),
    "the chain is missing": (lambda w: remove(w, CHAIN), 1, "unlinked"),
    "the chain is nonsense": (lambda w: change(w, CHAIN, number="x"), 1, "unlinked"),
    "the chain is longer": (lambda w: change(w, CHAIN, number=10**12), 4, "missing"),
}


@pytest.mark.parametrize("how", BREAKS)
def test_the_first_broken_seal_is_named(world: World, how: str) -> None:
    sealed(world, 2, 3, 2)
    tamper, seal, what = BREAKS[how]
    tamper(world)
    assert check(world).broken == Break.model_validate({"seal": seal, "what": what})


def test_a_chain_that_was_made_anew_differs_from_what_was_noted_elsewhere(world: World) -> None:
    sealed(world, 2, 2)
    noted = {2: str(stored(world, "audit_seals/2").fields["hash"])}
    assert audit_integrity.check(world.services, known=noted).intact
    for document in (*everything(world.services, "audit_seals"), stored(world, CHAIN)):
        remove(world, document.path)
    for record in everything(world.services, "audit"):
        change(world, record.path, actor_id="nobody", seal=None)
    assert audit_seals.seal(world.services) == 4
    told(world.services)
    audit_seals.seal(world.services)
    assert check(world).intact
    found = audit_integrity.check(world.services, known=noted)
    assert found.broken == Break(seal=2, what="replaced")
    missing = audit_integrity.check(world.services, known={9: "x"})
    assert missing.broken == Break(seal=9, what="missing")


def test_slices_that_follow_each_other_say_what_the_whole_says(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = sealed(world, 2, 3, 2, 1)
    remove(world, f"audit/{batches[3][0]}")
    monkeypatch.setattr(audit_integrity, "_SEALS_A_SLICE", 1)
    monkeypatch.setattr(audit_integrity, "_RECORDS_A_SLICE", 2)
    slices, place = 0, None
    while True:
        some = audit_integrity.check_slice(world.services, place)
        slices, place = slices + 1, some.following
        if place is None:
            break
    assert slices == 4 + 4
    assert check(world).fault == Fault(record=batches[3][0], what="removed", seal=4)


@pytest.mark.parametrize("place", ["", "seals", "seals.-1", "seals.x", "records.x", "other.1"])
def test_what_is_no_place_of_a_check_is_refused(world: World, place: str) -> None:
    if place == "":
        assert audit_integrity.check_slice(world.services, place).intact
    else:
        with pytest.raises(Rejected):
            audit_integrity.check_slice(world.services, place)


# --- expiry ---------------------------------------------------------------------------------------


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
