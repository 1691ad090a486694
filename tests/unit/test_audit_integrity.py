"""The check of the audit trail names what was tampered with, whatever kind of tampering it was."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import pytest

from shared import audit_integrity, audit_seals
from shared.audit_integrity import Break, Fault
from shared.audit_seals import CHAIN, Seal
from shared.errors import Rejected
from shared.models import iso
from shared.ports import Write
from tests.support.audit_trail import change, check, remove, sealed, stored, told
from tests.support.job_world import World
from tests.support.scenario import everything

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
