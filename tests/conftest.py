"""Fixtures, Hypothesis profiles, and the rule for skips, that every test shares."""

import os
import re
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("check", max_examples=30, deadline=None, derandomize=True)
settings.register_profile(
    "laws", max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("RELAY_LAWS_PROFILE", "check"))


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio, as the relay does."""
    return "asyncio"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A skipped test is a failed one where `RELAY_CI` is set."""
    report = yield
    return _without_skips(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """So is a skipped module."""
    report = yield
    return _without_skips(report)


def _without_skips[R: (pytest.TestReport, pytest.CollectReport)](report: R) -> R:
    """On a machine that has to prove everything, a server or a package that is missing is a failure.

    Only a test that waits for a variable of ours to ask for it, and says so, may be skipped there.
    """
    excused = hasattr(report, "wasxfail") or re.search(r"RELAY_\w+ is not set", report.longreprtext)
    if report.skipped and not excused and os.environ.get("RELAY_CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which RELAY_CI does not allow: {report.longreprtext}"
    return report
