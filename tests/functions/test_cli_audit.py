"""The audit trail from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared import audit, audit_seals
from shared.context import SYSTEM, Services
from shared.ports import Write
from tests.support.command_line import answer, command
from tests.support.scenario import everything, open_services


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """A trail with two seals of two records each."""
    services = open_services(tmp_path)
    for _ in range(2):
        for number in ("1", "2"):
            told = audit.record(services, SYSTEM, "config.changed", ("rules", number), "changed")
            services.documents.write([told])
        audit_seals.seal(services)
    return services


def test_a_trail_that_is_what_was_sealed_is_said_to_be(tmp_path: Path, services: Services) -> None:
    result = command(tmp_path, "audit", "check")
    assert result.exit_code == 0
    assert "4 records under 2 seals; 0 records not sealed yet." in result.stdout
    found = answer(tmp_path, "audit", "check")["data"]
    assert (found["intact"], found["last"]) == (True, 2)
    assert f"2:{found['hash']}" in result.stdout
    noted = command(tmp_path, "audit", "check", "--seal", f"2:{found['hash']}")
    assert noted.exit_code == 0


def test_a_record_that_was_changed_is_named(tmp_path: Path, services: Services) -> None:
    record, *_ = everything(services, "audit")
    services.documents.write([Write(record.path, {**record.fields, "actor_id": "nobody"})])
    result = command(tmp_path, "audit", "check")
    assert result.exit_code == 1
    assert f"Record {record.id} (seal 1) was changed." in result.stdout
    as_json = command(tmp_path, "audit", "check", "--json")
    assert as_json.exit_code == 1
    assert '"intact": false' in as_json.stdout


def test_a_seal_that_is_missing_or_another_than_was_noted_is_named(
    tmp_path: Path, services: Services
) -> None:
    other = command(tmp_path, "audit", "check", "--seal", "1:" + "0" * 64)
    assert other.exit_code == 1
    assert "Seal 1 is another one than was noted." in other.stdout
    services.documents.write([Write("audit_seals/1", None)])
    missing = command(tmp_path, "audit", "check")
    assert missing.exit_code == 1
    assert "Seal 1 is missing." in missing.stdout


@pytest.mark.parametrize("noted", ["1", "x:" + "0" * 64, "1:abc", ""])
def test_what_is_no_noted_seal_is_refused(tmp_path: Path, services: Services, noted: str) -> None:
    assert command(tmp_path, "audit", "check", "--seal", noted).exit_code == 2
