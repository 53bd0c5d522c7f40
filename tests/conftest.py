"""Fixtures and Hypothesis profiles that every test shares."""

import os

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
