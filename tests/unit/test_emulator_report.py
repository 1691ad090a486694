"""A test run that left installed emulators out is found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.emulators import FIRESTORE, PUBSUB, check_report, missing

_SKIPPED = "<skipped/>"


def report(folder: Path, *cases: tuple[str, str]) -> Path:
    path = folder / "report.xml"
    listed = "".join(f'<testcase name="{name}">{inner}</testcase>' for name, inner in cases)
    path.write_text(f"<testsuites><testsuite>{listed}</testsuite></testsuites>")
    return path


@pytest.mark.skipif(missing(FIRESTORE) is not None, reason=str(missing(FIRESTORE)))
@pytest.mark.skipif(missing(PUBSUB) is not None, reason=str(missing(PUBSUB)))
def test_installed_emulators_must_have_been_used(tmp_path: Path) -> None:
    firestore, pubsub = ("test_a[firestore-1]", ""), ("test_b[pubsub]", "")
    assert check_report(report(tmp_path, firestore, pubsub)) == []
    (problem,) = check_report(report(tmp_path, pubsub, ("test_a[firestore-1]", _SKIPPED)))
    assert "Firestore" in problem
    assert len(check_report(report(tmp_path, ("test_a[sqlite]", "")))) == 2
