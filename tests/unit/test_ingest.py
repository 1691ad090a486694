"""A file becomes a unit: its name, what is noted of it, and that nothing is done twice."""

from __future__ import annotations

import gzip
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
import pytest

from infra.ingest import ingest_file
from shared.archive_fields import EXTRACTION_VERSION
from shared.errors import Rejected
from shared.ports import Allowance, Fields, Parameter, Unit, Usage
from shared.tables import Dataset
from tests.support.lines import ANA, BEN, day, pr_merged, pr_opened, push, write_gz

NOW = datetime(2026, 11, 22, tzinfo=UTC)


class RecordedWarehouse:
    """Units in memory, and how often one was replaced."""

    def __init__(self) -> None:
        self.kept: dict[str, Unit] = {}
        self.rows: dict[str, pa.Table] = {}
        self.replaced = 0
        self.forgotten: list[tuple[Dataset, set[int]]] = []

    def replace(
        self, dataset: Dataset, unit: str, batches: Iterable[pa.RecordBatch], about: Fields
    ) -> Unit:
        self.replaced += 1
        noted = json.loads(json.dumps(about))  # may be written down before the rows are
        table = pa.Table.from_batches(batches) if (batches := list(batches)) else pa.table({})
        self.rows[unit] = table
        self.kept[unit] = Unit(dataset, unit, table.num_rows, str(self.replaced), noted)
        return self.kept[unit]

    def unit(self, dataset: Dataset, name: str) -> Unit | None:
        return self.kept.get(name)

    def units(self, dataset: Dataset) -> tuple[Unit, ...]:
        return tuple(self.kept[name] for name in sorted(self.kept))

    def remove(self, dataset: Dataset, unit: str) -> None:
        del self.kept[unit]

    def forgetting_bytes(self, dataset: Dataset) -> int:
        raise NotImplementedError

    def forget(
        self, dataset: Dataset, accounts: Collection[int], *, allowance: Allowance | None = None
    ) -> int:
        self.forgotten.append((dataset, set(accounts)))
        return 0

    def derive(
        self,
        statement: str,
        parameters: Mapping[str, Parameter],
        dataset: Dataset,
        unit: str,
        about: Fields,
        *,
        allowance: Allowance | None = None,
    ) -> NoReturn:
        raise NotImplementedError

    def query(
        self,
        statement: str,
        parameters: Mapping[str, Parameter],
        *,
        allowance: Allowance | None = None,
    ) -> NoReturn:
        raise NotImplementedError

    def estimate(self, statement: str, parameters: Mapping[str, Parameter]) -> int:
        return 0

    def usage(self, id_: str) -> Usage | None:
        return None

    def sweeping_bytes(self, dataset: Dataset, *, forgotten: Collection[int] = ()) -> int:
        return 0

    def sweep(
        self,
        dataset: Dataset,
        *,
        forgotten: Collection[int] = (),
        allowance: Allowance | None = None,
    ) -> int:
        return 0

    def ledger(self, since: datetime, limit: int) -> tuple[Usage, ...]:
        return ()


def archive(path: Path, *times: str) -> Path:
    rows = [
        {
            "id": str(number),
            "type": "PushEvent",
            "created_at": at,
            "repo": {"id": 5, "name": "o/r"},
            "actor": {"id": 6, "login": "mira"},
            "payload": {"push_id": number},
        }
        for number, at in enumerate(times)
    ]
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode(), mtime=0))
    return path


@pytest.fixture
def warehouse() -> RecordedWarehouse:
    return RecordedWarehouse()


def ingest(warehouse: RecordedWarehouse, path: Path) -> Unit:
    return ingest_file(warehouse, path, now=NOW)


def test_an_hours_file_is_the_unit_of_its_hour_and_claims_it(
    warehouse: RecordedWarehouse, tmp_path: Path
) -> None:
    path = archive(
        tmp_path / "2020-01-01-7.json.gz", "2020-01-01T07:00:01Z", "2020-01-01T06:59:00Z"
    )
    unit = ingest(warehouse, path)
    assert (unit.dataset, unit.name, unit.rows) == (Dataset.EVENTS, "2020-01-01-7", 2)
    assert unit.about["claims"] == ["2020-01-01T07:00:00.000000Z", "2020-01-01T08:00:00.000000Z"]
    assert unit.about["file"] == "2020-01-01-7.json.gz"
    assert unit.about["extraction_version"] == EXTRACTION_VERSION
    assert unit.about["events"] == 2
    assert unit.about["hours"] == {
        "2020-01-01T06:00:00.000000Z": 1,
        "2020-01-01T07:00:00.000000Z": 1,
    }
    assert warehouse.rows["2020-01-01-7"]["push_listed_distinct"].null_count == 2


