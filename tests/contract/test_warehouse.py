"""The warehouses that are held to ``warehouse_suite``: a new one needs a line in ``warehouse``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.local.warehouse import LocalWarehouse
from shared.ports import Warehouse

pytest.register_assert_rewrite("tests.contract.warehouse_suite")
from tests.contract.warehouse_suite import WarehouseSuite  # noqa: E402 - rewritten first


@pytest.fixture(params=["local", "bigquery"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    if request.param == "local":
        local = LocalWarehouse(tmp_path / "warehouse", now=lambda: datetime.now(UTC))
        yield local
        local.close()
        return
    bench = request.getfixturevalue("bigquery_bench")
    opened = bench.warehouse()
    yield opened
    opened.close()


class TestWarehouse(WarehouseSuite):
    pass
