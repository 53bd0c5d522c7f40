"""Every conformance test fails against a stub that always answers 200 with an empty object."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT

pytestmark = pytest.mark.e2e


@pytest.mark.timeout(300)
def test_no_conformance_test_passes_against_a_stub(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-m",
        "conformance",
        f"--junitxml={report}",
        "-p",
        "no:cacheprovider",
    ]
    environment = {**os.environ, "RELAY_CONFORMANCE_STUB": "1"}
    subprocess.run(
        [*command, "tests/conformance"],
        cwd=ROOT,
        env=environment,
        check=False,
        capture_output=True,
        timeout=280,
    )
    cases = ElementTree.parse(report).getroot().findall(".//testcase")
    passed = [
        case.get("name") for case in cases if not any(map(case.findall, ("failure", "error", "skipped")))
    ]
    assert len(cases) > 100
    assert passed == []