def test_another_file_is_named_by_its_content_and_claims_the_hours_of_its_rows(
    warehouse: RecordedWarehouse, tmp_path: Path
) -> None:
    unit = ingest(
        warehouse,
        archive(tmp_path / "my days.json.gz", "2020-01-03T07:30:00Z", "2020-01-01T00:10:00Z"),
    )
    assert unit.name == f"my-days-{str(unit.about['sha256'])[:12]}"
    assert unit.about["claims"] == ["2020-01-01T00:00:00.000000Z", "2020-01-03T08:00:00.000000Z"]


def test_different_files_of_one_name_do_not_replace_each_other(
    warehouse: RecordedWarehouse, tmp_path: Path
) -> None:
    path = archive(tmp_path / "part.json.gz", "2020-01-01T00:00:00Z")
    ingest(warehouse, path)
    ingest(warehouse, archive(path, "2020-01-02T00:00:00Z"))
    assert len(warehouse.kept) == 2


def test_a_file_that_is_there_is_not_read_again(
    warehouse: RecordedWarehouse, tmp_path: Path
) -> None:
    path = archive(tmp_path / "2020-01-01-7.json.gz", "2020-01-01T07:00:01Z")
    first = ingest(warehouse, path)
    told: list[int] = []
    again = ingest_file(warehouse, path, now=NOW, progress=lambda done, _size: told.append(done))
    assert (again, warehouse.replaced, told) == (first, 1, [])


def test_a_changed_file_or_a_new_extraction_replaces_the_unit(
    warehouse: RecordedWarehouse, tmp_path: Path
) -> None:
    path = archive(tmp_path / "2020-01-01-7.json.gz", "2020-01-01T07:00:01Z")
    ingest(warehouse, path)
    archive(path, "2020-01-01T07:00:01Z", "2020-01-01T07:00:02Z")
    assert ingest(warehouse, path).rows == 2
    unit = warehouse.kept["2020-01-01-7"]
    older = {**unit.about, "extraction_version": EXTRACTION_VERSION - 1}
    warehouse.kept["2020-01-01-7"] = replace(unit, about=older)
    ingest(warehouse, path)
    assert (len(warehouse.kept), warehouse.replaced) == (1, 3)


def test_a_file_without_rows_claims_nothing_but_its_hour(
    warehouse: RecordedWarehouse, tmp_path: Path
) -> None:
    assert ingest(warehouse, archive(tmp_path / "none.json.gz")).about["claims"] is None
    hour = ingest(warehouse, archive(tmp_path / "2020-01-01-7.json.gz"))
    assert (hour.rows, hour.about["claims"] is None) == (0, False)


def test_progress_is_told_in_bytes_of_the_file(
    warehouse: RecordedWarehouse, tmp_path: Path
) -> None:
    path = archive(tmp_path / "x.json.gz", "2020-01-01T07:00:01Z")
    told: list[tuple[int, int]] = []
    ingest_file(warehouse, path, now=NOW, progress=lambda done, size: told.append((done, size)))
    size = path.stat().st_size
    assert told[-1] == (size, size)


def test_a_missing_file_is_refused_and_replaces_nothing(
    warehouse: RecordedWarehouse, tmp_path: Path
) -> None:
    with pytest.raises(Rejected, match="Cannot read"):
        ingest(warehouse, tmp_path / "2020-01-01-7.json.gz")
    assert warehouse.replaced == 0


# --- people who were removed ----------------------------------------------------------------------


def test_of_removed_people_nothing_is_taken_in_and_others_lose_no_event(tmp_path: Path) -> None:
    warehouse, path = RecordedWarehouse(), tmp_path / "events.json.gz"
    write_gz(path, (pr_opened(1, day(1), ANA, 7), pr_merged(2, day(2), BEN, 7, author=ANA)))
    unit = ingest_file(warehouse, path, now=NOW, removed=lambda: {ANA.id})
    (left,) = warehouse.rows[unit.name].to_pylist()
    assert (left["event_id"], left["actor_login"], left["author_id"]) == ("2", "ben", None)
    assert ANA.login not in str(left)


def test_who_is_removed_while_a_file_is_read_is_taken_out_afterwards(tmp_path: Path) -> None:
    warehouse, path = RecordedWarehouse(), tmp_path / "events.json.gz"
    write_gz(path, (push(1, day(1), ANA, push_id=1),))
    answers = iter([frozenset[int](), frozenset({ANA.id})])
    ingest_file(warehouse, path, now=NOW, removed=lambda: next(answers))
    assert warehouse.forgotten == [(Dataset.EVENTS, {ANA.id})]


def test_after_a_removal_was_lifted_a_file_is_read_again_once(tmp_path: Path) -> None:
    warehouse, path = RecordedWarehouse(), tmp_path / "events.json.gz"
    write_gz(path, (push(1, day(1), ANA, push_id=1),))
    assert ingest_file(warehouse, path, now=NOW, removed=lambda: {ANA.id}).rows == 0
    assert ingest_file(warehouse, path, now=NOW, lifts=1).rows == 1
    ingest_file(warehouse, path, now=NOW, lifts=1)
    assert warehouse.replaced == 2
