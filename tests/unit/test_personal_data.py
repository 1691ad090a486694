"""Every place that is deployed is known to hold people, or known to hold nobody."""

from __future__ import annotations

import pytest

from shared.forgetting import PERSONAL
from shared.personal_data import HOLDINGS, NOBODY_IN, STATEMENTS
from shared.statements import statement
from shared.tables import COLUMNS, Dataset
from tests.support.deployment import load


def test_every_collection_holds_people_or_nobody_with_a_reason() -> None:
    assert HOLDINGS.keys() & NOBODY_IN.keys() == set()
    assert HOLDINGS.keys() | NOBODY_IN.keys() == set(load()["collections"])
    assert all(NOBODY_IN.values())


@pytest.mark.parametrize("name", HOLDINGS)
def test_what_is_not_emptied_says_why(name: str) -> None:
    assert (HOLDINGS[name].remove is None) == bool(HOLDINGS[name].kept)


def test_every_dataset_that_names_an_account_is_forgotten_and_exported() -> None:
    named = {
        dataset
        for dataset in Dataset
        if {"actor_id", "author_id", "contributor_id"} & COLUMNS[dataset].keys()
    }
    assert named == set(PERSONAL)
    exported = " ".join(statement(name) for name in STATEMENTS.values())
    assert all(f"FROM {dataset}" in exported for dataset in PERSONAL)
