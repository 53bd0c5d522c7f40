"""A real database file for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.adapters.outbound.storage.engine import Database
from relay.adapters.outbound.storage.schema import bring_up


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is; its schema is there."""
    made = tmp_path / "relay.db"
    bring_up(made)
    return made


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    """Its engines, closed again after the test."""
    opened = Database(path)
    yield opened
    await opened.aclose()
