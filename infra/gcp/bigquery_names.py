"""Names that become part of a statement's text, each checked: BigQuery takes none as parameter."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.errors import Rejected

_PROJECT = re.compile(r"[a-z0-9][a-z0-9.:-]{1,60}[a-z0-9]")
_DATASET = re.compile(r"[A-Za-z0-9_]{1,1024}")
_LOCATION = re.compile(r"[A-Za-z0-9-]{2,40}")
_TABLE = re.compile(r"[A-Za-z0-9_]{1,1024}")
_ARCHIVE_TABLE = re.compile(r"day\.[0-9]{8}|month\.[0-9]{6}")
_JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,900}")


@dataclass(frozen=True, slots=True)
class Place:
    """A dataset of a project. Raises Rejected for what cannot be the name of one."""

    project: str
    dataset: str
    location: str

    def __post_init__(self) -> None:
        check(self.project, _PROJECT, "project", "GOOGLE_CLOUD_PROJECT")
        check(self.dataset, _DATASET, "dataset", "BIGQUERY_DATASET")
        check(self.location, _LOCATION, "location", "BIGQUERY_LOCATION")

    def table(self, name: str) -> str:
        """The full name of a table of ours, without quotes."""
        return f"{self.project}.{self.dataset}.{check(name, _TABLE, 'table')}"


def archive_table(project: str, name: str) -> str:
    """The full name of a table of the public archive, without quotes."""
    check(project, _PROJECT, "project", "ARCHIVE_PROJECT")
    return f"{project}.{check(name, _ARCHIVE_TABLE, 'table of the archive')}"


def archive_dataset(project: str, period: str) -> str:
    """The full name of the archive's dataset of days or months, without quotes."""
    check(project, _PROJECT, "project", "ARCHIVE_PROJECT")
    return f"{project}.{check(period, re.compile('day|month'), 'period')}"


def job_id(text: str) -> str:
    """An id that BigQuery takes for a job, and room for what is put behind it."""
    return check(text, _JOB_ID, "id of a run")


def label(text: str) -> str:
    """The text as BigQuery takes it for the value of a label."""
    return re.sub(r"[^a-z0-9_-]", "_", text.lower())[:63]


def check(text: str, pattern: re.Pattern[str], what: str, variable: str | None = None) -> str:
    """``text`` if all of it fits. Raises Rejected, naming the variable it may come from."""
    if not pattern.fullmatch(text):
        said = f"{variable}={text[:200]}" if variable else repr(text[:200])
        raise Rejected(f"{said} cannot be a {what} of BigQuery.", details={"variable": variable})
    return text
