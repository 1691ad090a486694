"""The warehouses that are held to ``warehouse_suite``: a new one needs a line in ``warehouse``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.local.warehouse import LocalWarehouse
from shared.ports import Warehouse
from tests.support.local_bigquery import local_bigquery, make_dataset

pytest.register_assert_rewrite("tests.contract.warehouse_suite")
from tests.contract.warehouse_suite import WarehouseSuite  # noqa: E402 - rewritten first

NOT_EMULATED = {
    "test_readers_see_a_unit_whole_while_it_is_replaced": "callers at the same time",
    "test_writers_of_different_units_do_not_undo_each_other": "callers at the same time",
    "test_derived_rows_take_the_place_of_a_unit": "query plans, which tell how many rows",
    "test_what_is_derived_from_what_was_derived": "query plans, which tell how many rows",
    "test_the_digest_of_a_derived_unit_changes_with_its_content": "query plans",
    "test_a_run_that_reads_more_than_it_may_is_refused_and_changes_nothing": "billing limits",
    "test_the_estimate_is_enough": "dry runs",
    "test_the_usage_of_a_run_is_known_by_its_allowance": "bytes",
    "test_forgetting_more_than_it_may_cost_is_refused_and_changes_nothing": "dry runs",
    "test_a_second_run_under_an_id_is_of_the_same_unit_and_booked_once": "labels in its books",
    "test_the_ledger_has_the_newest_first_and_no_more_than_was_asked": "labels in its books",
}
"""What the emulator from PyPI does not know."""


def utc_now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def emulator() -> Iterator[str]:
    with local_bigquery() as host:
        yield host


@pytest.fixture(params=["local", "bigquery", "local-bigquery"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    if request.param == "local":
        with closing(LocalWarehouse(tmp_path / "warehouse", now=utc_now)) as local:
            yield local
    elif request.param == "bigquery":
        with closing(request.getfixturevalue("bigquery_bench").warehouse()) as opened:
            yield opened
    else:
        name = request.node.originalname
        if name in NOT_EMULATED:
            pytest.skip(f"local-bigquery knows no {NOT_EMULATED[name]}")
        yield from _emulated(request.getfixturevalue("emulator"), tmp_path)


def _emulated(host: str, folder: Path) -> Iterator[Warehouse]:
    # Imported here, so that a process for the others alone does not wait for Google's library.
    from infra.gcp.bigquery_names import Place
    from infra.gcp.warehouse import BigQueryWarehouse
    from infra.local.documents import SqliteDocuments

    place = Place("test-project", make_dataset(host), "US")
    with (
        closing(SqliteDocuments(folder / "documents.sqlite", poll_interval=0.01)) as documents,
        closing(BigQueryWarehouse(place, documents, now=utc_now, emulator_host=host)) as emulated,
    ):
        yield emulated


class TestWarehouse(WarehouseSuite):
    pass
