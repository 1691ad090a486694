"""The calls of BigQuery's REST interface that the stand-in answers."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

import pyarrow as pa

from tests.support.bigquery_jobs import Job, bigquery_type
from tests.support.bigquery_queries import billed
from tests.support.bigquery_store import BigQueryError, missing
from tests.support.loopback_http import LoopbackHandler

if TYPE_CHECKING:
    from tests.support.bigquery_server import BigQueryServer

_ROOT = r"/bigquery/v2/projects/(?P<project>[^/]+)"


class Handler(LoopbackHandler):
    """One connection. Answers are JSON, errors as Google writes them."""

    server: Any

    @property
    def _bigquery(self) -> BigQueryServer:
        found: BigQueryServer = self.server.behind
        return found

    def answer(self, method: str) -> None:
        address = urlsplit(self.path)
        self._asked = {key: values[0] for key, values in parse_qs(address.query).items()}
        self._data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(address.path)
        self._bigquery.calls.append((method, path))
        fault = self._bigquery.fault(method, path)
        if fault is not None and fault.status:
            error = BigQueryError(fault.status, fault.reason, f"told to fail: {fault.reason}")
            self._send(error.status, _error(error))
            return
        status, body = 200, {}
        try:
            body = self._route(method, path)
        except BigQueryError as error:
            status, body = error.status, _error(error)
        except Exception as error:  # noqa: BLE001 - a defect of the stand-in is to be seen
            status, body = 501, _error(BigQueryError(501, "notImplemented", repr(error)))
        if fault is not None:
            self.close_connection = True
            return
        self._send(status, body)

    def _send(self, status: int, body: dict[str, Any] | None) -> None:
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(data)))
        if body and "uploadAddress" in body:
            self.send_header("Location", str(body["uploadAddress"]))
        if status == HTTPStatus.PERMANENT_REDIRECT:  # an upload that goes on
            received = re.split("[ /-]", self.headers["Content-Range"])[2]
            self.send_header("Range", f"bytes=0-{received}")
        self.end_headers()
        self.wfile.write(data)

    def _route(self, method: str, path: str) -> dict[str, Any]:
        for wanted, pattern, handle in ROUTES:
            found = re.fullmatch(pattern, path)
            if wanted == method and found:
                return handle(self, **found.groupdict())
        raise BigQueryError(404, "notFound", f"The stand-in knows no {method} {path}")

    def _body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._data or b"{}")
        return found

    # --- datasets and tables ----------------------------------------------------------------

    def create_dataset(self, project: str) -> dict[str, Any]:
        body = self._body()
        self._bigquery.store.create_dataset(project, body["datasetReference"]["datasetId"], body)
        return body

    def get_dataset(self, project: str, dataset: str) -> dict[str, Any]:
        found = self._bigquery.store.datasets.get((project, dataset))
        if found is None:
            raise missing(f"Dataset {project}:{dataset}")
        return found

    def create_table(self, project: str, dataset: str) -> dict[str, Any]:
        body = self._body()
        name = (project, dataset, body["tableReference"]["tableId"])
        self._bigquery.store.create(name, body)
        return self._bigquery.store.resource(name)

    def list_tables(self, project: str, dataset: str) -> dict[str, Any]:
        self.get_dataset(project, dataset)
        names = [name for name in self._bigquery.store.tables if name[:2] == (project, dataset)]
        tables = [
            {
                "kind": "bigquery#table",
                "id": f"{project}:{dataset}.{name[2]}",
                "type": "TABLE",
                "tableReference": dict(
                    zip(("projectId", "datasetId", "tableId"), name, strict=True)
                ),
            }
            for name in sorted(names)
        ]
        return {"tables": tables, "totalItems": len(tables)}

    def get_table(self, project: str, dataset: str, table: str) -> dict[str, Any]:
        return self._bigquery.store.resource((project, dataset, table))

    def patch_table(self, project: str, dataset: str, table: str) -> dict[str, Any]:
        self._bigquery.store.table((project, dataset, table)).resource.update(self._body())
        return self.get_table(project, dataset, table)

    def delete_table(self, project: str, dataset: str, table: str) -> dict[str, Any]:
        self._bigquery.store.delete((project, dataset, table))
        return {}

    # --- jobs -------------------------------------------------------------------------------

    def insert_job(self, project: str) -> dict[str, Any]:
        job = self._bigquery.start_job(project, self._body())
        if job.configuration.get("dryRun"):
            return _dry(job)
        return job.resource()

    def get_job(self, project: str, job: str) -> dict[str, Any]:
        return self._bigquery.jobs.find(project, job).resource()

    def list_jobs(self, project: str) -> dict[str, Any]:
        jobs = [job for job in self._bigquery.jobs.all if job.project == project]
        return {"jobs": [{**job.resource(), "state": "DONE"} for job in reversed(jobs)]}

    def cancel_job(self, project: str, job: str) -> dict[str, Any]:
        found = self._bigquery.jobs.find(project, job)
        if not found.done:
            found.error = BigQueryError(400, "stopped", "The job was cancelled")
            self._bigquery.jobs.finish(found)
        return {"job": found.resource()}

    def results(self, project: str, job: str) -> dict[str, Any]:
        found = self._bigquery.jobs.find(project, job)
        reference = {"projectId": project, "jobId": job, "location": "US"}
        if not found.done:
            return {"jobComplete": False, "jobReference": reference}
        if found.error:
            raise found.error
        assert found.ran is not None
        rows = found.ran.rows
        start = int(self._asked.get("pageToken") or self._asked.get("startIndex") or 0)
        most = min(int(self._asked.get("maxResults") or 2**31), self._bigquery.page_rows)
        page = rows.slice(start, most)
        answer = {
            "kind": "bigquery#getQueryResultsResponse",
            "jobComplete": True,
            "jobReference": reference,
            "totalRows": str(rows.num_rows),
            "totalBytesProcessed": str(found.bytes_processed),
            "cacheHit": False,
            "schema": {"fields": [_field(each) for each in rows.schema]},
            "rows": _rows(page),
        }
        if start + page.num_rows < rows.num_rows and most:
            answer["pageToken"] = str(start + page.num_rows)
        return answer

    # --- uploads ----------------------------------------------------------------------------

    def upload(self, project: str) -> dict[str, Any]:
        if self._asked.get("uploadType") == "resumable":
            id_ = uuid.uuid4().hex
            self._bigquery.uploads[id_] = (self._body(), bytearray())
            host = self._bigquery.host
            return {"uploadAddress": f"http://{host}/upload/session/{project}/{id_}"}
        metadata, data = _parts(self._data, self.headers["Content-Type"])
        return self._bigquery.start_job(project, json.loads(metadata), data).resource()

    def upload_more(self, project: str, upload: str) -> dict[str, Any]:
        body, data = self._bigquery.uploads[upload]
        data += self._data
        total = self.headers["Content-Range"].rsplit("/", 1)[1]
        if total == "*" or len(data) < int(total):
            raise BigQueryError(308, "incomplete", "more is wanted")
        return self._bigquery.start_job(project, body, bytes(data)).resource()


def _parts(data: bytes, content_type: str) -> list[bytes]:
    """The contents of a multipart body."""
    boundary = b"--" + content_type.split("boundary=")[1].strip().strip('"').encode()
    parts = data.split(boundary)[1:-1]
    return [part.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n") for part in parts]


def _error(error: BigQueryError) -> dict[str, Any]:
    each = {"message": error.message, "domain": "global", "reason": error.reason}
    errors = [each] if error.reason else []
    return {"error": {"code": error.status, "message": error.message, "errors": errors}}


def _dry(job: Job) -> dict[str, Any]:
    resource = job.resource()
    resource["status"] = {"state": "DONE"}
    estimate = str(sum(scan.estimated for scan in job.scans))
    resource["statistics"]["totalBytesProcessed"] = estimate
    resource["statistics"]["query"]["totalBytesProcessed"] = estimate
    resource["statistics"]["query"]["totalBytesBilled"] = str(billed([]))
    return resource


def _field(field: pa.Field) -> dict[str, str]:
    repeated = pa.types.is_list(field.type)
    type_ = field.type.value_type if repeated else field.type
    mode = "REPEATED" if repeated else "NULLABLE"
    return {"name": field.name, "type": bigquery_type(type_), "mode": mode}


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    columns = []
    for column in table.columns:
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
        columns.append([_cell(value) for value in column.to_pylist()])
    return [{"f": list(cells)} for cells in zip(*columns, strict=True)]


def _cell(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {"v": None}
        case bool():
            return {"v": "true" if value else "false"}
        case list():
            return {"v": [_cell(each) for each in value]}
    return {"v": str(value)}


_DATASETS = _ROOT + "/datasets"
_DATASET = _DATASETS + r"/(?P<dataset>[^/]+)"
_TABLES = _DATASET + "/tables"
_TABLE = _TABLES + r"/(?P<table>[^/]+)"
_JOBS = _ROOT + "/jobs"
_JOB = _JOBS + r"/(?P<job>[^/]+)"

ROUTES: tuple[tuple[str, str, Callable[..., dict[str, Any]]], ...] = (
    ("POST", _DATASETS, Handler.create_dataset),
    ("GET", _DATASET, Handler.get_dataset),
    ("POST", _TABLES, Handler.create_table),
    ("GET", _TABLES, Handler.list_tables),
    ("GET", _TABLE, Handler.get_table),
    ("PATCH", _TABLE, Handler.patch_table),
    ("PUT", _TABLE, Handler.patch_table),
    ("DELETE", _TABLE, Handler.delete_table),
    ("POST", _JOBS, Handler.insert_job),
    ("GET", _JOBS, Handler.list_jobs),
    ("GET", _JOB, Handler.get_job),
    ("POST", _JOB + "/cancel", Handler.cancel_job),
    ("GET", _ROOT + r"/queries/(?P<job>[^/]+)", Handler.results),
    ("POST", "/upload" + _JOBS, Handler.upload),
    ("PUT", r"/upload/session/(?P<project>[^/]+)/(?P<upload>[^/]+)", Handler.upload_more),
)
"""Method, address and what answers it."""
