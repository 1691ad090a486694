"""Jobs of the stand-in for BigQuery: queries, loads and copies, with their books."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.support.bigquery_queries import Query, Ran, Scan, billed, parameters_of
from tests.support.bigquery_store import (
    BigQueryError,
    Name,
    Store,
    StoredTable,
    millis,
    missing,
    split,
    within,
)

_LABELS = pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))
_STAGES = pa.list_(pa.struct([("id", pa.int64()), ("records_written", pa.int64())]))
_BOOKS = pa.schema(
    [
        ("job_id", pa.string()),
        ("job_type", pa.string()),
        ("creation_time", pa.timestamp("us", tz="UTC")),
        ("end_time", pa.timestamp("us", tz="UTC")),
        ("state", pa.string()),
        ("labels", _LABELS),
        ("job_stages", _STAGES),
        ("total_bytes_processed", pa.int64()),
        ("total_bytes_billed", pa.int64()),
        ("total_slot_ms", pa.int64()),
        ("cache_hit", pa.bool_()),
    ]
)


@dataclass
class Job:
    """A job and what it did. ``held`` keeps it running until it is let go."""

    project: str
    id: str
    configuration: dict[str, Any]
    data: bytes = b""
    created: int = field(default_factory=millis)
    ended: int | None = None
    held: bool = False
    error: BigQueryError | None = None
    ran: Ran | None = None
    scans: list[Scan] = field(default_factory=list)
    query: Query | None = None

    @property
    def kind(self) -> str:
        return next(kind for kind in ("query", "load", "copy") if kind in self.configuration)

    @property
    def settings(self) -> dict[str, Any]:
        found: dict[str, Any] = self.configuration[self.kind]
        return found

    @property
    def statement(self) -> str:
        """The label by which our program names what it runs."""
        return str(self.configuration.get("labels", {}).get("statement", ""))

    @property
    def text(self) -> str:
        return str(self.settings.get("query", ""))

    @property
    def done(self) -> bool:
        return self.ended is not None

    @property
    def bytes_billed(self) -> int:
        return billed(self.scans) if self.ran is not None and self.kind == "query" else 0

    @property
    def bytes_processed(self) -> int:
        return sum(scan.billed for scan in self.scans) if self.ran is not None else 0

    @property
    def rows(self) -> int:
        return self.ran.rows.num_rows if self.ran else 0

    def resource(self) -> dict[str, Any]:
        """The job as the REST interface shows it."""
        status: dict[str, Any] = {"state": "DONE" if self.done else "RUNNING"}
        if self.error:
            shown = {"reason": self.error.reason, "message": self.error.message}
            status |= {"errorResult": shown, "errors": [shown]}
        statistics: dict[str, Any] = {
            "creationTime": str(self.created),
            "startTime": str(self.created),
            "totalBytesProcessed": str(self.bytes_processed),
        }
        if self.ended is not None:
            statistics["endTime"] = str(self.ended)
        if self.kind == "query":
            statistics["query"] = self._query_statistics()
        if self.kind == "load":
            statistics["load"] = {"outputRows": str(self.rows)}
        return {
            "kind": "bigquery#job",
            "id": f"{self.project}:US.{self.id}",
            "jobReference": {"projectId": self.project, "jobId": self.id, "location": "US"},
            "configuration": {**self.configuration, "jobType": self.kind.upper()},
            "status": status,
            "statistics": statistics,
        }

    def _query_statistics(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "totalBytesProcessed": str(self.bytes_processed),
            "totalBytesBilled": str(self.bytes_billed),
            "totalSlotMs": str(20 if self.done else 0),
            "cacheHit": False,
            "statementType": "DELETE" if self.query and self.query.is_delete else "SELECT",
            "referencedTables": [
                {"projectId": p, "datasetId": d, "tableId": t}
                for p, d, t in (scan.table for scan in self.scans)
            ],
        }
        if self.ran is not None:
            found["queryPlan"] = [{"name": "S00: Output", "id": "0", "recordsWritten": self.rows}]
            if self.ran.affected is not None:
                found["numDmlAffectedRows"] = str(self.ran.affected)
        return found


class Jobs:
    """Every job of one server, in the order in which they came."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.all: list[Job] = []

    def find(self, project: str, id_: str) -> Job:
        for job in self.all:
            if (job.project, job.id) == (project, id_):
                return job
        raise missing(f"Job {project}:US.{id_}")

    def begin(self, job: Job) -> Job:
        """Take a job over. Raises BigQueryError for one that BigQuery does not take."""
        with self._store.lock:
            if any((job.project, job.id) == (other.project, other.id) for other in self.all):
                raise BigQueryError(409, "duplicate", f"Already Exists: Job {job.project}:{job.id}")
            if job.kind == "query":
                self._plan(job)
            if not job.configuration.get("dryRun"):
                self.all.append(job)
        return job

    def finish(self, job: Job) -> None:
        """Do what the job says; what goes wrong is the job's error."""
        with self._store.lock:
            if job.done:
                return
            try:
                if job.error is None:
                    job.ran = self._do(job)
            except BigQueryError as error:
                job.error = error
            job.ended = max(millis(), job.created + 1)

    def _plan(self, job: Job) -> None:
        job.query = Query(self._store, job.text, parameters_of(job.settings), self._views(job))
        job.scans = job.query.scans()
        job.scans += [_view_scan(view) for view in self._views(job) if view in _flat(job.text)
                      and not view.endswith("__TABLES__")]  # fmt: skip
        limit = job.settings.get("maximumBytesBilled") or job.configuration.get(
            "maximumBytesBilled"
        )
        cost = billed(job.scans, estimate=True)
        if limit is not None and cost > int(limit) and not job.configuration.get("dryRun"):
            raise BigQueryError(
                400,
                "bytesBilledLimitExceeded",
                f"Query exceeded limit for bytes billed: {limit}. {cost} or higher required.",
            )

    def _do(self, job: Job) -> Ran:
        if job.kind == "load":
            return self._load(job)
        if job.kind == "copy":
            return self._copy(job)
        assert job.query is not None
        if "destinationTable" not in job.settings:
            return job.query.run()
        table, day = self._destination(job, job.query.schema())
        if job.settings.get("writeDisposition") == "WRITE_TRUNCATE":
            self._store.clear(table, day)
        ran = job.query.insert(table)
        self._stay_within(table, day, job)
        return ran

    def _stay_within(self, table: StoredTable, day: Any, job: Job) -> None:
        if day is not None and job.rows > self._store.count(table, day):
            raise BigQueryError(400, "invalid", f"Some rows belong to another partition than {day}")

    def _load(self, job: Job) -> Ran:
        table, day = self._destination(job, None)
        rows = pq.read_table(io.BytesIO(job.data))
        names = {each["name"] for each in table.resource["schema"]["fields"]}
        if unknown := set(rows.schema.names) - names:
            raise BigQueryError(400, "invalid", f"Provided Schema does not match: {unknown}")
        if job.settings.get("writeDisposition") == "WRITE_TRUNCATE":
            self._store.clear(table, day)
        with self._store.engine.cursor() as cursor:
            cursor.register("loaded", rows)
            cursor.execute(f"INSERT INTO {table.sql_name} BY NAME SELECT * FROM loaded")
        return Ran(rows)

    def _copy(self, job: Job) -> Ran:
        sources = job.settings.get("sourceTables") or [job.settings["sourceTable"]]
        (source,) = map(_name, sources)
        origin, day = self._store.table(source), split(source)[1]
        rows = self._store.count(origin, day)
        if day is not None and not rows:
            raise missing(f"Table {'.'.join(source)}")
        target, into = self._destination(job, None)
        if job.settings.get("writeDisposition") == "WRITE_TRUNCATE":
            self._store.clear(target, into)
        with self._store.engine.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {target.sql_name} BY NAME "
                f"SELECT * FROM {origin.sql_name} WHERE {within(origin, day)}"
            )
        return Ran(pa.table({"rows": pa.array([None] * rows)}))

    def _destination(self, job: Job, schema: pa.Schema | None) -> tuple[StoredTable, Any]:
        name = _name(job.settings["destinationTable"])
        plain, day = split(name)
        if plain not in self._store.tables and schema is not None:
            if job.settings.get("createDisposition") == "CREATE_NEVER":
                raise missing(f"Table {'.'.join(plain)}")
            fields = [{"name": f.name, "type": bigquery_type(f.type)} for f in schema]
            resource = {"schema": {"fields": fields}}
            for key in ("timePartitioning", "clustering"):
                if key in job.settings:
                    resource[key] = job.settings[key]
            self._store.create(plain, resource)
        return self._store.table(name), day

    def _views(self, job: Job) -> dict[str, pa.Table]:
        """What can be asked of the books: of jobs, and of tables in each dataset."""
        views = {"INFORMATION_SCHEMA.JOBS_BY_PROJECT": pa.Table.from_pylist(
            [_booked(each) for each in self.all if each.project == job.project], _BOOKS
        )} if "INFORMATION_SCHEMA" in job.text else {}  # fmt: skip
        for project, dataset in self._store.datasets:
            name = f"{project}.{dataset}.__TABLES__"
            if name in _flat(job.text):
                views[name] = pa.Table.from_pylist(list(self._listed(project, dataset)))
        return views

    def _listed(self, project: str, dataset: str) -> Iterator[dict[str, Any]]:
        for name, table in self._store.tables.items():
            if name[:2] == (project, dataset):
                size = table.resource.get("statedBytes") or self._store.size(table)
                yield {"table_id": name[2], "size_bytes": size}


