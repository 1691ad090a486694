"""One statement over the same rows on both engines: DuckDB as the product runs it, and Google's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from infra.local.warehouse import LocalWarehouse
from shared.ports import Parameter
from shared.statements import statement
from shared.tables import COLUMNS, Dataset, arrow_schema
from tests.support import googlesql

Rows = list[dict[str, Any]]
Tables = Mapping[Dataset, Sequence[Mapping[str, Any]]]
Parameters = Mapping[str, Parameter]


class Duck:
    """The embedded warehouse in a folder, its datasets filled with the rows of a test."""

    def __init__(self, folder: Path) -> None:
        self.warehouse = LocalWarehouse(folder, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def close(self) -> None:
        self.warehouse.close()

    def fill(self, dataset: Dataset, rows: Sequence[Mapping[str, Any]] | pa.Table) -> None:
        """Make these the only rows of a dataset."""
        if not isinstance(rows, pa.Table):
            rows = pa.Table.from_pylist(list(rows), schema=arrow_schema(COLUMNS[dataset]))
        self.warehouse.replace(dataset, "all", rows.to_batches(), {})

    def derive(self, name: str, parameters: Parameters, dataset: Dataset) -> None:
        """Make the rows of a statement the only ones of a dataset, as the product does."""
        self.warehouse.derive(name, parameters, dataset, "all", {})

    def query(self, name: str, parameters: Parameters) -> Rows:
        rows: Rows = self.warehouse.query(name, parameters).to_pylist()
        return rows


def reference(name: str, tables: Tables, parameters: Parameters) -> Rows:
    """The rows of the very same text from Google's reference engine."""
    given = {
        str(dataset): googlesql.Table(COLUMNS[dataset], rows) for dataset, rows in tables.items()
    }
    return googlesql.execute(statement(name), given, parameters)
