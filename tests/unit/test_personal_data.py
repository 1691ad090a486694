"""Every place that is deployed is known to hold people, or known to hold nobody."""

from __future__ import annotations

from collections import Counter

import pytest

from shared import audit, keys, personal_data, pseudonyms, repositories, sign_in
from shared.auth import Role
from shared.context import SYSTEM
from shared.forgetting import PERSONAL
from shared.personal_data import HOLDINGS, NOBODY_IN, STATEMENTS
from shared.statements import statement
from shared.tables import COLUMNS, Dataset
from tests.support.audit_trail import told
from tests.support.deployment import load
from tests.support.job_world import World


def test_every_collection_holds_people_or_nobody_with_a_reason() -> None:
    assert HOLDINGS.keys() & NOBODY_IN.keys() == set()
    assert HOLDINGS.keys() | NOBODY_IN.keys() == set(load()["collections"])
    assert all(NOBODY_IN.values())


@pytest.mark.parametrize("name", HOLDINGS)
def test_what_is_not_emptied_says_why(name: str) -> None:
    assert (HOLDINGS[name].remove is None) == bool(HOLDINGS[name].kept)


def test_every_record_that_names_a_person_is_exported_however_many_there_are(world: World) -> None:
    services = world.services
    name = pseudonyms.of(services, 583231)
    key = keys.create(services, SYSTEM, "theirs", Role.USER).key.id
    sign_in.attach(services, SYSTEM, key, 583231)
    sign_in.detach(services, SYSTEM, 583231)
    merged = audit.record(
        services, SYSTEM, "identity.merged", ("person", "person:other"), "", new={"person": name}
    )
    services.documents.write([merged])
    told(services, 1001, resource_type="person", resource_id=name)
    told(services, 1, resource_type="person", resource_id="person:other")
    found = HOLDINGS["audit"].export(services, [583231])
    actions = Counter(str(record["action"]) for record in found if isinstance(record, dict))
    assert actions == {
        "config.changed": 1001, "key.attached": 1, "key.detached": 1, "identity.merged": 1,
    }  # fmt: skip


def test_boards_that_were_not_looked_at_are_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(("octo/engine", "octo/wheels"), 1):
        world.job(name)
        known = world.repository(name).model_copy(update={"github_id": number})
        world.services.documents.write([repositories.stored(known)])
    assert personal_data.export(world.services, 583231)["boards_left_out"] == []
    monkeypatch.setattr(personal_data, "MOST_BOARDS", 1)
    found = personal_data.export(world.services, 583231)
    assert found["boards_left_out"] == ["octo/wheels"]


def test_every_dataset_that_names_an_account_is_forgotten_and_exported() -> None:
    named = {
        dataset
        for dataset in Dataset
        if {"actor_id", "author_id", "contributor_id"} & COLUMNS[dataset].keys()
    }
    assert named == set(PERSONAL)
    exported = " ".join(statement(name) for name in STATEMENTS.values())
    assert all(f"FROM {dataset}" in exported for dataset in PERSONAL)
