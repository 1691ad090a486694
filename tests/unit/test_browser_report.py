"""A test run that looked at no page in Chromium is found out."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.browser import check_report

RAN = '<testcase classname="tests.browser.test_pages" name="test_a[x]"/>'
SKIPPED = '<testcase classname="tests.browser.test_pages" name="test_a[x]"><skipped/></testcase>'
ANOTHER = '<testcase classname="tests.unit.test_browser" name="test_b"/>'


@pytest.mark.parametrize(
    ("cases", "problems"), [(ANOTHER + RAN, 0), (SKIPPED + RAN, 0), (ANOTHER + SKIPPED, 1), ("", 1)]
)
def test_pages_must_have_been_looked_at(tmp_path: Path, cases: str, problems: int) -> None:
    report = tmp_path / "report.xml"
    report.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    assert len(check_report(report)) == problems
