"""The sweep does all of its parts, whatever becomes of one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from functions.maintenance import sweep
from shared.errors import RetryLater
from shared.ports import DocumentPage, Documents, Query
from tests.support.audit_trail import seals, told
from tests.support.manual_clock import ManualClock
from tests.support.scenario import open_services
from tests.support.watched_documents import WatchedDocuments


class Torn(WatchedDocuments):
    """Fails every query of some collections, as a store does that lost an index."""

    def __init__(self, documents: Documents, broken: Mapping[str, Exception]) -> None:
        super().__init__(documents)
        self.broken = broken

    def query(self, query: Query) -> DocumentPage:
        if query.collection in self.broken:
            raise self.broken[query.collection]
        return super().query(query)


@pytest.mark.parametrize("first", [RetryLater("busy"), ZeroDivisionError("a defect")])
def test_a_part_that_fails_keeps_no_other_from_its_work(tmp_path: Path, first: Exception) -> None:
    services = open_services(tmp_path, ManualClock())
    broken = {"pipelines": first, "notices": RetryLater("busy as well")}
    told(services, 3)
    with capture_logs() as logged, pytest.raises(type(first)) as raised:
        sweep(replace(services, documents=Torn(services.documents, broken)))
    assert raised.value is first
    failed = [line["part"] for line in logged if line["event"] == "sweep_part_failed"]
    assert failed == ["pipeline", "notices"]
    assert seals(services).keys() == {1}
