"""A scripted upstream in the test's own loop, and short ways to ask it."""

from collections.abc import AsyncIterator

import pytest

from tests.support.upstream import ScriptedUpstream


@pytest.fixture
async def upstream(anyio_backend: str) -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as up:
        yield up
