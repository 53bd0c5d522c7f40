"""The spool, the settling and the database together, while things go wrong around them."""

import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

import anyio
import msgspec
import pytest

from relay.adapters.outbound.spool.reader import DEAD_LETTERS, SpoolReader
from relay.adapters.outbound.spool.segment import encode, segment_numbers, segment_path
from relay.adapters.outbound.spool.spool import Spool
from relay.adapters.outbound.storage import engine as engine_module
from relay.adapters.outbound.storage.engine import Database
from relay.adapters.outbound.storage.usage_store import SqlUsageStore
from relay.application.settle_usage import SettleUsage
from relay.domain.errors import AccountingUnavailable
from tests.support.disk import full_disk
from tests.support.records import ended, event_id, started

pytestmark = pytest.mark.anyio

LOCKER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("ROLLBACK")
connection.close()
"""


@asynccontextmanager
async def books(path: Path) -> AsyncIterator[tuple[Spool, SettleUsage]]:
    """One run of a relay, as far as its books go."""
    database = Database(path)
    spool = Spool(path.with_name("relay.db.spool"), segment_bytes=64 * 1024)
    reader = SpoolReader(spool)
    yield spool, SettleUsage(reader, SqlUsageStore(database))
    reader.close()
    await database.aclose()


def outcomes(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT id, outcome FROM usage_event").fetchall())


def every(numbers: range, outcome: str = "ok") -> dict[str, str]:
    return {event_id(number): outcome for number in numbers}


def segments(path: Path) -> list[int]:
    return segment_numbers(path.with_name("relay.db.spool"))


def write(spool: Spool, numbers: range) -> None:
    for number in numbers:
        spool.begin(started(number))
        spool.end(ended(number))


async def test_what_was_written_is_in_the_database_and_no_longer_in_the_spool(path: Path) -> None:
    async with books(path) as (spool, settle):
        write(spool, range(1000))
        assert await settle.catch_up()
    assert outcomes(path) == every(range(1000))
    assert segments(path) == []


async def test_a_database_locked_for_seconds_costs_nothing_but_the_delay(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "BUSY_TIMEOUT_MS", 100)
    async with books(path) as (spool, settle), anyio.create_task_group() as tasks:
        tasks.start_soon(settle.run)
        with subprocess.Popen(
            [sys.executable, "-c", LOCKER, str(path), "2"], stdout=subprocess.PIPE
        ) as locker:
            assert locker.stdout is not None
            await anyio.to_thread.run_sync(locker.stdout.readline)
            problems = set()
            for number in range(300):
                write(spool, range(number, number + 1))
                await anyio.sleep(0.003)
                problems.add(settle.problem)
            assert "database is locked" in problems
            with anyio.fail_after(15):
                while settle.problem or settle.unread_bytes or settle.waiting_entries:
                    await anyio.sleep(0.02)
        tasks.cancel_scope.cancel()
    assert outcomes(path) == every(range(300))


async def test_an_attempt_left_open_by_a_run_is_interrupted_in_the_next_and_only_there(path: Path) -> None:
    async with books(path) as (spool, settle):
        write(spool, range(5))
        spool.begin(started(5))
        assert await settle.catch_up()
        assert outcomes(path) == every(range(5))
    for _ in range(3):
        async with books(path) as (spool, settle):
            assert await settle.catch_up()
    assert outcomes(path) == every(range(5)) | every(range(5, 6), "interrupted")
    assert segments(path) == []


async def test_replaying_a_spool_that_was_settled_changes_nothing(path: Path) -> None:
    async with books(path) as (spool, settle):
        write(spool, range(600))
        spool.begin(started(600))
        kept = {
            number: segment_path(spool.folder, number).read_bytes()
            for number in segment_numbers(spool.folder)
        }
        assert await settle.catch_up()
    async with books(path) as (spool, settle):
        assert await settle.catch_up()
    before = dump(path)
    for number, data in kept.items():
        segment_path(path.with_name("relay.db.spool"), number).write_bytes(data)
    async with books(path) as (spool, settle):
        assert await settle.catch_up()
    assert dump(path) == before
    assert segments(path) == []


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


async def test_a_poison_record_is_put_aside_and_the_others_are_stored(path: Path) -> None:
    folder = path.with_name("relay.db.spool")
    folder.mkdir()
    frames = [encode(started(number)) + encode(ended(number)) for number in range(300)]
    # As a version without clamping would have written it.
    frames[123] = encode(started(123)) + encode(replace(ended(123), duration_ms=2**63))
    segment_path(folder, 1).write_bytes(b"".join(frames))
    async with books(path) as (_, settle):
        with anyio.fail_after(5):
            assert await settle.catch_up()
        assert settle.problem == ""
    assert outcomes(path) == every(range(123)) | every(range(124, 300))
    (letter,) = (folder / DEAD_LETTERS).read_bytes().splitlines()
    assert msgspec.json.decode(letter)["record"]["started"]["id"] == event_id(123)
    assert segments(path) == []


async def test_hostile_texts_and_counts_are_rows_like_any_other(path: Path) -> None:
    async with books(path) as (spool, settle):
        spool.begin(started(1, name_asked="a\x00b\ud800", model="x" * 1_000_000, at_ms=2**63))
        spool.end(ended(1, duration_ms=2**63, error_code="\x00"))
        assert await settle.catch_up()
    with closing(sqlite3.connect(path)) as connection:
        row = connection.execute("SELECT name_asked, length(model), at_ms, duration_ms FROM usage_event")
        assert row.fetchone() == ("a\ufffdb\ufffd", 512, 253_402_300_799_999, 2**53 - 1)


async def test_a_disk_that_fills_up_and_empties_again_loses_no_attempt_that_was_let_through(
    path: Path,
) -> None:
    async with books(path) as (spool, settle):
        write(spool, range(10))
        for number in range(10, 20):
            spool.begin(started(number))
        with full_disk():
            for number in range(10, 20):
                spool.end(ended(number))
            with pytest.raises(AccountingUnavailable):
                spool.begin(started(99))
            assert not await settle.catch_up()
            assert spool.problem
        assert await settle.catch_up()
        assert spool.problem == ""
        write(spool, range(20, 25))
        assert await settle.catch_up()
    assert outcomes(path) == every(range(25))


async def test_a_run_that_is_cancelled_while_it_stores_leaves_each_attempt_once(path: Path) -> None:
    for number in range(0, 1500, 300):
        async with books(path) as (spool, settle):
            write(spool, range(number, number + 300))
            with anyio.move_on_after(0.004 + number / 100_000):
                await settle.run()
    async with books(path) as (_, settle):
        assert await settle.catch_up()
    assert outcomes(path) == every(range(1500))
    assert segments(path) == []


async def test_several_runs_killed_with_everything_open_leave_one_row_for_each(path: Path) -> None:
    folder = path.with_name("relay.db.spool")
    folder.mkdir()
    for run in range(1, 4):
        segment_path(folder, run).write_bytes(encode(started(run)) + encode(started(run + 10))[:-3])
    async with books(path) as (spool, settle):
        write(spool, range(50, 52))
        assert await settle.catch_up()
    assert outcomes(path) == every(range(1, 4), "interrupted") | every(range(50, 52))
    assert len(list(folder.glob("*.bad"))) == 3
