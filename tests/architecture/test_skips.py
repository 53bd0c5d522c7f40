"""Where everything has to be proved, a skipped test is a failed one."""

import subprocess
import sys
from pathlib import Path

from tests.architecture.repository import ROOT

SUITE = """
import pytest

def test_that_passes():
    pass

@pytest.mark.skip(reason="needs a server")
def test_that_needs_a_server():
    raise AssertionError

@pytest.mark.skip(reason="RELAY_EXTRA is not set")
def test_that_nobody_asked_for():
    raise AssertionError

@pytest.mark.xfail(strict=True)
def test_that_is_known_to_fail():
    raise AssertionError
"""
MODULE = 'import pytest\n\npytest.importorskip("no_such_package")\n'


def closing_line(folder: Path, *, proving: bool) -> str:
    (folder / "test_suite.py").write_text(SUITE)
    (folder / "test_module.py").write_text(MODULE)
    options = "-c /dev/null -p tests.conftest -p no:cacheprovider --continue-on-collection-errors"
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options.split(), str(folder)],
        cwd=ROOT,
        env={"RELAY_CI": "1"} if proving else {},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout.splitlines()[-1]


def test_skips_are_failures_where_everything_has_to_be_proved(tmp_path: Path) -> None:
    line = closing_line(tmp_path, proving=True)
    assert "1 passed, 1 skipped, 1 xfailed, 2 errors" in line


def test_skips_are_skips_elsewhere(tmp_path: Path) -> None:
    assert "1 passed, 3 skipped, 1 xfailed" in closing_line(tmp_path, proving=False)
