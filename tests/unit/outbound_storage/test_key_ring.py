"""Keys in memory follow the database, also when others change it, and outlive its absence."""

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from relay.adapters.outbound.storage import engine as engine_module
from relay.adapters.outbound.storage.engine import Database
from relay.adapters.outbound.storage.key_ring import KeyRing
from relay.adapters.outbound.storage.unit_of_work import open_work
from relay.application.settle_usage import StoreUnavailable
from relay.domain.keys import KeyRecord

pytestmark = pytest.mark.anyio

REVOKER = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as connection:
    connection.execute("UPDATE config_version SET version = version + 1")
    connection.execute("UPDATE api_key SET revoked_ms = 5")
"""


async def add(database: Database, public_id: str) -> None:
    async with open_work(database) as work:
        await work.keys.add(
            KeyRecord(public_id=public_id, name=public_id, digest=b"d", created_ms=1, models=("m",))
        )
        await work.commit()


async def test_a_revocation_by_another_process_is_effective_within_two_seconds(
    database: Database, path: Path
) -> None:
    await add(database, "web")
    ring = KeyRing(database.reader)
    await ring.refresh()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ring.run)
        await anyio.to_thread.run_sync(
            lambda: subprocess.run([sys.executable, "-c", REVOKER, str(path)], check=True)
        )
        revoked = time.monotonic()
        with anyio.fail_after(2):
            while (record := ring.find("web")) is None or record.is_live(1):
                await anyio.sleep(0.01)
        assert time.monotonic() - revoked < 2
        tasks.cancel_scope.cancel()


async def test_without_a_change_of_version_nothing_is_loaded_again(database: Database) -> None:
    await add(database, "web")
    ring = KeyRing(database.reader)
    await ring.refresh()
    record = ring.find("web")
    await ring.refresh()
    assert ring.find("web") is record


async def test_an_uncommitted_change_is_not_seen(database: Database) -> None:
    ring = KeyRing(database.reader)
    async with open_work(database) as work:
        await work.keys.add(KeyRecord(public_id="web", name="web", digest=b"d"))
        await ring.refresh()
        assert not ring.any_exist()


async def test_while_the_database_is_away_the_last_state_stays_in_force(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.adapters.outbound.storage.key_ring.POLL_S", 0.01)
    await add(database, "web")
    ring = KeyRing(database.reader)
    await ring.refresh()
    await database.aclose()
    away = path.rename(path.with_name("away.db"))
    with pytest.raises(StoreUnavailable):
        await ring.refresh()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ring.run)
        with anyio.fail_after(2):
            while not ring.problem:
                await anyio.sleep(0.01)
        assert ring.find("web") is not None
        away.rename(path)
        with anyio.fail_after(2):
            while ring.problem:
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()


async def test_keys_are_read_while_another_program_holds_the_write_lock(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "BUSY_TIMEOUT_MS", 50)
    await add(database, "web")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ring = KeyRing(database.reader)
        await ring.refresh()
        assert ring.find("web") is not None
        other.execute("ROLLBACK")