def _flat(text: str) -> str:
    return text.replace("`", "")


def _view_scan(view: str) -> Scan:
    return Scan(("", "", view), (), 0, 0)


def _name(reference: Mapping[str, str]) -> Name:
    return reference["projectId"], reference["datasetId"], reference["tableId"]


def _booked(job: Job) -> dict[str, Any]:
    return {
        "job_id": job.id,
        "job_type": job.kind.upper(),
        "creation_time": _moment(job.created),
        "end_time": None if job.ended is None else _moment(job.ended),
        "state": "DONE" if job.done else "RUNNING",
        "labels": [
            {"key": key, "value": value}
            for key, value in job.configuration.get("labels", {}).items()
        ],
        "job_stages": [{"id": 0, "records_written": job.rows}] if job.ran else [],
        "total_bytes_processed": job.bytes_processed,
        "total_bytes_billed": job.bytes_billed,
        "total_slot_ms": 20 if job.done else None,
        "cache_hit": False,
    }


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)


def bigquery_type(type_: pa.DataType) -> str:
    """BigQuery's name for an Arrow type."""
    if pa.types.is_integer(type_) or pa.types.is_decimal(type_):
        return "INTEGER"
    if pa.types.is_boolean(type_):
        return "BOOLEAN"
    if pa.types.is_timestamp(type_):
        return "TIMESTAMP"
    if pa.types.is_date(type_):
        return "DATE"
    return "FLOAT" if pa.types.is_floating(type_) else "STRING"
