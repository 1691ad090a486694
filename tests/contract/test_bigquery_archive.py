"""The public archive on the loopback BigQuery, from real hours and from a few made rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.archive_rows import ArchiveRows
from infra.gcp.archive import BigQueryArchive
from infra.gcp.bigquery_client import Patience
from infra.ingest import ingest_file
from infra.local.warehouse import LocalWarehouse
from shared.coverage import captured
from shared.errors import BudgetRefused, Conflict, NotFound, Rejected, RetryLater
from shared.ports import Allowance, ArchiveTable, Parameter, Selection
from shared.tables import EVENTS, Dataset
from tests.support.bigquery_archive import archive_rows, publish
from tests.support.bigquery_bench import PLACE, QUICK, Bench
from tests.support.lines import ANA, BEN, ENGINE, pr_merged, pr_opened, write_gz
from tests.support.real_data import real_file
from tests.support.warehouse_rows import ALONE

ENOUGH = 1 << 40
NOW = datetime(2026, 11, 22, tzinfo=UTC)
JANUARY = ArchiveTable("month.202501", date(2025, 1, 1), date(2025, 1, 31), 0)


def day_table(day: date) -> ArchiveTable:
    return ArchiveTable(f"day.{day:%Y%m%d}", day, day, 0)


def row(at: str, repo_id: int = 1, **values: Any) -> dict[str, Any]:
    """An archive row: a push."""
    return {
        "type": "PushEvent",
        "public": True,
        "payload": '{"push_id": 5, "distinct_size": 2, "commits": []}',
        "repo": {"id": repo_id, "name": f"O/R{repo_id}"},
        "actor": {"id": 7, "login": "mira"},
        "created_at": datetime.fromisoformat(at).replace(tzinfo=UTC),
        "id": f"{repo_id}-{at}",
        **values,
    }


def archive(bench: Bench, patience: Patience | None = None) -> BigQueryArchive:
    return BigQueryArchive(bench.warehouse(patience), bench.documents, now=bench.now)


def stored(bench: Bench) -> list[tuple[str, str, int]]:
    """Partition, event and repository of every row of the store."""
    table = bench.server.store.table((PLACE.project, PLACE.dataset, "archive_events"))
    with bench.server.store.engine.cursor() as cursor:
        return cursor.execute(
            f"SELECT CAST(source_day AS VARCHAR), event_id, repo_id FROM {table.sql_name}"
        ).fetchall()


def month_rows() -> Iterator[dict[str, Any]]:
    yield row("2024-12-31T23:59:58")
    for day in (1, 2, 15, 31):
        for repo_id in (1, 2):
            yield row(f"2025-01-{day:02d}T10:00:00", repo_id)
    yield row("2025-01-15T11:00:00", type="WatchEvent")


# --- tables -----------------------------------------------------------------------------------


def test_the_tables_that_lie_within_some_days_whole(bigquery_bench: Bench) -> None:
    server = bigquery_bench.server
    for name in ("day.20241231", "day.20250101", "day.20250131", "day.20250201", "day.yesterday",
                 "month.202412", "month.202501", "month.202502"):  # fmt: skip
        publish(server, name, [], stated_bytes=int(name[-2:]) if name[-1].isdigit() else 7)
    found = archive(bigquery_bench).tables(date(2025, 1, 1), date(2025, 2, 27))
    assert [(table.name, table.size_bytes) for table in found] == [
        ("day.20250101", 1), ("day.20250131", 31), ("day.20250201", 1), ("month.202501", 1),
    ]  # fmt: skip
    assert (found[3].first, found[3].last) == (JANUARY.first, JANUARY.last)
    assert server.bytes_billed == 0


# --- extraction -------------------------------------------------------------------------------


def test_a_real_hour_is_extracted_as_the_embedded_reader_reads_it(bigquery_bench: Bench) -> None:
    path = real_file("gha-2015-01-01-0")
    publish(bigquery_bench.server, "day.20150101", archive_rows(path))
    table = day_table(date(2015, 1, 1))
    reader = archive(bigquery_bench)
    estimate = reader.extraction_bytes(table)
    extraction = reader.extract(table, Allowance("x", estimate, "job"))

    kept = bigquery_bench.server.store.table((PLACE.project, PLACE.dataset, "archive_events"))
    with bigquery_bench.server.store.engine.cursor() as cursor:
        columns = ", ".join(EVENTS)
        rows = cursor.sql(f"SELECT {columns} FROM {kept.sql_name}").to_arrow_table().to_pylist()
    rows_of_reader = ArchiveRows(path, now=NOW)
    expected = Counter(tuple(r.values()) for b in rows_of_reader for r in b.to_pylist())
    assert Counter(tuple(r.values()) for r in rows) == expected
    assert (extraction.table, extraction.rows) == (table.name, expected.total())
    assert extraction.hours == tuple(rows_of_reader.report.hours)
    assert extraction.last_at == rows_of_reader.report.last_at

    usage = bigquery_bench.warehouse().usage("x")
    assert usage is not None
    assert (usage.done, usage.job, usage.rows) == (True, "job", extraction.rows)
    assert usage.bytes_billed == bigquery_bench.server.bytes_billed <= estimate


def test_a_day_is_extracted_once_under_an_id_and_replaced_under_another(
    bigquery_bench: Bench,
) -> None:
    table = day_table(date(2025, 1, 1))
    publish(
        bigquery_bench.server,
        table.name,
        [row("2024-12-31T23:59:58"), row("2025-01-01T00:10:00"), row("2025-01-01T09:00:00", 2)],
    )
    reader = archive(bigquery_bench)
    first = reader.extract(table, Allowance("a", ENOUGH))
    jobs = len(bigquery_bench.server.jobs.all)
    assert reader.extract(table, Allowance("a", ENOUGH)) == first
    assert archive(bigquery_bench).extract(table, Allowance("a", ENOUGH)) == first
    assert len(bigquery_bench.server.jobs.all) == jobs
    assert reader.extract(table, Allowance("b", ENOUGH)) == first
    assert {day for day, _, _ in stored(bigquery_bench)} == {"2025-01-01"}
    assert len(stored(bigquery_bench)) == 3
    assert [hour.hour for hour in first.hours] == [23, 0, 9]


def test_a_month_is_read_by_one_query_and_spread_over_its_days(bigquery_bench: Bench) -> None:
    server = bigquery_bench.server
    publish(server, JANUARY.name, month_rows())
    publish(server, "day.20250110", [row("2025-01-10T00:00:00")])
    reader = archive(bigquery_bench)
    reader.extract(day_table(date(2025, 1, 10)), Allowance("before", ENOUGH))
    extraction = reader.extract(JANUARY, Allowance("m", reader.extraction_bytes(JANUARY)))
    assert extraction.rows == 9
    assert Counter(day for day, _, _ in stored(bigquery_bench)) == {
        "2025-01-01": 3, "2025-01-02": 2, "2025-01-15": 2, "2025-01-31": 2,
    }  # fmt: skip
    assert [job.statement for job in server.ran("extract_events")] == ["extract_events"] * 2
    assert sum(job.bytes_billed for job in server.ran("copy_day")) == 0
    assert not [name for name in server.store.tables if name[2].startswith("staging")]
    assert datetime(2025, 1, 15, 11, tzinfo=UTC) in extraction.hours


@pytest.mark.parametrize("copies", [0, 1, 3, 30])
def test_a_month_that_was_cut_off_between_copies_is_finished_by_a_repeat(
    bigquery_bench: Bench, copies: int
) -> None:
    server = bigquery_bench.server
    publish(server, JANUARY.name, month_rows())

    class Killed(BaseException):
        pass

    reader = archive(bigquery_bench)
    client = reader._warehouse.client
    original = client.copy
    done: list[str] = []

    def copy(doing: str, source: str, destination: str, config: Any, id_: str) -> Any:
        if len(done) == copies:
            raise Killed
        done.append(source)
        return original(doing, source, destination, config, id_)

    client.copy = copy  # type: ignore[method-assign]
    with pytest.raises(Killed):
        reader.extract(JANUARY, Allowance("m", ENOUGH))
    extraction = archive(bigquery_bench).extract(JANUARY, Allowance("m", ENOUGH))
    assert extraction.rows == len(stored(bigquery_bench)) == 9
    assert len(server.ran("extract_events")) == len(server.ran("describe_archive")) == 1


def test_a_month_whose_staging_table_is_gone_wants_another_id(bigquery_bench: Bench) -> None:
    server = bigquery_bench.server
    publish(server, JANUARY.name, month_rows())
    server.hold("extract_events")
    reader = archive(bigquery_bench, QUICK)
    with pytest.raises(RetryLater) as waited:
        reader.extract(JANUARY, Allowance("m", ENOUGH))
    assert waited.value.details["over"] is False
    server.release("extract_events")
    (staging,) = [name for name in server.store.tables if name[2].startswith("staging")]
    server.store.delete(staging)
    with pytest.raises(Conflict, match="new id"):
        reader.extract(JANUARY, Allowance("m", ENOUGH))
    assert reader.extract(JANUARY, Allowance("n", ENOUGH)).rows == 9


def test_an_extraction_goes_on_without_its_caller_and_is_found_again(
    bigquery_bench: Bench,
) -> None:
    server, table = bigquery_bench.server, day_table(date(2025, 1, 1))
    publish(server, table.name, [row("2025-01-01T00:10:00")])
    server.hold("extract_events")
    with pytest.raises(RetryLater):
        archive(bigquery_bench, QUICK).extract(table, Allowance("a", ENOUGH))
    usage = bigquery_bench.warehouse().usage("a")
    assert usage is not None
    assert not usage.done
    server.release("extract_events")
    after = bigquery_bench.warehouse().usage("a")
    assert after is not None
    assert after.done
    assert after.bytes_billed == server.bytes_billed
    assert archive(bigquery_bench).extract(table, Allowance("a", ENOUGH)).rows == 1
    assert len(server.ran("extract_events")) == 1


@pytest.mark.parametrize("share", [0, 1, 10 << 20, (20 << 20) - 1])
def test_an_extraction_that_costs_more_than_allowed_is_refused(
    bigquery_bench: Bench, share: int
) -> None:
    table = day_table(date(2025, 1, 1))
    publish(bigquery_bench.server, table.name, [row("2025-01-01T00:10:00")])
    reader = archive(bigquery_bench)
    assert reader.extraction_bytes(table) == 20 << 20
    with pytest.raises(BudgetRefused):
        reader.extract(table, Allowance("a", share))
    assert stored(bigquery_bench) == []
    assert bigquery_bench.server.bytes_billed <= share


def test_a_table_that_is_not_published_is_not_found(bigquery_bench: Bench) -> None:
    publish(bigquery_bench.server, "day.20250101", [])
    reader, missing = archive(bigquery_bench), day_table(date(2025, 1, 2))
    for ask in (
        lambda: reader.extraction_bytes(missing),
        lambda: reader.extract(missing, Allowance("a", ENOUGH)),
        lambda: reader.gathering_bytes(Selection((1,)), missing.first, missing.last, missing),
    ):
        with pytest.raises(NotFound, match=missing.name):
            ask()


@pytest.mark.parametrize("name", ["day.2025010", "day.*", "day.20250101`; DROP", "year.2025", ""])
def test_a_name_that_is_no_table_of_the_archive_becomes_no_text(
    bigquery_bench: Bench, name: str
) -> None:
    table = ArchiveTable(name, date(2025, 1, 1), date(2025, 1, 1), 0)
    with pytest.raises(Rejected, match="cannot be"):
        archive(bigquery_bench).extraction_bytes(table)
    assert bigquery_bench.server.jobs.all == []


# --- gathering --------------------------------------------------------------------------------


@pytest.fixture
def extracted(bigquery_bench: Bench) -> Bench:
    """A store with January, in which repository 1 was renamed and 3 took over its name."""
    renamed = {"id": 1, "name": "O/New"}
    taken = {"id": 3, "name": "o/r1"}
    rows = [
        *month_rows(),
        row("2025-01-31T10:30:00", repo=renamed, id="later"),
        row("2025-01-31T10:45:00", 3, repo=taken, id="taken"),
    ]
    publish(bigquery_bench.server, JANUARY.name, rows)
    archive(bigquery_bench).extract(JANUARY, Allowance("m", ENOUGH))
    return bigquery_bench


@pytest.mark.parametrize(
    ("of", "rows"),
    [
        (Selection((1,)), 6),
        (Selection((1, 2)), 10),
        (Selection((), ("o/r2",)), 4),
        (Selection((), ("o/new", "o/r2")), 10),
        (Selection((), ("o/r1",)), 1),  # who bears the name now
        (Selection((2,), ("o/r1", "o/nobody")), 5),
        (Selection((99,)), 0),
    ],
)
@pytest.mark.parametrize("table", [None, JANUARY])
def test_repositories_are_gathered_by_id_and_by_the_name_they_bear(
    extracted: Bench, of: Selection, rows: int, table: ArchiveTable | None
) -> None:
    reader, warehouse = archive(extracted), extracted.warehouse()
    days = (JANUARY.first, JANUARY.last)
    estimate = reader.gathering_bytes(of, *days, table)
    unit = reader.gather("u", of, *days, table, {"n": 1}, Allowance("g", estimate))
    assert (unit.rows, unit.about["n"]) == (rows, 1)
    assert warehouse.unit(Dataset.EVENTS, "u") == unit
    counted = warehouse.query("most_active_repositories", {"top": 10}).to_pylist()
    assert sum(found["events"] for found in counted) == rows
    usage = warehouse.usage("g")
    assert usage is not None
    assert usage.bytes_billed <= estimate


def test_only_the_days_that_were_asked_for_are_gathered_and_paid(extracted: Bench) -> None:
    reader = archive(extracted)
    day = date(2025, 1, 15)
    unit = reader.gather("u", Selection((1, 2)), day, day, None, {}, Allowance("g", ENOUGH))
    assert unit.rows == 2
    assert unit.about["claims"] == ["2025-01-15T00:00:00.000000Z", "2025-01-16T00:00:00.000000Z"]
    assert unit.about["last_at"] == "2025-01-15T11:00:00.000000Z"
    (job,) = extracted.server.ran("gather_events")
    everything = extracted.server.store.table((PLACE.project, PLACE.dataset, "archive_events"))
    assert 0 < job.bytes_processed < extracted.server.store.size(everything) / 3


def test_what_is_claimed_are_the_days_that_have_rows_of_anybody(extracted: Bench) -> None:
    unit = archive(extracted).gather(
        "u", Selection((2,)), JANUARY.first, JANUARY.last, None, {}, Allowance("g", ENOUGH)
    )
    held = captured([unit])
    assert {hour.day for hour in held.hours} == {1, 2, 15, 31}
    assert len(held.hours) == 4 * 24
    assert held.as_of == datetime(2025, 1, 31, 11, tzinfo=UTC)


def test_over_long_times_a_day_is_shown_by_one_hour(extracted: Bench) -> None:
    first = JANUARY.first - timedelta(days=10)
    unit = archive(extracted).gather(
        "u", Selection((2,)), first, JANUARY.last, None, {}, Allowance("g", ENOUGH)
    )
    hours = unit.about["hours"]
    assert isinstance(hours, list)
    assert len(hours) == 4
    assert captured([unit]).as_of == datetime(2025, 1, 31, 11, tzinfo=UTC)


def test_the_as_of_time_and_the_rows_are_those_of_the_embedded_backend(
    bigquery_bench: Bench, tmp_path: Path
) -> None:
    path = real_file("gha-2015-01-01-0")
    local = LocalWarehouse(tmp_path / "warehouse", now=lambda: NOW)
    unit = ingest_file(local, path, now=NOW)
    top = local.query("most_active_repositories", {"top": 3})["repo_id"].to_pylist()
    publish(bigquery_bench.server, "day.20150101", archive_rows(path))
    reader, day = archive(bigquery_bench), date(2015, 1, 1)
    reader.extract(day_table(day), Allowance("x", ENOUGH))
    gathered = reader.gather("u", Selection(tuple(top)), day, day, None, {}, Allowance("g", ENOUGH))
    direct = reader.gather(
        "v", Selection(tuple(top)), day, day, day_table(day), {}, Allowance("h", ENOUGH)
    )
    assert captured([unit]).as_of == captured([gathered]).as_of == captured([direct]).as_of
    assert gathered.rows == direct.rows
    warehouse = bigquery_bench.warehouse()
    warehouse.remove(Dataset.EVENTS, "v")
    for name, others in (("credit_contributions", ALONE), ("latest_repository_names", {})):
        wanted = {"repo_ids": top, **others}
        assert warehouse.query(name, wanted).to_pylist() == local.query(name, wanted).to_pylist()
    local.close()


def test_a_repeated_gathering_attaches_and_another_has_another_digest(extracted: Bench) -> None:
    reader, days = archive(extracted), (JANUARY.first, JANUARY.last)
    one, again, other = (
        reader.gather("u", Selection((1,)), *days, None, {}, Allowance(id_, ENOUGH))
        for id_ in ("g", "g", "h")
    )
    assert one == again
    assert other.digest != one.digest
    assert len(extracted.server.ran("gather_events")) == 2


def test_nobody_is_not_gathered(extracted: Bench) -> None:
    with pytest.raises(Rejected, match="repository"):
        archive(extracted).gathering_bytes(Selection(), JANUARY.first, JANUARY.last, None)


def test_names_are_parameters_and_never_text(extracted: Bench) -> None:
    evil = "o/r1') OR TRUE --`"
    unit = archive(extracted).gather(
        "u", Selection((), (evil,)), JANUARY.first, JANUARY.last, None, {}, Allowance("g", ENOUGH)
    )
    assert unit.rows == 0
    assert all(evil not in job.text for job in extracted.server.jobs.all)


def test_of_removed_people_nothing_is_extracted_or_gathered_and_the_store_forgets_them(
    bigquery_bench: Bench, tmp_path: Path
) -> None:
    path = tmp_path / "events.json.gz"
    at = "2025-03-01T12:00:00Z"
    write_gz(path, (pr_opened(1, at, ANA, 7), pr_merged(2, at, BEN, 7, author=ANA)))
    publish(bigquery_bench.server, "day.20250301", archive_rows(path))
    reader, first = archive(bigquery_bench), date(2025, 3, 1)
    warehouse, of = bigquery_bench.warehouse(), Selection((ENGINE.id,))

    def gathered(unit: str, table: ArchiveTable | None, removed: set[int]) -> list[object]:
        allowance = Allowance(unit, ENOUGH)
        reader.gather(unit, of, first, first, table, {}, allowance, removed)
        wanted: dict[str, Parameter] = {"account_ids": [ANA.id, BEN.id], "top": 9, "skipped": 0}
        found = warehouse.query("list_personal_events", wanted).to_pylist()
        warehouse.remove(Dataset.EVENTS, unit)
        return [(row["event_id"], row["actor_id"], row["author_id"]) for row in found]

    left = [("2", BEN.id, None)]
    assert gathered("direct", day_table(first), {ANA.id}) == left
    assert reader.extract(day_table(first), Allowance("a", ENOUGH), {ANA.id}).rows == 1
    assert gathered("stored", None, set()) == left
    assert reader.extract(day_table(first), Allowance("b", ENOUGH)).rows == 2
    assert len(gathered("whole", None, set())) == 2
    warehouse.forget(Dataset.EVENTS, {ANA.id})
    assert gathered("forgotten", None, set()) == left
